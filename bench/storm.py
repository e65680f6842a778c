"""The same effects while workers are killed and replies are lost: who shows how many twice, and who forgets any.

Called by bench_pipeline. The fleet's beat is played by this process, which sweeps every second.
"""

from __future__ import annotations

import dataclasses
import functools
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

import redis
import sqlalchemy as sa

from bench.stand import FLEET_WORKER, PLAIN_WORKER, Pool, Stand
from bench.stub_surface import REPLIES_LOST
from fleet.engine.jobs.models import JobRow
from fleet.engine.jobs.states import FINAL
from fleet.engine.sweep import sweep

# As quick as either side can be made to notice a dead worker.
_QUICKLY = {"FLEET_LEASE_S": "5", "FLEET_SETTLE_S": "1", "FLEET_REPUBLISH_S": "5", "BENCH_VISIBILITY_S": "5"}
_FAULTS = {REPLIES_LOST: "0.05"}
_GIVE_UP_S = 150.0


@dataclass(frozen=True, slots=True)
class Storm:
    """What the surface shows afterwards. `doubled` counts every effect beyond an agent's first."""

    asked: int
    shown: int
    doubled: int
    missing: int
    seconds: float


def of(place: Stand, *, plain: bool, agents: int, kills: int) -> Storm:
    """Ask each agent for one effect and kill a worker each time as many more have been shown."""
    module, pool = (PLAIN_WORKER, Pool("prefork", 2, 1)) if plain else (FLEET_WORKER, Pool("threads", 2, 16))
    place.effects.clear()
    if plain:
        made = place.plain_agents_of(agents)
        place.ring_plain(made)
    else:
        made = place.fleet_of(agents, like=1.0)
        place.ring_ticks(made, 1)
    tend = _wait if plain else sweeper(place)
    ended = _nothing_waits if plain else _all_final
    since = time.perf_counter()
    with place.running(module, pool, **_QUICKLY, **_FAULTS):
        for number in range(1, kills + 1):
            _until(tend, functools.partial(_have_come, place, agents * number / (kills + 1)))
            name = random.choice(list(place.workers))
            place.kill(name)
            place.start_worker(name, module, pool, **_QUICKLY, **_FAULTS)
        _until(tend, lambda: ended(place, agents))
    shown = place.effects.by_agent()
    return Storm(
        agents, shown.total(), shown.total() - len(shown), agents - len(shown), time.perf_counter() - since
    )  # fmt: skip


def _wait() -> None:
    time.sleep(0.2)


def sweeper(place: Stand) -> Callable[[], None]:
    """Return what plays the fleet's beat: call it again and again, and it sweeps every second."""
    config = place.deps.settings.model_copy(update={"lease_s": 5.0, "settle_s": 1.0, "republish_s": 5.0})
    deps = dataclasses.replace(place.deps, given=config)
    swept_at = 0.0

    def tend() -> None:
        nonlocal swept_at
        _wait()
        if time.perf_counter() > swept_at + 1:
            sweep(deps)
            swept_at = time.perf_counter()

    return tend


def _have_come(place: Stand, number: float) -> bool:
    return place.effects.count() >= number


def _until(tend: Callable[[], None], done: Callable[[], bool]) -> None:
    """Wait until it is done, or until it will not be done any more: then what is missing is counted as missing."""
    deadline = time.perf_counter() + _GIVE_UP_S
    while not done() and time.perf_counter() < deadline:
        tend()


def _all_final(place: Stand, agents: int) -> bool:
    with place.deps.db.transaction() as tx:
        query = sa.select(sa.func.count()).where(JobRow.state.in_(FINAL))
        return bool(tx.scalar(query) == agents)


def _nothing_waits(place: Stand, _: int) -> bool:
    """Return whether Celery believes that everything was done; looks again a little later, since messages move."""

    def idle() -> bool:
        with redis.Redis.from_url(place.valkey.url()) as client:
            return not client.llen("plain") and not client.hlen("unacked")

    if not idle():
        return False
    time.sleep(1.5)
    return idle()
