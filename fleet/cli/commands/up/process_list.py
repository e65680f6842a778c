"""The processes of one `fleet up`: what is started, in which order, and in which it ends.

Called by `up`, in the main thread. Servers below (database, broker) belong to `fleet.sandbox.services`.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx

from fleet.cli.commands import processes
from fleet.cli.commands.processes import Program
from fleet.cli.commands.screen import TerminalScreen
from fleet.core import queue
from fleet.core.errors import FleetError
from fleet.core.settings import Settings
from fleet.sandbox import disk, ports
from fleet.sandbox.processes.runfile import Recorded
from fleet.sandbox.processes.supervisor import Event, GaveUp, Process, Restarted, Supervisor
from fleet.sandbox.services import Services

_HOST = ports.LOOPBACK
_READY_S = 60.0
_PING_S = 1.0
_WORKER_STOP_S = 25.0
_OPTIONAL = frozenset({"flower", "metrics", "web"})
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
    with_web: bool
    with_flower: bool
    with_metrics: bool
    faults: str


class Board:
    """The processes below `up`."""

    def __init__(self, services: Services, screen: TerminalScreen) -> None:
        self._services = services
        self._screen = screen
        self._supervisor = Supervisor(services.logs_dir, report=self._on_event)
        self._given_up: str | None = None
        self._metrics_url: str | None = None

    def start_gallery(self, settings: Settings, wanted: UpOptions, *, database_url: str) -> str:
        """Start the sandbox gallery and return its address once it answers. Raises FleetError."""
        port = ports.choose(
            purpose="the gallery", setting="FLEET_GALLERY_PORT", named=wanted.gallery_port,
            preferred=self._services.last_port("gallery"),
        )  # fmt: skip
        url = f"http://{_HOST}:{port}"
        images = self._services.home / "gallery" / "images"
        program = processes.gallery_program(
            settings, database_url=database_url, images_dir=disk.private_folder(images), host=_HOST, port=port
        )
        self._start("gallery", program)
        self._supervisor.wait_ready("gallery", lambda: _answers(f"{url}/health"), _READY_S)
        self._services.record(urls={"gallery": url}, ports={"gallery": port})
        return url

    def start_engine(self, settings: Settings, wanted: UpOptions) -> None:
        """Start beat and the workers, and return when all of them answer. Raises Unavailable when one does not."""
        self._start("beat", processes.beat_program(settings))
        names = [f"worker{number}" for number in range(1, wanted.workers + 1)]
        for name in names:
            program = processes.worker_program(settings, name=name, concurrency=wanted.concurrency)
            self._start(name, program, stop_timeout_s=_WORKER_STOP_S)
        app = queue.make_app(settings.broker_url)
        for name in names:
            self._supervisor.wait_ready(name, partial(_takes_messages, app, name), _READY_S)

    def start_web(self, settings: Settings, wanted: UpOptions, *, with_metrics: bool) -> str:
        """Start the dashboard, which also serves the metrics, and return its address. Raises FleetError."""
        port = ports.choose(
            purpose="the dashboard", setting="FLEET_WEB_PORT", named=wanted.web_port,
            preferred=self._services.last_port("web"),
        )  # fmt: skip
        metrics_port = self._metrics_port(wanted) if with_metrics else None
        self._start("web", processes.web_program(settings, host=_HOST, port=port, metrics_port=metrics_port))
        url = f"http://{_HOST}:{port}"
        self._supervisor.wait_ready("web", lambda: _answers(f"{url}/health"), _READY_S)
        self._services.record(urls={"web": url}, ports={"web": port})
        if metrics_port is not None:
            self._note_metrics(metrics_port)
        return url

    def start_flower(self, settings: Settings, wanted: UpOptions) -> tuple[str, str]:
        """Start Flower; return its address and the password of its user."""
        port = ports.choose(
            purpose="Flower", setting="FLEET_FLOWER_PORT", named=wanted.flower_port,
            preferred=self._services.last_port("flower"),
        )  # fmt: skip
        password = disk.kept_password(self._services.home / processes.PASSWORD_FILE)
        self._start("flower", processes.flower_program(settings, address=_HOST, port=port, password=password))
        url = f"http://{_HOST}:{port}"
        self._services.record(urls={"flower": url}, ports={"flower": port})
        return url, password

    def start_metrics(self, settings: Settings, wanted: UpOptions) -> str:
        """Return the address of the fleet's numbers; without a dashboard start a process that serves them."""
        if self._metrics_url is None:
            port = self._metrics_port(wanted)
            self._start("metrics", processes.metrics_program(settings, host=_HOST, port=port))
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
        running = list(self._supervisor.running())
        workers = [name for name in running if name.startswith("worker")]
        for name in ("beat", *workers, "web", "flower", "metrics", "gallery"):
            if name in running:
                self._supervisor.stop(name)
        self._supervisor.stop_all()

    def kill(self) -> None:
        """End everything at once."""
        self._supervisor.kill_all()

    def _start(self, name: str, program: Program, *, stop_timeout_s: float = 10.0) -> None:
        self._screen.step(f"Starting {name}")
        # They run in the home: nothing that lies in the folder where we were called can be imported by mistake.
        self._supervisor.add(
            Process(name, program.argv, env=program.env, cwd=self._services.home, stop_timeout_s=stop_timeout_s)
        )
        self._supervisor.start(name)
        self._note()

    def _note(self) -> None:
        running = self._supervisor.running()
        self._services.record(processes={name: Recorded(ref) for name, ref in running.items()})

    def _on_event(self, event: Event) -> None:
        self._screen.process(event)
        if isinstance(event, GaveUp) and event.name not in _OPTIONAL:
            self._given_up = event.name


def _takes_messages(app: Any, name: str) -> bool:
    return bool(queue.workers(app, timeout_s=_PING_S, names=[f"{name}@{socket.gethostname()}"]))


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2.0, trust_env=False).is_success
    except httpx.TransportError:
        return False
