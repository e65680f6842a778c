"""The processes of a fleet: how each is called, and the thin commands that become one of them.

`up` runs the same ones below itself; `docker-compose.yml` and systemd run the commands. A process gets the resolved
settings as FLEET_* variables, so that it sees what we saw, wherever it runs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

import fleet
from fleet.cli.frame.command import FleetCommand
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import PathType
from fleet.core.errors import InvalidInput

if TYPE_CHECKING:
    from fleet.core.settings import Settings

_CELERY = (sys.executable, "-m", "workers.command", "-A")
_HEARTBEAT_S = "10"
"""By itself a worker tells Flower every 2 s that it lives. Flower waits for two of the interval that it is told."""
FLOWER_USER = "fleet"
PASSWORD_FILE = "flower.password"  # noqa: S105 - the name of a file
_MALLOC = {"MALLOC_ARENA_MAX": "2", "MALLOC_TRIM_THRESHOLD_": "131072", "MALLOC_MMAP_THRESHOLD_": "131072"}
"""For glibc, which by itself keeps what a picture took: threads that draw had the gallery hold 250 MB of 80."""
_KEPT_BACK = ("FLEET_DATABASE_OWNER_URL", "FLEET_DATABASE_ADMIN_URL")
"""Addresses that no long-lived process gets, even where our environment or .env holds them."""


@dataclass(frozen=True, slots=True)
class Program:
    """What to run, and what to add to the environment (it holds passwords)."""

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)


def environment(settings: Settings) -> dict[str, str]:
    """Return the settings that were given as FLEET_* variables, and where our packages are.

    What was set to nothing is passed on as that: an empty key keeps a model out that the vendor's own variable names.
    """
    found = {
        f"FLEET_{name.upper()}": written
        for name in sorted(settings.model_fields_set)
        if (written := _written(getattr(settings, name))) is not None
    }
    found |= dict.fromkeys(_KEPT_BACK, "")
    found |= {name: value for name, value in _MALLOC.items() if name not in os.environ}
    root = Path(fleet.__file__).resolve().parents[1]
    # An installed Fleet is found by itself; a folder of packages put first would hide the standard library's names.
    if root.name not in ("site-packages", "dist-packages"):
        found["PYTHONPATH"] = os.pathsep.join(filter(None, (str(root), os.environ.get("PYTHONPATH", ""))))
    return found


def _written(value: object) -> str | None:
    from pydantic import SecretStr

    from fleet.core.settings import mapping_as_json

    match value:
        case None:
            return None
        case SecretStr():
            return value.get_secret_value()
        case bool():
            return "true" if value else "false"
        case Path():
            return str(value.absolute())
        case tuple():
            return ",".join(part for one in value if (part := _written(one)) is not None)
        case dict():
            return mapping_as_json(value)
    return str(value)


def worker_program(settings: Settings, *, name: str, concurrency: int) -> Program:
    """Return a worker of `concurrency` threads. They share one pool of connections, and hold none while they wait."""
    from fleet.core.queue import QUEUES

    argv = (
        *_CELERY, "workers.app", "worker", "--pool", "threads", "--concurrency", str(concurrency),
        "--queues", ",".join(QUEUES), "--hostname", f"{name}@%h", "--without-gossip", "--without-mingle",
        "--heartbeat-interval", _HEARTBEAT_S, "--loglevel", settings.log_level.upper(),
    )  # fmt: skip
    return Program(argv, environment(settings))


def beat_program(settings: Settings) -> Program:
    """Return the metronome. Two of them do no harm."""
    return Program((*_CELERY, "workers.light", "beat", "--loglevel", settings.log_level.upper()), environment(settings))


def flower_program(settings: Settings, *, address: str, port: int, password: str) -> Program:
    """Return Flower, read-only and behind a password, which stands in the environment and in no process list.

    Raises InvalidInput for one that Flower would take for something else: it reads a list, parted by commas.
    """
    if not password or not password.isascii() or not password.isprintable() or "," in password:
        raise InvalidInput(
            "Flower's password is empty or holds a comma, a letter with an accent, or what cannot be printed.",
            fix="Set FLEET_FLOWER_PASSWORD to letters and digits, or leave it out and Fleet makes one.",
        )
    env = {
        "FLOWER_ADDRESS": address, "FLOWER_PORT": str(port), "FLOWER_BASIC_AUTH": f"{FLOWER_USER}:{password}",
        "FLOWER_READ_ONLY": "true", "FLOWER_MAX_TASKS": "10000", "FLOWER_PURGE_OFFLINE_WORKERS": "60",
    }  # fmt: skip
    return Program((sys.executable, "-m", "workers.flower"), {**environment(settings), **env})


def metrics_program(settings: Settings, *, host: str, port: int) -> Program:
    """Return the exporter of the fleet's numbers."""
    argv = (sys.executable, "-m", "fleet.cli", "metrics", "--host", host, "--port", str(port))
    return Program(argv, environment(settings))


