"""One run of `fleet up`, from the first line to the last: start everything, show what happens, stop in order.

A second run of the same home goes on where the first one stopped, or was killed. One thread does it all, since the
kernel ties a child's life to the thread that started it.
"""

from __future__ import annotations

import logging
import os
import shlex
import shutil
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from fleet import app
from fleet.accounts import keys
from fleet.cli.commands import migrate
from fleet.cli.commands.check import env_check
from fleet.cli.commands.processes import FLOWER_USER, PASSWORD_FILE
from fleet.cli.commands.screen import TerminalScreen
from fleet.cli.commands.up import faults
from fleet.cli.commands.up.process_list import Board, UpOptions
from fleet.cli.frame import paths
from fleet.cli.frame.context import Door
from fleet.cli.frame.failures import INTERRUPTED
from fleet.cli.frame.interrupts import Interrupts
from fleet.cli.frame.paths import HomeSettings
from fleet.core import clock, logs
from fleet.core.errors import FleetError, InvalidInput, Unavailable
from fleet.core.events import Position
from fleet.core.settings import Settings
from fleet.engine import deps as runtime_deps
from fleet.engine import registry
from fleet.engine.agents.queries import AgentFilter
from fleet.engine.deps import Deps
from fleet.engine.events import restore_check
from fleet.engine.system_agents import staff
from fleet.features.activity import queries as activity_queries
from fleet.features.activity.agent_names import AgentNames
from fleet.features.activity.cli_feed import line
from fleet.features.agents import commands as agent_commands
from fleet.features.controls.cli import held
from fleet.features.overview import status as fleet_status
from fleet.features.users import invite
from fleet.images import signing
from fleet.llm import registry as models
from fleet.sandbox import disk
from fleet.sandbox.processes.child import rotate_log
from fleet.sandbox.services import Services

_WHO_ACT = AgentFilter(kind="gallery")
_LOOK_EVERY_S = 0.2
_PAGE = 500
_FIRST_LOGIN = "first-login"
_OF_OTHERS = 50
"""Connections of the gallery (twice its pool), of the metrics, and those that are kept for superusers."""


