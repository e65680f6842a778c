"""Writes: how many of them a cap held back, how many the network answered with 429, and how full its limits were."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

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
SELECT count(DISTINCT j.id), count(DISTINCT j.id) FILTER (WHERE a.outcome = 'held' AND a.error LIKE :refused),
       count(DISTINCT j.id) FILTER (WHERE a.outcome = 'held' AND a.error LIKE :capped)
FROM job_attempts a JOIN jobs j ON j.id = a.job_id
WHERE a.started_at >= :since AND a.started_at < :until AND j.kind = ANY(:kinds)
AND (a.outcome IN ('done', 'retry', 'unknown', 'dead')
     OR (a.outcome = 'held' AND (a.error LIKE :refused OR a.error LIKE :capped)))
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


def counts(tx: Tx, setting: str, window: LoadWindow) -> tuple[int, int, int]:
    """Return the writes that a cap counts: all, those answered with 429, those that this cap held back."""
    capped = _OF_MINUTE if setting == PER_MINUTE else _OF_DAY
    row: Any = tx.execute(_ATTEMPTS, {**window.values, "kinds": list(kinds_of(setting)),
                                      "refused": _REFUSED, "capped": capped}).one()  # fmt: skip
    return int(row[0]), int(row[1]), int(row[2])


def facts(tx: Tx, setting: str, value: int, window: LoadWindow) -> CapFacts:
    """Return what a cap did in a window."""
    attempts, throttled, capped = counts(tx, setting, window)
    is_minute = setting == PER_MINUTE
    return CapFacts(
        setting=setting, value=value, attempts=attempts, throttled=throttled, capped=capped,
        can_lower=is_minute, busiest=busiest(tx, setting, window) if capped else None,
        peak=_peak(tx, setting, window) if is_minute and throttled else value,
    )  # fmt: skip


def sample(tx: Tx, setting: str, metric: Metric, window: LoadWindow) -> Sample:
    """Return the share of writes that were answered with 429, or held back by a cap."""
    attempts, throttled, capped = counts(tx, setting, window)
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