def web_program(
    settings: Settings,
    *,
    host: str,
    port: int,
    local_token: str = "",
    metrics_port: int | None = None,
    feed: Path | None = None,
) -> Program:
    """Return the dashboard and the API, which also serve the metrics and write the feed to a file where that is
    asked. `local_token` is what the command line of the home sends."""
    env = {
        "FLEET_WEB_HOST": host, "FLEET_WEB_PORT": str(port), "FLEET_LOCAL_TOKEN": local_token,
        "FLEET_WEB_METRICS_PORT": "" if metrics_port is None else str(metrics_port),
        "FLEET_WEB_FEED": str(feed or ""),
    }  # fmt: skip
    return Program((sys.executable, "-m", "fleet.web"), {**environment(settings), **env})


def feed_program(settings: Settings, *, feed: Path) -> Program:
    """Return what writes the feed to a file, where there is no dashboard that does."""
    argv = (sys.executable, "-m", "fleet.features.activity.feed_file")
    return Program(argv, {**environment(settings), "FLEET_WEB_FEED": str(feed)})


def gallery_program(settings: Settings, *, database_url: str, images_dir: Path, host: str, port: int) -> Program:
    """Return the sandbox gallery over its own database."""
    env = {
        "FLEET_GALLERY_DATABASE_URL": database_url, "FLEET_GALLERY_IMAGES_DIR": str(images_dir.absolute()),
        "FLEET_GALLERY_HOST": host, "FLEET_GALLERY_PORT": str(port),
    }  # fmt: skip
    return Program((sys.executable, "-m", "fleet.sandbox.gallery"), {**environment(settings), **env})


def shop_program(settings: Settings, *, database_url: str, token: str, host: str, port: int) -> Program:
    """Return the sandbox shop over its own database."""
    env = {
        "FLEET_SHOP_DATABASE_URL": database_url, "FLEET_SHOP_TOKEN": token,
        "FLEET_SHOP_HOST": host, "FLEET_SHOP_PORT": str(port),
    }  # fmt: skip
    return Program((sys.executable, "-m", "fleet.sandbox.shop"), {**environment(settings), **env})


def preload_program(settings: Settings) -> Program:
    """Return what `fleet up` loads once for several processes: a function's name, and the environment of them all."""
    return Program(("fleet.cli.commands.up.preload:load",), environment(settings))


