"""Many jobs through one real worker process, with an eye on its memory.

For `bench.bench_growth`. The worker is the one of `fleet worker`; jobs are handed to it as fast as it takes them, never
more than a few hundred ahead, so that it is always busy and the broker never full.
"""

from __future__ import annotations

import subprocess
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from bench.live import Servers
from fleet.core.settings import Settings
from fleet.engine import deps as runtime_deps
from fleet.engine import publish, sweep
from fleet.engine.deps import Deps
from fleet.engine.jobs import ledger
from fleet.engine.jobs.ledger import NewJob
from fleet.features.publishing.kinds import BROWSE, COMMENT, LIKE, POST

_AHEAD, _CHUNK = 400, 200
_KINDS = (LIKE, COMMENT, BROWSE, LIKE, POST)
_PAYLOAD = {"author": "guest_1", "author_name": "Guest 1", "caption": "A quiet harbour at dawn", "comments": 3}
_TICK = 2_000_000_000


@dataclass
class Memory:
    """How much the worker held (bytes) after so many jobs, and how long all took."""

    jobs: list[int] = field(default_factory=list)
    rss: list[int] = field(default_factory=list)
    took_s: float = 0.0

    @property
    def done(self) -> int:
        """How many jobs were done in all."""
        return self.jobs[-1]

    def grown(self, *, warm: int) -> float:
        """Return by what part memory grew from the median of the first look after `warm` jobs to the last."""
        first = next(rss for jobs, rss in zip(self.jobs, self.rss, strict=True) if jobs >= warm)
        return self.rss[-1] / first - 1


def run(servers: Servers, settings: Settings, jobs: int, *, most_s: float, looks: int = 100) -> Memory:
    """Let one worker do so many jobs, or those that it can do in the time; look at its memory a hundred times."""
    deps = runtime_deps.build(settings)
    worker = servers.start_worker(settings, name="one", concurrency=8)
    found, asked, since_s = Memory(), 0, time.monotonic()
    agents = _agents(deps)
    try:
        while (done := asked - sum(deps.publisher.depths().values())) < jobs:
            if time.monotonic() - since_s > most_s:
                break
            if asked < jobs and asked - done < _AHEAD:
                asked += _hand_over(deps, agents, asked, min(_CHUNK, jobs - asked))
            elif done * looks // jobs > len(found.jobs):
                _look(found, worker, done)
            else:
                servers.check()
                time.sleep(0.25)
        servers.wait_until("all jobs are done", lambda: not _unfinished(deps), timeout_s=180)
        found.took_s = time.monotonic() - since_s
        _look(found, worker, asked)
    finally:
        deps.close()
    return found


def _agents(deps: Deps) -> list[uuid.UUID]:
    with deps.db.transaction() as tx:
        return list(tx.session.scalars(sa.text("SELECT id FROM agents WHERE status = 'running'")))


def _hand_over(deps: Deps, agents: list[uuid.UUID], first: int, number: int) -> int:
    new = [
        NewJob(uuid.uuid4(), agents[n % len(agents)], _KINDS[n % len(_KINDS)], "floimg", _TICK + n, f"w{n}", _PAYLOAD)
        for n in range(first, first + number)
    ]
    with deps.db.transaction() as tx:
        rings = ledger.add(tx, new)
    publish.ring_jobs(deps.publisher, rings)
    return number


def _look(found: Memory, worker: subprocess.Popen[bytes], done: int) -> None:
    status = Path(f"/proc/{worker.pid}/status").read_text(encoding="ascii")
    found.jobs.append(done)
    found.rss.append(next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS")))


def _unfinished(deps: Deps) -> int:
    """Ring for what is left, as beat's sweep does, and return how many jobs that is."""
    sweep.sweep(deps)
    query = "SELECT count(*) FROM jobs WHERE finished_at IS NULL AND tick_no >= :first"
    with deps.db.transaction() as tx:
        return int(tx.scalar(sa.text(query).bindparams(first=_TICK)) or 0)
