"""Writes: how many of them a cap held back, how many the network answered with 429, and how full its limits were."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from fleet.accounts.models import SETTINGS_ACCOUNT, AccountRow
from fleet.adapters import registry as adapters
from fleet.adapters.manifest import LimitScope
from fleet.core.db import Tx
from fleet.engine import registry
from fleet.engine.points.effect_size import Sample
from fleet.features.tuning.decisions.rules import CapFacts
from fleet.features.tuning.decisions.samples import Metric, share
from fleet.features.tuning.load.window import LoadWindow

PER_MINUTE = "surface_writes_per_minute"
_OF_DAY, _OF_MINUTE = "cap: % a day", "cap: % writes a minute"
"""Reasons of the gateway and of `engine.attempts.reserve`."""
_REFUSED = "429%"
"""Adapters begin the words of an answer with its status."""
_ATTEMPTS = sa.text("""
WITH tried AS (
    SELECT job_id, bool_or(outcome = 'held' AND error LIKE :refused) AS is_refused,
           bool_or(outcome = 'held' AND error LIKE :of_day) AS is_of_day,
           bool_or(outcome = 'held' AND error LIKE :of_minute) AS is_of_minute,
           bool_or(outcome IN ('done', 'retry', 'unknown', 'dead')) AS is_tried
    FROM job_attempts WHERE started_at >= :since AND started_at < :until GROUP BY job_id)
SELECT j.kind, count(*), count(*) FILTER (WHERE is_refused), count(*) FILTER (WHERE is_of_day),
       count(*) FILTER (WHERE is_of_minute)
FROM tried JOIN jobs j ON j.id = tried.job_id
WHERE is_tried OR is_refused OR is_of_day OR is_of_minute GROUP BY j.kind
""")
_BUSIEST = sa.text("""
SELECT account_id, max(number) FROM (
    SELECT coalesce(account_id, :main) AS account_id, count(*) AS number FROM jobs
    WHERE sending_at >= :since AND sending_at < :until AND kind = ANY(:kinds)
    GROUP BY coalesce(account_id, :main), date_bin(:width, sending_at, :since)) AS parts
GROUP BY account_id
""")


def kinds_of(setting: str) -> Sequence[str]:
    """Return the kinds of job that a cap counts."""
    features = registry.current()
    counted = {name for name, one in features.action_types.items() if one.is_counted}
    action = "" if setting == PER_MINUTE else setting.split(".")[1]
    return [kind for kind in features.jobs
            if features.action_of(kind) in counted and action in ("", features.action_of(kind))]  # fmt: skip


@dataclass(frozen=True, slots=True)
class WriteCounts:
    """Writes of one kind of job: all, those answered with 429, those that a cap of a day or of a minute held back."""

    attempts: int = 0
    throttled: int = 0
    of_day: int = 0
    of_minute: int = 0


def by_kind(tx: Tx, window: LoadWindow) -> Mapping[str, WriteCounts]:
    """Return the writes of a window by kind of job. One statement for all caps: it reads all attempts."""
    values = {**window.values, "refused": _REFUSED, "of_day": _OF_DAY, "of_minute": _OF_MINUTE}
    return {row[0]: WriteCounts(*row[1:]) for row in tx.execute(_ATTEMPTS, values)}


def of_cap(setting: str, counted: Mapping[str, WriteCounts]) -> tuple[int, int, int]:
    """Return the writes that a cap counts: all, those answered with 429, those that this cap held back."""
    found = [counted.get(kind, WriteCounts()) for kind in kinds_of(setting)]
    held = [one.of_minute if setting == PER_MINUTE else one.of_day for one in found]
    return sum(one.attempts for one in found), sum(one.throttled for one in found), sum(held)


def facts(
    tx: Tx, setting: str, value: int, window: LoadWindow, counted: Mapping[str, WriteCounts]
) -> CapFacts:  # fmt: skip
    """Return what a cap did in a window."""
    attempts, throttled, capped = of_cap(setting, counted)
    is_minute = setting == PER_MINUTE
    return CapFacts(
        setting=setting, value=value, attempts=attempts, throttled=throttled, capped=capped,
        can_lower=is_minute, busiest=busiest(tx, setting, window) if capped else None,
        peak=_peak(tx, setting, window) if is_minute and throttled else value,
    )  # fmt: skip


def sample(tx: Tx, setting: str, metric: Metric, window: LoadWindow) -> Sample:
    """Return the share of writes that were answered with 429, or held back by a cap."""
    attempts, throttled, capped = of_cap(setting, by_kind(tx, window))
    return share(attempts, throttled if metric is Metric.THROTTLED else capped)


def _numbers(tx: Tx, setting: str, window: LoadWindow, width: timedelta) -> dict[uuid.UUID, int]:
    """Return the most writes of each account in any part of a window of this width."""
    values = {
        **window.values,
        "kinds": list(kinds_of(setting)),
        "width": width,
        "main": SETTINGS_ACCOUNT,
    }
    return {row[0]: int(row[1]) for row in tx.execute(_BUSIEST, values)}


def _peak(tx: Tx, setting: str, window: LoadWindow) -> int:
    """Return the most writes of one account in a minute."""
    return max(_numbers(tx, setting, window, timedelta(minutes=1)).values(), default=0)


def busiest(tx: Tx, setting: str, window: LoadWindow) -> float | None:
    """Return the largest share of a limit that writes used, over the accounts; None if one of them has no known limit.

    Limits that count a whole app or host are left out: others may use them too.
    """
    found: list[float] = []
    widths: dict[timedelta, dict[uuid.UUID, int]] = {}
    actions = {registry.current().action_of(kind) for kind in kinds_of(setting)}
    day = _numbers(tx, setting, window, window.length)
    names = dict(tx.execute(sa.select(AccountRow.id, AccountRow.adapter).where(AccountRow.id.in_(day))).tuples().all())
    for account_id in day:
        adapter = names.get(account_id, "")
        limits = adapters.get(adapter).limits if adapter in adapters.names() else ()
        own = [one for one in limits if one.scope is LimitScope.ACCOUNT and any(map(one.cost_of, actions))]
        if not own:
            return None
        for limit in own:
            if limit.window not in widths:
                widths[limit.window] = _numbers(tx, setting, _at_least(window, limit.window), limit.window)
            cost = max(limit.cost_of(one) for one in actions)
            found.append(widths[limit.window].get(account_id, 0) * cost / limit.most)
    return max(found, default=None)


def _at_least(window: LoadWindow, length: timedelta) -> LoadWindow:
    return LoadWindow(min(window.since, window.until - length), window.until)
