"""The world for faults: servers, a surface, a dashboard, two beats, workers of all sorts, agents.

Made by `run`, changed by `acts`. Dead processes are restarted here during waits (`wait`, `wait_until`): all in the main
thread, to which the kernel ties the life of children.
"""

from __future__ import annotations

import functools
import os
import random
import signal
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from pydantic import SecretStr

from fleet import app
from fleet.chaos.world import programs
from fleet.chaos.world.broker import BrokerControl
from fleet.chaos.world.outsiders import Outsiders
from fleet.chaos.world.proxy import CommitProxy
from fleet.chaos.world.servers import Servers
from fleet.chaos.world.surface import ChaosSurface
from fleet.core import clock, db, logs, queue
from fleet.core.errors import FleetError, Unavailable
from fleet.core.settings import CapSetting, Settings, mapping_as_json
from fleet.engine import deps as runtime_deps
from fleet.engine import registry, system_agents
from fleet.engine.agents.models import AgentRow
from fleet.engine.deps import Deps
from fleet.sandbox import disk, ports
from fleet.sandbox.processes import proc
from fleet.sandbox.processes.supervisor import Supervisor
from fleet.sandbox.servers import postgres

LEASE_S, SETTLE_S, REPUBLISH_S = 8.0, 3.0, 3.0
BY = "the fault harness"
_LOOK_EVERY_S = 0.05
_TEMPO = 1000
_NO_CAPS = dict.fromkeys(("post", "comment", "like", "repost", "follow"), CapSetting(gap_s=0, per_day=1_000_000))
_READY_S = 120.0
_SUPERVISED = 5  # one in so many agents is supervised
_RULES = """# Posts and comments wait for a person; all else that is proposed is approved at once.
[[rule]]
name = "the fault harness"
resource = "draft"
action = "publish"
approvers = ["role:reviewer"]
auto_approve = [{ field = "kind", op = "in", value = ["reaction", "connection"] }]
"""

_Part = TypeVar("_Part")
log = logs.get(__name__)


