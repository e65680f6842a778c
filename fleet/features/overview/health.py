"""The health of the parts of every fleet: database, broker, workers, beat. Pure, except for the ping.

Called by `watch`, which pings broker and workers in the background, so that no page waits for them. Accounts, model
providers and receivers belong to other features (`outages.POINT`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fleet.core import queue, text
from fleet.core.errors import FleetError
from fleet.engine.deps import Deps
from fleet.engine.points.health import Level, PartHealth

_LATE_S, _TOO_LATE_S = 10.0, 60.0  # beat dispatches every second
_QUIET_S, _SILENT_S = 15.0, 30.0  # beat has the fleet swept every five seconds
_NOTHING_RUNS = "Nothing runs meanwhile: no agent wakes and no job is carried out."


@dataclass(frozen=True, slots=True)
class BrokerAnswers:
    """The last answers of broker and workers. `depths` and `workers` are None before the first.

    `unanswered`: how many pings in a row no worker answered.
    """

    depths: Mapping[str, int] | None = None
    workers: Sequence[str] | None = None
    problem: str = ""
    unanswered: int = 0


@dataclass(frozen=True, slots=True)
class Signs:
    """What the ledger shows of beat: the age of the last sweep, and how long an agent has been due."""

    swept_s: float | None
    overdue_s: float
    is_paused: bool

    @property
    def is_swept(self) -> bool:
        """Whether a worker swept the fleet so lately that no ping tells more."""
        return self.swept_s is not None and self.swept_s < _QUIET_S


def ask(deps: Deps, app: Any, *, within_s: float, unanswered: int = 0) -> BrokerAnswers:
    """Ping broker and workers; takes `within_s` or more. A worker whose threads are all busy answers too.

    `app` is made by `queue.make_app`.
    """
    try:
        depths = deps.publisher.depths()
        workers = queue.workers(app, timeout_s=within_s)
        return BrokerAnswers(depths, workers, unanswered=0 if workers else unanswered + 1)
    except FleetError as error:
        return BrokerAnswers(problem=error.message)


def parts(asked: BrokerAnswers, signs: Signs, took_ms: float) -> tuple[PartHealth, ...]:
    """Return the health of the four parts; `took_ms` is how long the database took to answer."""
    database = PartHealth(
        "postgres", "Postgres", Level.OK, f"answers in {'a moment' if took_ms < 50 else _ms(took_ms)}"
    )
    return database, broker(asked), workers(asked, signs), beat(asked, signs)


def _ms(took_ms: float) -> str:
    return f"about {round(took_ms, -1):.0f} ms"


def broker(asked: BrokerAnswers) -> PartHealth:
    """Return the health of the broker."""
    if asked.problem:
        return PartHealth(
            "broker", "Broker", Level.BAD, asked.problem, cause=asked.problem.rstrip("."), effect=_NOTHING_RUNS
        )
    if asked.depths is None:
        return PartHealth("broker", "Broker", Level.UNKNOWN, "is being asked")
    waiting = sum(asked.depths.values())
    return PartHealth("broker", "Broker", Level.OK, f"{waiting:,} messages wait" if waiting else "no message waits")


def workers(asked: BrokerAnswers, signs: Signs) -> PartHealth:
    """Return the health of the workers: down after two pings that none has answered.

    Before the first ping the ledger's own sign counts: a worker has swept the fleet a moment ago.
    """
    if asked.workers is None and not asked.problem and signs.is_swept:
        return PartHealth("workers", "Workers", Level.OK, f"one swept the fleet {text.span(signs.swept_s or 0)} ago")
    if asked.problem or asked.workers is None:
        words = "cannot be asked without the broker" if asked.problem else "are being asked"
        return PartHealth("workers", "Workers", Level.UNKNOWN, words)
    if not asked.workers:
        words = "none answers; start one with “fleet worker”"
        level = Level.BAD if asked.unanswered > 1 else Level.WARN
        return PartHealth("workers", "Workers", level, words, cause="no worker answers", effect=_NOTHING_RUNS)
    names = ", ".join(asked.workers[:4]) + ("" if len(asked.workers) <= 4 else f" and {len(asked.workers) - 4} more")
    return PartHealth("workers", "Workers", Level.OK, f"{len(asked.workers)}: {names}")


def beat(asked: BrokerAnswers, signs: Signs) -> PartHealth:
    """Return the health of beat, from what it makes workers do: sweep the fleet, and wake agents that are due."""

    def found(level: Level, words: str) -> PartHealth:
        return PartHealth("beat", "Beat", level, words, cause=words, effect="No agent wakes meanwhile.")

    is_at_work = bool(asked.workers) if asked.workers is not None else signs.is_swept
    if asked.problem or not is_at_work:
        return found(Level.UNKNOWN, "shows in what workers do, and none answers")
    if signs.swept_s is None:
        return found(Level.UNKNOWN, "has not had the fleet swept yet")
    if signs.swept_s >= _QUIET_S:
        level = Level.BAD if signs.swept_s >= _SILENT_S else Level.WARN
        return found(level, "is silent; start it with “fleet beat”")
    if not signs.is_paused and signs.overdue_s >= _LATE_S:
        level = Level.BAD if signs.overdue_s > _TOO_LATE_S else Level.WARN
        return found(level, f"an agent has been due for {text.span(signs.overdue_s)} and nothing wakes it")
    return found(Level.OK, "keeps the fleet swept, and wakes agents on time")
