"""The health of model providers, from the results of their newest calls. Registered as "overview.health"."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from fleet.core import text
from fleet.core.db import Tx
from fleet.engine.deps import Deps
from fleet.engine.points.health import LATELY, WINDOW, CallEvidence, Level, PartHealth
from fleet.llm.base import CallOutcome
from fleet.spending import queries
from fleet.spending.queries import RecentCalls

_EFFECT = "Texts come from the next provider meanwhile, or from the offline writer."
_WHY = {
    CallOutcome.TRANSIENT: "it does not answer, or answers with errors",
    CallOutcome.OVERLOADED: "it is overloaded, or has had too many calls of ours",
    CallOutcome.AUTH: "it refuses our key",
    CallOutcome.REJECTED: "it rejects our requests: an unknown model or option",
}


def look(_: Deps, tx: Tx) -> Iterator[PartHealth]:
    """Return the health of every provider that was called within an hour."""
    now = tx.now()
    return (condition(one, now) for one in queries.recent(tx, since=now - WINDOW, lately=now - LATELY))


def condition(one: RecentCalls, now: datetime) -> PartHealth:
    """Return the health of a provider. Pure."""
    key, name = f"provider:{one.provider}", f"Provider {one.provider}"
    evidence = evidence_of(one)
    level = Level.OK if evidence is None else evidence.level(now)
    seconds = (now - one.last_at).total_seconds()
    last = "just now" if seconds < 60 else f"{text.span(seconds)} ago"
    words = f"{one.latency_ms / 1000:.1f} s a call, {one.failed / one.calls:.0%} failed; last {last}"
    if evidence is not None and level is not Level.OK:
        why = evidence.why
        return PartHealth(key, name, level, f"{words}: {why}", evidence.since, why, _EFFECT, "/costs")
    return PartHealth(key, name, Level.UNKNOWN if now - one.last_at > LATELY else level, words, href="/costs")


def evidence_of(one: RecentCalls) -> CallEvidence | None:
    """Return the failures that speak against a provider; None without any."""
    if one.failing_since is None or one.failed_at is None:
        return None
    why = _WHY.get(CallOutcome(one.last_failure), "it fails") if one.last_failure else "it fails"
    return CallEvidence(one.failed_lately, one.in_a_row, one.failing_since, one.failed_at, one.ok_at, why)