def _become(program: Program) -> NoReturn:
    """Let this process become the program, with its pid and its terminal."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(program.argv[0], program.argv, {**os.environ, **program.env})  # noqa: S606  no shell is wanted


def _needs_broker(settings: Settings) -> Settings:
    if not settings.broker_url:
        raise InvalidInput("No broker is set.", fix="Set FLEET_BROKER_URL, or run the whole fleet with `fleet up`.")
    return settings


@click.command(cls=FleetCommand)
@click.option("-c", "--concurrency", type=click.IntRange(1, 500), default=16, show_default=True, help="Threads.")
@click.option("-n", "--name", default="worker", show_default=True, help="Name in Flower, before the host name.")
@pass_door
def worker(door: Door, /, *, concurrency: int, name: str) -> None:
    """Run a worker in the foreground. Any number may run; on SIGTERM it finishes its jobs first."""
    _become(worker_program(_needs_broker(door.settings), name=name, concurrency=concurrency))


@click.command(cls=FleetCommand)
@pass_door
def beat(door: Door) -> None:
    """Run Celery beat in the foreground. Several may run at once."""
    _become(beat_program(_needs_broker(door.settings)))


@click.command(cls=FleetCommand)
@click.option("--address", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65_535), default=5555, show_default=True, help="0 means any free port.")
@click.option("--password", envvar="FLEET_FLOWER_PASSWORD",
              help="Password of the user `fleet`; by default that of the home. Other users of the machine see options"
                   " of commands, so set FLEET_FLOWER_PASSWORD.")  # fmt: skip
@pass_door
def flower(door: Door, /, *, address: str, port: int, password: str | None) -> None:
    """Run Flower in the foreground, read-only, for the user `fleet`."""
    settings = _needs_broker(door.settings)
    if password is None:
        from fleet.sandbox import disk

        kept = disk.private_folder(settings.home.absolute()) / PASSWORD_FILE
        password = disk.stored_password(kept)
        door.note(f"User {FLOWER_USER}, password in {kept}.")
    from fleet.sandbox import ports

    port = port or ports.choose(purpose="Flower", setting="--port")  # it would tell 0 where people need the real one
    _become(flower_program(settings, address=address, port=port, password=password))


@click.command(cls=FleetCommand)
@click.option("--host", envvar="FLEET_WEB_HOST", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", envvar="FLEET_WEB_PORT", type=click.IntRange(0, 65_535), default=8630, show_default=True,
              help="0 means any free port.")  # fmt: skip
@click.option("--metrics-port", envvar="FLEET_WEB_METRICS_PORT", type=click.IntRange(0, 65_535),
              help="Serve the metrics too, at this port; else run `fleet metrics`.")  # fmt: skip
@pass_door
def web(door: Door, /, *, host: str, port: int, metrics_port: int | None) -> None:
    """Serve the dashboard and the API in the foreground. Any number may run."""
    _become(web_program(_needs_broker(door.settings), host=host, port=port, metrics_port=metrics_port))


@click.command(cls=FleetCommand)
@click.option("--host", envvar="FLEET_GALLERY_HOST", default="127.0.0.1", show_default=True,
              help="Address to listen on.")  # fmt: skip
@click.option("--port", envvar="FLEET_GALLERY_PORT", type=click.IntRange(0, 65_535), default=8640, show_default=True,
              help="0 means any free port.")  # fmt: skip
@click.option("--database-url", envvar="FLEET_GALLERY_DATABASE_URL", required=True,
              help="URL of its own database, never Fleet's. Other users of the machine see options of commands, so set"
                   " FLEET_GALLERY_DATABASE_URL.")  # fmt: skip
@click.option("--images", envvar="FLEET_GALLERY_IMAGES_DIR", type=PathType(file_okay=False, path_type=Path),
              help="Folder of its pictures; by default in the home.")  # fmt: skip
@pass_door
def gallery(door: Door, /, *, host: str, port: int, database_url: str, images: Path | None) -> None:
    """Run the sandbox gallery in the foreground."""
    door.refuse_server()
    from fleet.cli.frame import paths

    settings = paths.given(door.home)
    if not (settings.service_token.get_secret_value() or os.environ.get("FLEET_GALLERY_SERVICE_TOKENS")):
        raise InvalidInput("The gallery needs a service token.", fix="Set FLEET_SERVICE_TOKEN to a secret (fst_...).")
    images_dir = images if images is not None else settings.home / "gallery" / "images"
    _become(gallery_program(settings, database_url=database_url, images_dir=images_dir, host=host, port=port))
