"""One run of `fleet up`, from the first line to the last: start everything, show what happens, stop in order.

A second run of the same home goes on where the first one stopped, or was killed. One thread does it all, since the
kernel ties a child's life to the thread that started it. What needs the database, Celery or pydantic is in
`preparation`, and runs in a helper: this process stays as small as it is.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from fleet.cli.commands.processes import FLOWER_USER, PASSWORD_FILE
from fleet.cli.commands.screen import TerminalScreen
from fleet.cli.commands.up import faults
from fleet.cli.commands.up.answers import UpSettings, UpSummary
from fleet.cli.commands.up.feed import FeedReader
from fleet.cli.commands.up.process_list import Board, UpOptions
from fleet.cli.frame.context import Door
from fleet.cli.frame.failures import INTERRUPTED
from fleet.cli.frame.interrupts import Interrupts
from fleet.core import clock, logs, masking
from fleet.core.errors import FleetError
from fleet.sandbox import disk
from fleet.sandbox.processes.child import rotate_log
from fleet.sandbox.processes.forked_calls import Helper
from fleet.sandbox.services import Services

_LOOK_EVERY_S = 0.4
_FIRST_POSTS_EVERY_S, _FIRST_POSTS_FOR_S = 2.0, 180.0
_FIRST_LOGIN = "first-login"
_FEED = "feed.jsonl"
_OF_OTHERS = 50
"""Connections of the gallery (twice its pool), of the metrics, and those that are kept for superusers."""
_OF_SHOP = 20
"""Connections of the sandbox shop (twice its pool)."""


class Run:
    """Everything that one `fleet up` holds."""

    def __init__(self, door: Door, wanted: UpOptions, said: Mapping[str, object]) -> None:
        """Read the settings, those `said` on the command line first; start nothing. Raises InvalidInput."""
        self._door, self._wanted = door, wanted
        self._helper = Helper()
        self._faults = faults.parse(wanted.faults)
        try:
            self.given: UpSettings = self._ask("read", door.home, dict(said))
        except BaseException:
            self._helper.close()
            raise
        masking.conceal(self.given.service_token)
        self._home = self.given.home
        self._known: dict[str, object] = {**said, "home": self._home, "tempo": self.given.tempo}
        if self.given.service_token:
            self._known["service_token"] = self.given.service_token
        self._screen = TerminalScreen(door)
        self._services = Services(
            self._home, database_url=self.given.database_url, database_owner_url=self.given.database_owner_url,
            broker_url=self.given.broker_url,
            postgres_port=wanted.postgres_port, valkey_port=wanted.valkey_port,
            connections=connections(self.given.pool_size, wanted.workers) + (_OF_SHOP if wanted.with_shop else 0),
            report=self._screen.step,
            call=self._helper.call,
        )  # fmt: skip
        self._board = Board(self._services, self._screen, self._helper.call)
        self._feed: FeedReader | None = None
        self._shop_url = ""
        self._without_post: list[str] = []
        self._asked_at_s = self._ask_until_s = 0.0
        self._began = False

    def live(self) -> int:
        """Start, show, stop; return the exit code. Raises the FleetError that ended it."""
        failure: FleetError | None = None
        with Interrupts() as interrupts:
            try:
                try:
                    self._start()
                    interrupts.only_ask()
                    self._watch(interrupts)
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
            finally:
                self._helper.close()
        if failure is not None:
            raise failure
        return 0

    def _ask(self, step: str, *args: object, **options: object) -> Any:
        """Return what a step of `preparation` returns."""
        return self._helper.call(f"fleet.cli.commands.up.preparation:{step}", *args, **options)

    def _start(self) -> None:
        self._log_to_file()
        for words in self._ask("notices"):
            self._screen.notice(words)
        urls = self._services.start()
        self._began = True
        self._screen.step("Bringing the tables up to date")
        served = {"database_url": urls.database, "broker_url": urls.broker, "sandbox": not self.given.gallery_url}
        self._board.preload(self._known | served)
        self._ask("bring_up_to_date", self._known, urls.owner, urls.database)
        self._known |= served
        by = self._door.by
        missing = self._ask("missing_agents", self._known, by, self._wanted.agents)
        if missing:
            self._screen.step(f"Making {missing} agents")
            made = self._ask("make_agents", self._known, by, missing, self._wanted.seed_no)
            self._without_post = [] if self.given.gallery_url else made
            self._ask_until_s = clock.monotonic_s() + _FIRST_POSTS_FOR_S
        if self.given.gallery_url:
            self._ask("require_token", self._known, by)
            self._services.record(urls={"gallery": self.given.gallery_url})
        else:
            self._start_gallery()
        if self._wanted.with_shop:
            self._start_shop(by)
        self._feed = FeedReader(self._home / _FEED, position=self._ask("begin", self._known, by))
        self._board.start_engine(self._known, self._wanted, broker_url=urls.broker)
        self._start_pages(by)

    def _start_gallery(self) -> None:
        database_url = self._wanted.gallery_database_url or self._services.gallery_database()
        url = self._board.start_gallery(self._known, self._wanted, database_url=database_url)
        self._known["gallery_url"] = url
        if self._faults is not None:
            faults.play(url, self.given.service_token, self._faults)
            self._screen.step(f"The gallery plays faults: {self._wanted.faults}")

    def _start_shop(self, by: str) -> None:
        database_url, token = self._services.shop_database(), self._ask_of_shop("token", self._home)
        url = self._board.start_shop(self._known, self._wanted, database_url=database_url, token=token)
        self._ask_of_shop("open_account", self._known, by, url)
        self._shop_url = url

    def _ask_of_shop(self, step: str, *args: object) -> Any:
        """Return what a step of `shop` returns."""
        return self._helper.call(f"fleet.cli.commands.up.shop:{step}", *args)

    def _start_pages(self, by: str) -> None:
        """Start what people look at, and show where."""
        feed = self._home / _FEED
        has_metrics = self._wanted.with_metrics and self._ask("has_metrics")
        web = flower = metrics = None
        if self._wanted.with_web:
            web = self._board.start_web(self._known, self._wanted, feed=feed, with_metrics=has_metrics)
            if self._shop_url:
                self._ask_of_shop("subscribe", self._known, by, self._shop_url, web)
        else:
            self._board.start_feed(self._known, feed)
        if self._wanted.with_flower:
            flower = self._board.start_flower(self._known, self._wanted)
        if has_metrics:
            metrics = self._board.start_metrics(self._known, self._wanted)
        self._board.end_preload()
        self._screen.step("All is running")
        self._show_addresses(self._ask("summary", self._known, by, web), web, flower, metrics)

    def _log_to_file(self) -> None:
        """Keep our own log beside the others', away from the live feed."""
        path = disk.private_folder(self._services.logs_dir) / "fleet.log"
        with disk.explained(path.parent):
            rotate_log(path)
            log = path.open("a", encoding="utf-8")
        logs.configure(self.given.log_level, json=True, stream=log)
        self._ask("log_to", path, self.given.log_level)

    def _show_addresses(self, seen: UpSummary, web: str | None, flower: tuple[str, str] | None,
                        metrics: str | None) -> None:  # fmt: skip
        rows = [] if web is None else [*self._first_owner(seen.login), ("Dashboard", web)]
        rows.append(("Gallery", logs.mask(str(self._known.get("gallery_url") or self.given.gallery_url))))
        if self._shop_url:
            rows.append(("Shop", f"{self._shop_url}, invented; its account is sandbox_shop"))
        if flower is not None:
            password = flower[1] if self._screen.is_private else f"in {self._home / PASSWORD_FILE}"
            rows.append(("Flower", f"{flower[0]}  user {FLOWER_USER}, password {password}"))
        if metrics is not None:
            rows.append(("Metrics", metrics))
        fleet_itself = seen.agents - seen.acting
        rows += [
            ("Tempo", _tempo(self.given.tempo)),
            ("Words", seen.words),
            (
                "Agents",
                f"{seen.agents}, {seen.running} of them running; {fleet_itself} run the fleet itself",
            ),
            ("Logs", str(self._services.logs_dir)),
            ("Look", f"{_ourselves()}{self._home_option()} status, in another terminal"),
            ("Stop", "Ctrl-C; the next start continues the same fleet"),
        ]
        self._screen.box("Fleet", rows)
        for hold in seen.holds:
            self._screen.line(hold)

    def _first_owner(self, link: str | None) -> list[tuple[str, str]]:
        """Return a link for the first owner while nobody can log in.

        Output that is redirected is a log, which others read and keep: there stands the name of a private file.
        """
        kept = self._home / _FIRST_LOGIN
        if link is None or self._screen.is_private:
            disk.remove(kept)
            return [] if link is None else [("Your login", link)]
        disk.write_private(kept, f"{link}\n")
        return [("Your login", f"the link in {kept}, which only you can read")]

    def _home_option(self) -> str:
        return "" if self.given.is_usual_home else f" --home '{self._home}'"

    def _watch(self, interrupts: Interrupts) -> None:
        """Show what happens and look after the processes, until somebody wants an end."""
        assert self._feed is not None  # it has started
        while not interrupts.asked and not self._screen.gone:
            self._board.look_after()
            self._ask_for_first_posts()
            if not self._without_post:
                self._helper.close()  # also one through which a server that was started again was asked
            for line in self._feed.new(verbose=self._door.verbosity > 0):
                self._screen.line(line)
            time.sleep(_LOOK_EVERY_S)

    def _ask_for_first_posts(self) -> None:
        if not self._without_post or clock.monotonic_s() < self._asked_at_s + _FIRST_POSTS_EVERY_S:
            return
        with suppress(FleetError):  # the database is started again, or the helper was killed: ask again later
            self._without_post = self._ask("ask_for_first_posts", self._known, self._door.by, self._without_post)
        self._asked_at_s = clock.monotonic_s()
        if self._asked_at_s > self._ask_until_s:  # they get no account now: the fleet is paused, say
            self._without_post = []

    def _stop(self) -> None:
        self._helper.close()
        if not self._began:
            return
        self._screen.restart_clock()
        self._board.stop()
        self._services.stop()
        self._screen.step("Stopped. `fleet up` continues this fleet.")


def connections(pool_size: int, workers: int) -> int:
    """Return how many connections of the database all processes may hold together."""
    pools = workers + 3  # the dashboard, our helper, and somebody at another terminal
    return pools * pool_size + _OF_OTHERS


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
