"""The processes of one `fleet up`: what is started, in which order, and in which it ends.

Called by `up`, in the main thread. Servers below (database, broker) belong to `fleet.sandbox.services`.
"""

from __future__ import annotations

import os
import secrets
import socket
from dataclasses import dataclass
from functools import partial
from http.client import HTTPException
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

from fleet.cli.commands.processes import PASSWORD_FILE, Program
from fleet.cli.commands.screen import TerminalScreen
from fleet.cli.commands.up.answers import Known
from fleet.core.errors import FleetError
from fleet.sandbox import disk, ports
from fleet.sandbox.processes.forked_calls import Call
from fleet.sandbox.processes.forks import ForkServer
from fleet.sandbox.processes.runfile import Recorded
from fleet.sandbox.processes.supervisor import Event, GaveUp, Process, Restarted, Supervisor
from fleet.sandbox.services import Services

_HOST = ports.LOOPBACK
_READY_S = 60.0
_PING_S = 1.0
_STOP_S, _WORKER_STOP_S = 10.0, 25.0
_OPTIONAL = frozenset({"feed", "flower", "metrics", "shop", "web"})
"""Without these a fleet still lives."""


@dataclass(frozen=True, slots=True)
class UpOptions:
    """What a person asked `up` for. Ports None: any free one, that of last time first."""

    agents: int
    workers: int
    concurrency: int
    seed_no: int
    gallery_port: int | None
    web_port: int | None
    flower_port: int | None
    postgres_port: int | None
    valkey_port: int | None
    gallery_database_url: str
    metrics_port: int | None
    shop_port: int | None
    with_shop: bool
    with_web: bool
    with_flower: bool
    with_metrics: bool
    faults: str