class Run:
    """Everything that one `fleet up` holds."""

    def __init__(self, door: Door, wanted: UpOptions, said: Mapping[str, object]) -> None:
        """Read the settings, those `said` on the command line first; start nothing. Raises InvalidInput."""
        given = paths.given(door.home, **said)
        models.check(given)
        if given.llm_record is not None or given.llm_replay is not None:
            models.connect(given)  # what is wrong with the file would be noticed only when the first text is written
        signing.check(given)
        self._door, self._wanted = door, wanted
        self._home = given.home.absolute()
        self._faults = faults.parse(wanted.faults)
        self._known: dict[str, object] = {
            **said, "home": self._home, "tempo": given.tempo, **_token(given, self._home),
        }  # fmt: skip
        self.settings = self._learn()
        self._screen = TerminalScreen(door)
        self._services = Services(
            self._home, database_url=given.database_url, database_owner_url=given.database_owner_url,
            broker_url=given.broker_url,
            postgres_port=wanted.postgres_port, valkey_port=wanted.valkey_port,
            connections=connections(self.settings.pool_size, wanted.workers), report=self._screen.step,
        )  # fmt: skip
        self._board = Board(self._services, self._screen)
        self._deps: Deps | None = None
        self._seen = Position()
        self._began = False

    def live(self) -> int:
        """Start, show, stop; return the exit code. Raises the FleetError that ended it."""
        failure: FleetError | None = None
        with Interrupts() as interrupts:
            try:
                try:
                    deps = self._start()
                    interrupts.only_ask()
                    self._watch(deps, interrupts)
                except FleetError as error:
                    failure = error
                except KeyboardInterrupt:
                    pass
                interrupts.interrupt()
                self._stop()
            except KeyboardInterrupt:
                self._board.kill()
                self._screen.notice("Everything was ended at once; the next start recovers.", "bold red")
                return INTERRUPTED
            except BaseException:
                self._board.kill()
                raise
        if failure is not None:
            raise failure
        return 0

    def _start(self) -> Deps:
        self._log_to_file()
        for words in env_check.found():
            self._screen.notice(words)
        urls = self._services.start()
        self._began = True
        self._screen.step("Bringing the tables up to date")
        migrate.bring_up_to_date(urls.owner, urls.database)
        keys.make_ring(self.settings)
        self.settings = self._learn(
            database_url=urls.database, broker_url=urls.broker, sandbox=not self.settings.gallery_url
        )
        app.load(self.settings.features)
        deps = self._deps = runtime_deps.build(self.settings)
        self._door.act()
        for check in registry.current().parts("checks_before_serving"):
            check(deps)
        _ = deps.signer  # what cannot be signed would be noticed only when the first picture is posted
        self._people(deps)
        if self.settings.gallery_url:
            _needs_token(deps)
            self._services.record(urls={"gallery": self.settings.gallery_url})
        else:
            self._start_gallery()
        token = self.settings.service_token.get_secret_value()
        paths.store(self._home, HomeSettings(token, self.settings.tempo, self.settings.sandbox))
        self._seen = activity_queries.tail(deps)
        self._board.start_engine(self.settings, self._wanted)
        has_metrics = self._wanted.with_metrics and "metrics" in registry.current().commands
        web = (
            self._board.start_web(self.settings, self._wanted, with_metrics=has_metrics)
            if self._wanted.with_web
            else None
        )
        flower = self._board.start_flower(self.settings, self._wanted) if self._wanted.with_flower else None
        metrics = self._board.start_metrics(self.settings, self._wanted) if has_metrics else None
        self._screen.step("All is running")
        self._show_addresses(deps, web, flower, metrics)
        return deps

    def _learn(self, **more: object) -> Settings:
        """Return the settings with what has become known; they reach every process by its environment."""
        self._known |= more
        return paths.given(None, **self._known)

    def _log_to_file(self) -> None:
        """Keep our own log beside the others', away from the live feed."""
        path = disk.private_folder(self._services.logs_dir) / "fleet.log"
        with disk.explained(path.parent):
            rotate_log(path)
            log = path.open("a", encoding="utf-8")
        logs.configure(self.settings.log_level, json=True)
        for handler in logging.getLogger().handlers:
            if isinstance(handler, logging.StreamHandler):
                handler.setStream(log)

    def _people(self, deps: Deps) -> None:
        """Make and start the agents that are missing; those who are there are left as people left them."""
        restore_check.settle(deps.db)
        staff(deps.db)
        _, there = agent_commands.list_agents(deps, _WHO_ACT, limit=1)
        missing = self._wanted.agents - there
        if missing > 0:
            self._screen.step(f"Making {missing} agents")
            agent_commands.seed(deps, count=missing, seed_no=self._wanted.seed_no, by=self._door.by, start=True)

    def _start_gallery(self) -> None:
        database_url = self._wanted.gallery_database_url or self._services.gallery_database()
        url = self._board.start_gallery(self.settings, self._wanted, database_url=database_url)
        self.settings = self._learn(gallery_url=url)
        if self._faults is not None:
            faults.play(url, self.settings.service_token.get_secret_value(), self._faults)
            self._screen.step(f"The gallery plays faults: {self._wanted.faults}")

    def _show_addresses(self, deps: Deps, web: str | None, flower: tuple[str, str] | None,
                        metrics: str | None) -> None:  # fmt: skip
        seen = fleet_status.read(deps)
        running = sum(number for (_, status), number in seen.agents.items() if status == "running")
        total, (_, act) = sum(seen.agents.values()), agent_commands.list_agents(deps, _WHO_ACT, limit=1)
        rows = [] if web is None else [*self._first_owner(deps, web), ("Dashboard", web)]
        rows.append(("Gallery", logs.mask(self.settings.gallery_url)))
        if flower is not None:
            password = flower[1] if self._screen.is_private else f"in {self._home / PASSWORD_FILE}"
            rows.append(("Flower", f"{flower[0]}  user {FLOWER_USER}, password {password}"))
        if metrics is not None:
            rows.append(("Metrics", metrics))
        rows += [
            ("Tempo", _tempo(self.settings.tempo)),
            ("Words", words(deps.keys.settings)),
            ("Agents", f"{total}, {running} of them running; {total - act} run the fleet itself"),
            ("Logs", str(self._services.logs_dir)),
            ("Look", f"{_ourselves()}{self._home_option()} status, in another terminal"),
            ("Stop", "Ctrl-C; the next start continues the same fleet"),
        ]
        self._screen.box("Fleet", rows)
        for hold in seen.holds:
            self._screen.line(held(hold, clock.now()))

    def _first_owner(self, deps: Deps, web: str) -> list[tuple[str, str]]:
        """Return a link for the first owner while nobody can log in; those of former starts are void.

        Output that is redirected is a log, which others read and keep: there stands the name of a private file.
        """
        key = invite.first_owner_key(deps)
        link = None if key is None else invite.link(self.settings.web_url or web, key)
        kept = self._home / _FIRST_LOGIN
        if link is None or self._screen.is_private:
            disk.remove(kept)
            return [] if link is None else [("Your login", link)]
        disk.write_private(kept, f"{link}\n")
        return [("Your login", f"the link in {kept}, which only you can read")]

    def _home_option(self) -> str:
        return "" if self._home == Settings.model_fields["home"].default.absolute() else f" --home '{self._home}'"

    def _watch(self, deps: Deps, interrupts: Interrupts) -> None:
        """Show what happens and look after the processes, until somebody wants an end."""
        names = AgentNames(deps)
        while not interrupts.asked and not self._screen.gone:
            self._board.look_after()
            with suppress(Unavailable):  # the database is being started again; nothing is missed
                self._tell(deps, names)
            time.sleep(_LOOK_EVERY_S)

    def _tell(self, deps: Deps, names: AgentNames) -> None:
        events = activity_queries.read_after(deps, self._seen, limit=_PAGE)
        names.load(events)
        for event in events:
            if (text := line(event, names, verbose=self._door.verbosity > 0)) is not None:
                self._screen.line(text)
            self._seen = event.position

    def _stop(self) -> None:
        if not self._began:
            return
        self._screen.restart_clock()
        self._board.stop()
        if self._deps is not None:
            self._deps.close()
        self._services.stop()
        self._screen.step("Stopped. `fleet up` continues this fleet.")


