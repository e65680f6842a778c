"""The processes of a world: which there are, how each is called, and after how long a dead one is started again.

Called by `world`. A worker of each sort that breaks in its own way: threads, forked children, a database link that can
be cut, a clock that is wrong.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

import fleet
from fleet.core.queue import QUEUES
from fleet.sandbox.processes.restart import RestartPolicy
from fleet.sandbox.processes.supervisor import Process

_CELERY = ("-A", "workers.app")
_STOP_S = 15.0
_NEVER = 1_000_000


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker process. `points` is its folder of strikes, below the home's."""

    name: str
    pool: str = "threads"
    concurrency: int = 12
    points: str = "threads"
    proxied: bool = False
    skew_s: float = 0.0


def crew(plain: int, seed: int) -> list[Worker]:
    """Return the workers of a world: `plain` of the usual kind, and one of each that is special."""
    skew_s = random.Random(f"{seed} skew").choice((-3600.0, 3600.0))
    return [
        *(Worker(f"worker{number}") for number in range(1, plain + 1)),
        Worker("forked", pool="prefork", concurrency=3, points="forked"),
        Worker("proxied", proxied=True),
        Worker("skewed", skew_s=skew_s),
    ]


def worker(what: Worker, env: Mapping[str, str], home: Path, dice: random.Random) -> Process:
    """Return the process of a worker."""
    celery = ["-m", "celery"] if not what.skew_s else ["-m", "fleet.chaos.world.skew", str(what.skew_s)]
    argv = (
        sys.executable, *celery, *_CELERY, "worker", "--pool", what.pool, "--concurrency", str(what.concurrency),
        "--queues", ",".join(QUEUES), "--hostname", f"{what.name}@%h", "--without-gossip", "--without-mingle",
        "--loglevel", "INFO",
    )  # fmt: skip
    pool = str(max(4, what.concurrency))
    points = str(home / "points" / what.points)
    return process(what.name, argv, {**env, "FLEET_POOL_SIZE": pool, "FLEET_FAILPOINTS_DIR": points}, home, dice)


def beat(name: str, env: Mapping[str, str], home: Path, dice: random.Random) -> Process:
    """Return the process of a beat."""
    return process(name, (sys.executable, "-m", "celery", *_CELERY, "beat", "--loglevel", "INFO"), env, home, dice)


def gallery(env: Mapping[str, str], home: Path, dice: random.Random, *, database_url: str, port: int) -> Process:
    """Return the process of the gallery."""
    own = {
        "FLEET_GALLERY_DATABASE_URL": database_url, "FLEET_GALLERY_PORT": str(port),
        "FLEET_GALLERY_IMAGES_DIR": str(home / "images"),
    }  # fmt: skip
    return process("gallery", (sys.executable, "-m", "fleet.sandbox.gallery"), {**env, **own}, home, dice)


def web(env: Mapping[str, str], home: Path, dice: random.Random, *, port: int) -> Process:
    """Return the process of the dashboard and the API."""
    return process("web", (sys.executable, "-m", "fleet.web"), {**env, "FLEET_WEB_PORT": str(port)}, home, dice)


def answers(url: str) -> bool:
    """Tell whether one of Fleet's own servers serves."""
    try:
        return httpx.get(f"{url}/health", timeout=2, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def python_path() -> str:
    """Return the folder of Fleet's packages, for processes that run in another folder."""
    root = str(Path(fleet.__file__).resolve().parents[1])
    return os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH", ""))))


def process(name: str, argv: tuple[str, ...], env: Mapping[str, str], home: Path, dice: random.Random) -> Process:
    """Return a process that is always restarted, each after a delay of its own."""
    again = RestartPolicy(first_delay_s=round(dice.uniform(0.2, 2.5), 2), quick_s=0.0, quick_deaths=_NEVER)
    return Process(name, argv, env=env, cwd=home, stop_timeout_s=_STOP_S, restart=again)
