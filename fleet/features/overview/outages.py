"""What is down: read from the features, recorded by the sweep, and reported as `alert.down` and `alert.recovered`.

`conditions` is the one query behind banners, components, API, command and alerts. The sweep records an outage so that
its event is emitted once, and so that its beginning is known for as long as it lasts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fleet.core import events, logs, text
from fleet.core.db import Tx
from fleet.core.errors import Unavailable
from fleet.engine import registry
from fleet.engine.deps import Deps
from fleet.engine.points.health import Level, PartHealth
from fleet.features.overview.models import HeartbeatRow, OutageRow

POINT = "overview.health"
"""Features register `look(deps, tx)` here: it returns a `PartHealth` (`fleet.engine.points.health`) for each thing."""
Look = Callable[[Deps, Tx], Iterable[PartHealth]]
SWEEP = "sweep"
_FAILED = "check:"
_RECORDING = 0x6F757461676573  # "outages": any constant works, as long as all sweeps use the same

log = logs.get(__name__)


def conditions(deps: Deps, tx: Tx) -> list[PartHealth]:
    """Return the health of everything that features registered. What is down has the beginning that was recorded.

    A `look` that raises is logged, and is one thing of unknown health: it must not take down all pages.
    """
    since = dict(tx.execute(sa.select(OutageRow.key, OutageRow.since)).tuples().all())
    found = [one for look in registry.current().extensions(POINT) for one in _found(look, deps, tx)]
    return [replace(one, since=since.get(one.key, one.since)) if one.is_down else one for one in found]


def _found(look: Look, deps: Deps, tx: Tx) -> Sequence[PartHealth]:
    call = f"{look.__module__}.{look.__name__}"
    try:
        with tx.session.begin_nested():
            return list(look(deps, tx))
    except Unavailable:
        raise
    except Exception:
        log.exception("health_look_failed", call=call)
        words = "This check failed; the log has the error."
        return [PartHealth(f"{_FAILED}{call}"[:120], call, Level.UNKNOWN, words)]


def sweep(deps: Deps) -> int:
    """Leave a sign of life, and record what went down or works again; return 0, as nothing was lost."""
    with deps.db.transaction() as tx:
        beat = insert(HeartbeatRow).values(name=SWEEP)
        tx.execute(beat.on_conflict_do_update(index_elements=["name"], set_={"at": sa.func.clock_timestamp()}))
    with deps.db.transaction() as tx:
        if tx.scalar(sa.select(sa.func.pg_try_advisory_xact_lock(_RECORDING))):
            _record(deps, tx)
    return 0


def last_sweep_s(tx: Tx) -> float | None:
    """Return how long ago a sweep began; None if none ever did."""
    age = sa.func.extract("epoch", sa.func.clock_timestamp() - HeartbeatRow.at)
    found = tx.scalar(sa.select(age).where(HeartbeatRow.name == SWEEP))
    return None if found is None else max(0.0, float(found))


def _record(deps: Deps, tx: Tx) -> None:
    now = tx.now()
    found = conditions(deps, tx)
    down = {one.key: one for one in found if one.is_down}
    known = {row.key: row for row in tx.session.scalars(sa.select(OutageRow))}
    for key in down.keys() - known.keys():
        since = down[key].since or now
        tx.execute(insert(OutageRow).values(key=key, title=down[key].name, since=since).on_conflict_do_nothing())
        _tell_down(tx, down[key], since)
    if any(one.key.startswith(_FAILED) for one in found):
        return  # nobody knows whether the things of that check work again
    for key in known.keys() - down.keys():
        tx.execute(sa.delete(OutageRow).where(OutageRow.key == key).execution_options(synchronize_session=False))
        since = known[key].since
        lasted_s = max(0, round((now - since).total_seconds()))
        events.emit(
            tx, "alert.recovered", thing=known[key].title, key=key, since=since.isoformat(), lasted_s=lasted_s,
            lasted=text.span(lasted_s),
        )  # fmt: skip


def _tell_down(tx: Tx, one: PartHealth, since: datetime) -> None:
    events.emit(
        tx, "alert.down", thing=one.name, key=one.key, why=one.cause, effect=one.effect, since=since.isoformat(),
        page=one.href,
    )  # fmt: skip