def connections(pool_size: int, workers: int) -> int:
    """Return how many connections of the database all processes may hold together."""
    pools = workers + 3  # the dashboard, ourselves, and somebody at another terminal
    return pools * pool_size + _OF_OTHERS


def _token(settings: Settings, home: Path) -> dict[str, str]:
    """Return the service token, as a setting, of this home's own gallery; none where another gallery's is known."""
    if settings.service_token.get_secret_value() or settings.gallery_url:
        return {}
    return {"service_token": paths.service_token(home)}


def _needs_token(deps: Deps) -> None:
    if not deps.keys.settings.service_token.get_secret_value():
        lost = deps.keys.lost.get("service_token")
        raise lost or InvalidInput(
            "FLEET_GALLERY_URL is set without a token.",
            fix="Set FLEET_SERVICE_TOKEN to that gallery's, or `fleet secrets set service_token`.",
        )


def words(settings: Settings) -> str:
    """Say who writes the words."""
    if settings.llm_replay is not None:
        return f"replayed from {settings.llm_replay}; no model is asked"
    asked = [f"{name} {getattr(settings, f'{name}_model')}" for name in models.configured(settings)]
    return ", then ".join([*asked, "the personas' own grammar"]) + (
        f"; recorded to {settings.llm_record}" if settings.llm_record is not None else ""
    )


def _tempo(tempo: float) -> str:
    if tempo == 1:
        return "1: real time; --tempo 20 lives 20 times faster"
    return f"{tempo:g}: the fleet lives {tempo:g} times faster than life; --tempo 1 is real time"


def _ourselves() -> str:
    """Return how this command is called from another terminal: `make run` finds it in .venv, which is not on PATH."""
    called = Path(sys.argv[0])
    if shutil.which("fleet") or called.name != "fleet":
        return "fleet"
    return shlex.quote(os.path.relpath(called) if called.is_relative_to(Path.cwd()) else str(called))