class Board:
    """The processes below `up`. Their programs are made of what is `known` of the settings."""

    def __init__(self, services: Services, screen: TerminalScreen, call: Call) -> None:
        self._services = services
        self._screen = screen
        self._call = call
        self._supervisor = Supervisor(services.logs_dir, report=self._on_event)
        self._given_up: str | None = None
        self._metrics_url: str | None = None
        self._forks: ForkServer | None = None

    def preload(self, known: Known) -> None:
        """Begin to load what several processes need; those that are started from now on share the memory of it."""
        program: Program = self._call("fleet.cli.commands.up.preparation:program", known, "preload", {})
        self._forks = ForkServer(
            program.argv[0], log_path=self._services.logs_dir / "preload.log", cwd=self._services.home,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **program.env},
        )  # fmt: skip

    def end_preload(self) -> None:
        """End what `preload` began: all have started."""
        if self._forks is not None:
            self._forks.close()
            self._forks = None

    def start_gallery(self, known: Known, wanted: UpOptions, *, database_url: str) -> str:
        """Start the sandbox gallery and return its address once it answers. Raises FleetError."""
        port = ports.choose(
            purpose="the gallery", setting="FLEET_GALLERY_PORT", named=wanted.gallery_port,
            preferred=self._services.last_port("gallery"),
        )  # fmt: skip
        url = f"http://{_HOST}:{port}"
        images = self._services.home / "gallery" / "images"
        self._start(
            "gallery", known, database_url=database_url, images_dir=disk.private_folder(images), host=_HOST, port=port
        )
        self._supervisor.wait_ready("gallery", lambda: _answers(f"{url}/health"), _READY_S)
        self._services.record(urls={"gallery": url}, ports={"gallery": port})
        return url

    def start_shop(self, known: Known, wanted: UpOptions, *, database_url: str, token: str) -> str:
        """Start the sandbox shop and return its address once it answers. Raises FleetError."""
        port = ports.choose(
            purpose="the shop", setting="FLEET_SHOP_PORT", named=wanted.shop_port,
            preferred=self._services.last_port("shop"),
        )  # fmt: skip
        url = f"http://{_HOST}:{port}"
        self._start("shop", known, database_url=database_url, token=token, host=_HOST, port=port)
        self._supervisor.wait_ready("shop", lambda: _answers(f"{url}/health"), _READY_S)
        self._services.record(urls={"shop": url}, ports={"shop": port})
        return url

    def start_engine(self, known: Known, wanted: UpOptions, *, broker_url: str) -> None:
        """Start beat and the workers, and return when all of them answer. Raises Unavailable when one does not."""
        self._start("beat", known)
        names = [f"worker{number}" for number in range(1, wanted.workers + 1)]
        for name in names:
            self._start("worker", known, name=name, concurrency=wanted.concurrency)
        for name in names:
            self._supervisor.wait_ready(name, partial(self._takes_messages, broker_url, name), _READY_S)

    def start_web(self, known: Known, wanted: UpOptions, *, feed: Path, with_metrics: bool) -> str:
        """Start the dashboard and return its address once it answers; the feed and the metrics come from its process.

        Raises FleetError.
        """
        port = ports.choose(
            purpose="the dashboard", setting="FLEET_WEB_PORT", named=wanted.web_port,
            preferred=self._services.last_port("web"),
        )  # fmt: skip
        metrics_port = self._metrics_port(wanted) if with_metrics else None
        token = f"flt_{secrets.token_urlsafe(32)}"
        self._start("web", known, host=_HOST, port=port, local_token=token, metrics_port=metrics_port, feed=feed)
        url = f"http://{_HOST}:{port}"
        self._supervisor.wait_ready("web", lambda: _answers(f"{url}/health"), _READY_S)
        self._services.record(urls={"web": url}, ports={"web": port}, token=token)
        if metrics_port is not None:
            self._note_metrics(metrics_port)
        return url

    def start_feed(self, known: Known, feed: Path) -> None:
        """Start what writes the feed to a file, where no dashboard does."""
        self._start("feed", known, feed=feed)

    def start_flower(self, known: Known, wanted: UpOptions) -> tuple[str, str]:
        """Start Flower; return its address and the password of its user."""
        port = ports.choose(
            purpose="Flower", setting="FLEET_FLOWER_PORT", named=wanted.flower_port,
            preferred=self._services.last_port("flower"),
        )  # fmt: skip
        password = disk.stored_password(self._services.home / PASSWORD_FILE)
        self._start("flower", known, address=_HOST, port=port, password=password)
        url = f"http://{_HOST}:{port}"
        self._services.record(urls={"flower": url}, ports={"flower": port})
        return url, password

    def start_metrics(self, known: Known, wanted: UpOptions) -> str:
        """Return the address of the fleet's numbers; without a dashboard start a process that serves them."""
        if self._metrics_url is None:
            port = self._metrics_port(wanted)
            self._start("metrics", known, host=_HOST, port=port)
            self._note_metrics(port)
        assert self._metrics_url is not None
        return self._metrics_url

    def _metrics_port(self, wanted: UpOptions) -> int:
        return ports.choose(
            purpose="the metrics", setting="FLEET_METRICS_PORT", named=wanted.metrics_port,
            preferred=self._services.last_port("metrics"),
        )  # fmt: skip

    def _note_metrics(self, port: int) -> None:
        self._metrics_url = f"http://{_HOST}:{port}/metrics"
        self._services.record(urls={"metrics": self._metrics_url}, ports={"metrics": port})

    def look_after(self) -> None:
        """Start again what died, servers included. Raises FleetError when that is no use any more."""
        for event in self._services.poll():
            self._screen.process(event)
        if any(isinstance(event, Restarted) for event in self._supervisor.poll()):
            self._note()
        if self._given_up is not None:
            raise FleetError(f"{self._given_up} cannot be kept running.", fix="Its last lines stand above.")

    def stop(self) -> None:
        """End everything in the order in which nothing is missed: first what makes work, last what is worked on.

        Raises KeyboardInterrupt when the person insists.
        """
        self.end_preload()
        running = list(self._supervisor.running())
        workers = [name for name in running if name.startswith("worker")]
        for name in ("beat", *workers, "web", "feed", "flower", "metrics", "gallery", "shop"):
            if name in running:
                self._supervisor.stop(name)
        self._supervisor.stop_all()

    def kill(self) -> None:
        """End everything at once."""
        self.end_preload()
        self._supervisor.kill_all()

    def _start(self, which: str, known: Known, **options: object) -> None:
        name = str(options.get("name", which))
        self._screen.step(f"Starting {name}")
        program: Program = self._call("fleet.cli.commands.up.preparation:program", known, which, options)
        stop_timeout_s = _WORKER_STOP_S if which == "worker" else _STOP_S
        # They run in the home: nothing that lies in the folder where we were called can be imported by mistake.
        self._supervisor.add(
            Process(name, program.argv, env=program.env, cwd=self._services.home, stop_timeout_s=stop_timeout_s)
        )
        self._supervisor.start(name, forks=self._forks)
        self._note()

    def _takes_messages(self, broker_url: str, name: str) -> bool:
        node = f"{name}@{socket.gethostname()}"
        return bool(self._call("fleet.cli.commands.up.preparation:takes_messages", broker_url, node, _PING_S))

    def _note(self) -> None:
        running = self._supervisor.running()
        self._services.record(processes={name: Recorded(ref) for name, ref in running.items()})

    def _on_event(self, event: Event) -> None:
        self._screen.process(event)
        if isinstance(event, GaveUp) and event.name not in _OPTIONAL:
            self._given_up = event.name


def _answers(url: str) -> bool:
    try:
        with build_opener(ProxyHandler({})).open(url, timeout=2.0):  # anything but a 2xx is an error
            return True
    except (OSError, HTTPException):
        return False