class World:
    """Everything of one run. Start and use it in the main thread; `kill` ends it in any case."""

    by = BY
    tempo = _TEMPO

    def __init__(self, home: Path, *, seed: int, agents: int, surface: ChaosSurface, plain_workers: int = 2) -> None:
        self.home = disk.private_folder(home.absolute())
        self.logs_dir = disk.private_folder(self.home / "logs")
        self.seed = seed
        self._agents = agents
        self.surface = surface
        self.dice = random.Random(f"{seed} restarts")
        self.crew = programs.crew(plain_workers, seed)
        self.beats = ("beat1", "beat2")
        self.servers = Servers(self.home, self.logs_dir, self.dice)
        self.supervisor = Supervisor(self.logs_dir)
        self.pace_s = 3.0
        """The longest gap between two ticks of an agent in its best hours; none is below five seconds."""
        self.ledger_url = self.owner_url = self.web_url = ""
        self._of_surface: Mapping[str, Any] = {}
        self.outsiders = Outsiders(seed=seed)
        self._deps: Deps | None = None
        self._broker: BrokerControl | None = None
        self._proxy: CommitProxy | None = None

    # Its life

    def start(self, tell: Callable[[str], None]) -> None:
        """Start everything and let the agents go. Raises FleetError when something does not come up."""
        tell("starting Postgres and Valkey")
        self.servers.start()
        ledger = self.servers.postgres.ensure_ledger()
        self.ledger_url, self.owner_url = ledger.app, ledger.owner
        self.migrate()
        for folder in ("threads", "forked"):
            (self.home / "points" / folder).mkdir(parents=True, exist_ok=True)
        self._of_surface = self.surface.open(self)
        web_port = ports.choose(purpose="the dashboard", setting="FLEET_WEB_PORT")
        self.web_url = f"http://{ports.LOOPBACK}:{web_port}"
        self._proxy = CommitProxy(ports.LOOPBACK, self.servers.postgres.port)
        self._proxy.start()
        self._broker = BrokerControl(self.servers.valkey.url())
        app.load()
        self._deps = runtime_deps.build(self._settings())
        self._start_processes(web_port, tell)
        tell(f"making {self._agents} agents")
        self._people()
        self.outsiders.start(self.deps, self.web_url, by=BY)

    def migrate(self) -> None:
        """Bring the ledger's tables up to date, as their owner."""
        db.migrate(self.owner_url, app_role=postgres.APP)

    def _start_processes(self, web_port: int, tell: Callable[[str], None]) -> None:
        parts = f"{self.surface.words.parts}, the dashboard, {len(self.beats)} beats and {len(self.crew)} workers"
        tell(f"starting {parts}")
        env, dice = self._environment(), self.dice
        self.surface.start(self, env)
        add = self.supervisor.add
        add(programs.web(env, self.home, dice, port=web_port))
        for what in self.crew:
            own = {"FLEET_DATABASE_URL": self._proxied_url()} if what.proxied else {}
            add(programs.worker(what, {**env, **own}, self.home, dice))
        for name in self.beats:
            add(programs.beat(name, env, self.home, dice))
        for name in self._processes:
            self.supervisor.start(name)
        self.supervisor.wait_ready("web", lambda: programs.answers(self.web_url), _READY_S)
        app = queue.make_app(self.servers.valkey.url())
        names = [f"{name}@{socket.gethostname()}" for name in self.workers]
        if not self.wait_until(lambda: len(queue.workers(app, timeout_s=1, names=names)) == len(names), _READY_S):
            raise Unavailable("The workers did not come up.", fix=f"Their logs are in {self.logs_dir}.")

    def _settings(self) -> Settings:
        """Return the settings of every process: short leases, so that a lost one costs seconds; caps wide open."""
        return registry.load_settings(
            _env_file=None, database_url=self.ledger_url, broker_url=self.servers.valkey.url(), home=self.home,
            tempo=_TEMPO, http_timeout_s=10,
            lease_s=LEASE_S, settle_s=SETTLE_S, republish_s=REPUBLISH_S, caps=_NO_CAPS, ai_comment_lead=1_000_000,
            surface_writes_per_minute=0, pool_size=5, log_json=True, approval_rules=self._rules,
            hooks_allow=(self.outsiders.receiver.place,), **self._of_surface,
        )  # fmt: skip

    @functools.cached_property
    def _rules(self) -> Path:
        path = self.home / "approvals.toml"
        path.write_text(_RULES)
        return path

    def _environment(self) -> dict[str, str]:
        settings = self._settings()
        found = {}
        for name in settings.model_fields_set:
            value = getattr(settings, name)
            plain = ",".join(value) if isinstance(value, tuple) else str(value)
            plain = mapping_as_json(value) if name == "caps" else plain
            found[f"FLEET_{name.upper()}"] = value.get_secret_value() if isinstance(value, SecretStr) else plain
        return {**found, "PYTHONPATH": programs.python_path()}

    def _proxied_url(self) -> str:
        return sa.make_url(self.ledger_url).set(port=self.proxy.port).render_as_string(hide_password=False)

    def _people(self) -> None:
        """Create the agents, as busy as possible: five seconds between two ticks is the minimum.

        Some are supervised, so that faults also hit scans, the model's responses and the effects of approvals.
        """
        self.surface.populate(self, self._agents)
        with self.deps.db.transaction() as tx:
            names = list(tx.session.scalars(sa.select(AgentRow.username).order_by(AgentRow.username)))
            some = AgentRow.username.in_(names[::_SUPERVISED])
            tx.execute(sa.update(AgentRow).where(some).values(autonomy="supervised", config={"heeds_agents": True}))
        system_agents.staff(self.deps.db)
        self._set_pace()

    def _set_pace(self) -> None:
        self.surface.set_pace(self, self.pace_s)

    def slow_down(self) -> None:
        """Let agents wake more seldom: this machine cannot keep up, and a fleet that starves proves nothing."""
        self.pace_s *= 1.6
        with suppress(Unavailable):
            self._set_pace()
        log.info("agents_slowed_down", pace_s=round(self.pace_s, 1))

    def stop(self) -> None:
        """End everything in order."""
        for name in reversed(self._processes):
            self.supervisor.stop(name)
        self.supervisor.stop_all()
        self._close()
        self.servers.stop()

    def kill(self) -> None:
        """End everything at once."""
        self.supervisor.kill_all()
        self._close()
        self.servers.valkey.kill()
        self.servers.postgres.kill()

    def _close(self) -> None:
        for held in (self.outsiders, self.surface, self._deps, self._broker, self._proxy):
            if held is not None:
                held.close()
        self._deps = self._broker = self._proxy = None

    # Time

    def look_after(self) -> None:
        """Restart dead processes whose restart is due."""
        for name in self.servers.look_after():
            log.info("server_started_again", server=name)
        self.supervisor.poll()

    def wait(self, for_s: float) -> None:
        """Let time pass."""
        self.wait_until(lambda: False, for_s)

    def wait_until(self, true: Callable[[], object], timeout_s: float) -> bool:
        """Let time pass until something is so; False when the time is up first."""
        deadline = clock.monotonic_s() + timeout_s
        while not true():
            if clock.monotonic_s() >= deadline:
                return False
            self.look_after()
            time.sleep(_LOOK_EVERY_S)
        return True

    # Its parts

    @property
    def deps(self) -> Deps:
        """The loop's connections in this process, for commands of people."""
        return _there(self._deps)

    @property
    def broker(self) -> BrokerControl:
        return _there(self._broker)

    @property
    def proxy(self) -> CommitProxy:
        return _there(self._proxy)

    @property
    def workers(self) -> list[str]:
        return [what.name for what in self.crew]

    @property
    def _processes(self) -> list[str]:
        """In the order in which they are started."""
        return [*self.surface.processes, "web", *self.workers, *self.beats]

    def pid(self, name: str) -> int | None:
        """Return the number of a process; None while it does not run."""
        ref = self.supervisor.running().get(name)
        return ref.pid if ref else None

    def signal(self, pid: int | None, how: signal.Signals) -> bool:
        """Send a signal to one process; False when it is gone."""
        if pid is None:
            return False
        with suppress(ProcessLookupError):
            os.kill(pid, how)
            return True
        return False

    def resume_all(self) -> None:
        """Let every process go on that may have been suspended, pool children and the broker too."""
        for leader in self.supervisor.running().values():
            for member in proc.session_members(leader.pid):
                self.signal(member.pid, signal.SIGCONT)
        if self.servers.valkey.is_running():
            self.servers.pause_valkey(resume=True)

    def all_run(self) -> bool:
        """Return whether every process runs."""
        running = self.supervisor.running()
        return self.servers.all_run() and all(name in running for name in self._processes)

    def points(self, folder: str) -> Path:
        """Return a folder in which strikes are laid."""
        return self.home / "points" / folder

    def choose(self, names: Sequence[str], pick: float) -> str:
        """Return one of several, selected by a number between 0 and 1."""
        return names[min(int(pick * len(names)), len(names) - 1)]


def _there(part: _Part | None) -> _Part:
    if part is None:
        raise FleetError("This world has not been started.")
    return part
