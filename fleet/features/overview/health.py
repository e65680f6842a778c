"""Health of the parts of a fleet: database, broker, workers, beat, surfaces, providers. Called by `overview`.

`fleet.web` pings broker and workers in the background, so that no page waits for them. The health of surfaces and
providers follows from the results of their newest calls, so that a check sends them no request.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from fleet.accounts import service as accounts
from fleet.accounts.models import SETTINGS_ACCOUNT
from fleet.core import clock, queue, text
from fleet.core.db import Tx
from fleet.core.errors import FleetError
from fleet.engine.controls import Hold
from fleet.engine.deps import Deps
from fleet.engine.jobs import stats
from fleet.spending import queries as spending
from fleet.spending.queries import RecentCalls

_PING_S = 1.0
_LATE_S, _TOO_LATE_S = 10.0, 60.0  # beat dispatches every second
_LATELY = timedelta(minutes=5)
_SOME_TROUBLE = 3


class Level(StrEnum):
    """The health of a part."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the fleet, its health, and a sentence about it."""

    name: str
    level: Level
    words: str


@dataclass(frozen=True, slots=True)
class BrokerAnswers:
    """The last answers of broker and workers. `depths` and `workers` are None before the first."""

    depths: Mapping[str, int] | None = None
    workers: Sequence[str] | None = None
    problem: str = ""


def ask(deps: Deps) -> BrokerAnswers:
    """Ping broker and workers; takes a second or more. A worker whose threads are all busy answers too."""
    try:
        depths = deps.publisher.depths()
        return BrokerAnswers(depths, queue.workers(queue.make_app(deps.settings.broker_url), timeout_s=_PING_S))
    except FleetError as error:
        return BrokerAnswers(problem=error.message)


def parts(tx: Tx, now: datetime, asked: BrokerAnswers, *, overdue_s: float, holds: Sequence[Hold],
          agents: Mapping[str, int]) -> tuple[Part, ...]:  # fmt: skip
    """Return every part with its health."""
    return (
        _postgres(tx), _broker(asked), _workers(asked), _beat(overdue_s, holds, agents.get("running", 0)),
        *_surfaces(tx, now, holds), *_providers(spending.recent(tx), now),
    )  # fmt: skip


def _postgres(tx: Tx) -> Part:
    began_s = clock.monotonic_s()
    tx.now()
    return Part("Postgres", Level.OK, f"answers in {max(1, round((clock.monotonic_s() - began_s) * 1000))} ms")


def _broker(asked: BrokerAnswers) -> Part:
    if asked.problem:
        return Part("Broker", Level.BAD, asked.problem)
    if asked.depths is None:
        return Part("Broker", Level.UNKNOWN, "is being asked")
    waiting = sum(asked.depths.values())
    return Part("Broker", Level.OK, f"{waiting:,} messages wait" if waiting else "no message waits")


def _workers(asked: BrokerAnswers) -> Part:
    if asked.problem or asked.workers is None:
        return Part("Workers", Level.UNKNOWN, "cannot be asked" if asked.problem else "are being asked")
    if not asked.workers:
        return Part("Workers", Level.BAD, "none answers; start one with “fleet worker”")
    names = ", ".join(asked.workers[:4]) + ("" if len(asked.workers) <= 4 else f" and {len(asked.workers) - 4} more")
    return Part("Workers", Level.OK, f"{len(asked.workers)}: {names}")


def _beat(overdue_s: float, holds: Sequence[Hold], running: int) -> Part:
    """Infer the health of beat from overdue agents: beat leaves no trace, and other dispatchers do its work too."""
    if any(hold.scope == "fleet" for hold in holds):
        return Part("Beat", Level.UNKNOWN, "the fleet is paused, so it wakes no agent")
    if not running:
        return Part("Beat", Level.UNKNOWN, "no agent runs, so it wakes no agent")
    if overdue_s < _LATE_S:
        return Part("Beat", Level.OK, "all agents wake on time")
    level = Level.BAD if overdue_s > _TOO_LATE_S else Level.WARN
    return Part("Beat", level, f"an agent has been due for {text.span(overdue_s)} and nothing wakes it")


def _surfaces(tx: Tx, now: datetime, holds: Sequence[Hold]) -> Iterator[Part]:
    troubles = stats.trouble(tx, since=now - _LATELY)
    rows = accounts.listed(tx)
    sent_ats = {name: stats.last_sent_at(tx, name) for name in {row.adapter for row in rows}}
    for row in rows:
        title = f"Surface {row.adapter}" if row.id == SETTINGS_ACCOUNT else f"Account {row.name}"
        keys = {("surface", row.adapter), ("account", str(row.id))}
        held = next((hold for hold in holds if (hold.scope, hold.key) in keys), None)
        sent_at = sent_ats[row.adapter].get(row.id)
        is_silent = sent_at is None or now - sent_at > _LATELY
        sent = "nothing was sent yet" if sent_at is None else f"last write {_ago(now, sent_at)}"
        if held is not None:
            yield Part(title, Level.WARN, held.words())
        elif (trouble := troubles.get(row.id)) is not None and trouble.number >= _SOME_TROUBLE:
            words = f"{trouble.number} tries failed lately: {text.cut(text.clean(trouble.why), 90)}"
            yield Part(title, Level.BAD if is_silent else Level.WARN, words)
        else:
            yield Part(title, Level.UNKNOWN if is_silent else Level.OK, sent)


def _providers(found: Sequence[RecentCalls], now: datetime) -> Iterator[Part]:
    for one in found:
        share = one.failed / one.calls
        is_old = now - one.last_at > _LATELY
        level = Level.BAD if share > 0.5 else Level.WARN if share > 0.1 else Level.OK
        words = f"{one.latency_ms / 1000:.1f} s a call, {share:.0%} failed; last {_ago(now, one.last_at)}"
        yield Part(f"Provider {one.provider}", Level.UNKNOWN if is_old and level is Level.OK else level, words)


def _ago(now: datetime, moment: datetime) -> str:
    seconds = (now - moment).total_seconds()
    return "just now" if seconds < 60 else f"{text.span(seconds)} ago"
