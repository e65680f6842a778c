"""Ticks in the ledger: open, claim, decide, and recover stranded ones.

Called by `fleet.engine` inside its transactions. Every change is one guarded UPDATE on the database's clock that
reports whether it happened; a holder of an old lease token changes nothing.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fleet.core.db import Tx
from fleet.core.db.sql import NOW, Statement, array
from fleet.core.errors import NotFound
from fleet.engine.jobs.models import TickRow
from fleet.engine.sql import group_statement, statement

_AGENTS_WITH_OPEN_TICK = statement("agents_with_open_tick")
_OPEN_TICKS = statement("open_ticks")
_SKIP_TICK = group_statement("skip_tick")
_UNDECIDED = TickRow.decided_at.is_(None)
_DUE = (_UNDECIDED, TickRow.state == "due")
_KEY = (TickRow.agent_id, TickRow.tick_no)
MAX_TOKENS = 20
"""A tick is skipped after this many leases: it kills the workers that decide it."""


class TickKey(NamedTuple):
    """Names one tick."""

    agent_id: uuid.UUID
    tick_no: int


@dataclass(frozen=True, slots=True)
class ClaimedTick:
    """A tick that this process may decide until `lease_until`, by the database's clock."""

    key: TickKey
    token: int
    due_at: datetime
    asked_for: str | None
    requested_by: str | None


def seconds(value: float | sa.ColumnElement[float]) -> sa.ColumnElement[Any]:
    """Return an SQL interval of `value` seconds."""
    return sa.cast(value, sa.Double) * sa.literal_column("interval '1 second'")


def with_open_tick(tx: Tx, latest: Sequence[TickKey]) -> set[uuid.UUID]:
    """Return those of the agents whose latest tick is undecided: no other can be open."""
    found = tx.run(
        _AGENTS_WITH_OPEN_TICK,
        agent_ids=array(key.agent_id for key in latest),
        tick_nos=array(key.tick_no for key in latest),
    )
    return {row.agent_id for row in found}


def open_ticks(tx: Tx, rows: Iterable[tuple[TickKey, datetime]]) -> list[TickKey]:
    """Insert due ticks, marked as published; return those that are new. The caller holds the agents' rows."""
    wanted = list(rows)
    if not wanted:
        return []
    opened = tx.run(
        _OPEN_TICKS,
        agent_ids=array(key.agent_id for key, _ in wanted),
        tick_nos=array(key.tick_no for key, _ in wanted),
        due_ats=array(due_at for _, due_at in wanted),
    )
    if opened.rowcount == len(wanted):  # as ever, and cheaper than to make them anew
        return [key for key, _ in wanted]
    return [TickKey(*row) for row in opened]


def open_asked(tx: Tx, key: TickKey, due_at: datetime, *, asked_for: str | None, requested_by: str) -> bool:
    """Open a tick that a person requested, or mark the one that is due already; False if it is being decided."""
    values = {"state": "due", "due_at": due_at, "asked_for": asked_for, "requested_by": requested_by}
    inserted = (
        insert(TickRow)
        .values(agent_id=key.agent_id, tick_no=key.tick_no, published_at=tx.sql_now, publishes=1, **values)
        .on_conflict_do_nothing()
        .returning(TickRow.tick_no)
    )
    return tx.scalar(inserted) is not None


def ask(tx: Tx, agent_id: uuid.UUID, *, asked_for: str | None, requested_by: str) -> TickKey | None:
    """Turn the agent's open, unclaimed tick into one that a person requested; None if there is none."""
    row = tx.execute(
        sa.update(TickRow)
        .where(TickRow.agent_id == agent_id, *_DUE)
        .values(asked_for=asked_for, requested_by=requested_by, published_at=tx.sql_now, publishes=1)
        .returning(*_KEY)
    ).one_or_none()
    return TickKey(*row) if row else None


def claim_parameters(key: TickKey, *, lease_s: float) -> dict[str, Any]:
    """Return a call of `claim_tick.sql`."""
    return {"agent_id": key.agent_id, "tick_no": key.tick_no, "lease_s": lease_s}


def record_parameters(claimed: ClaimedTick, *, inputs: Mapping[str, Any], outcome: Mapping[str, Any],
                      duration_ms: int) -> dict[str, Any]:  # fmt: skip
    """Return the parameters of `record_decision.sql` for the tick."""
    return {**_mine(claimed), "inputs": inputs, "outcome": outcome, "duration_ms": duration_ms}


def skip_tick(tx: Tx, claimed: ClaimedTick, *, why: str, error: bool = False,
              failed_account: uuid.UUID | None = None) -> bool:  # fmt: skip
    """End a tick without a decision: the agent is paused, or its feed cannot be read now.

    `failed_account` is the account whose outside system failed it.
    """
    outcome = {"skipped": why} | ({"failed_account": str(failed_account)} if failed_account else {})
    return tx.run(_SKIP_TICK, **_mine(claimed), outcome=outcome, error=why if error else None).rowcount == 1


def _mine(claimed: ClaimedTick) -> dict[str, Any]:
    return {"agent_id": claimed.key.agent_id, "tick_no": claimed.key.tick_no, "token": claimed.token}


def call_off(tx: Tx, agent_ids: Sequence[uuid.UUID], *, why: str, waits: bool = True) -> int:
    """End the open ticks of agents; a decision that is being made then is not recorded. Return how many.

    A transaction that records a decision locks the tick first, then the agent. So call this before the agents' rows are
    locked; otherwise it must not wait, and skips ticks that are being recorded at this moment.
    """
    theirs = TickRow.agent_id == sa.func.any(sa.literal(list(agent_ids), sa.ARRAY(sa.Uuid)))
    found = sa.select(*_KEY).where(_UNDECIDED, theirs).order_by(TickRow.agent_id)
    ended = found.with_for_update(key_share=True, skip_locked=not waits).subquery()
    called_off = {"state": "skipped", "decided_at": tx.sql_now, "lease_until": None, "outcome": {"skipped": why}}
    return tx.execute(
        sa.update(TickRow)
        .where(*_is_of(ended))
        .values(lease_token=TickRow.lease_token + 1, **called_off)
        .execution_options(synchronize_session=False)
    ).rowcount


def _is_of(keys: sa.Subquery) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    return TickRow.agent_id == keys.c.agent_id, TickRow.tick_no == keys.c.tick_no


def overdue(published_at: Any, publishes: Any, after_s: float | sa.ColumnElement[float]) -> sa.ColumnElement[bool]:
    """Say in SQL that a row's message must be sent: never sent, or sent long ago and not answered."""
    doubled = seconds(after_s) * sa.func.power(2, sa.func.greatest(sa.func.least(publishes, 7) - 1, 0))
    return sa.or_(published_at.is_(None), published_at < NOW - doubled)


def _update_free(query: sa.Select[uuid.UUID, int], **values: Any) -> Statement:
    """Return the statement that updates the ticks that a query selects, except locked ones, and returns their keys."""
    free = query.limit(sa.bindparam("limit", type_=sa.Integer)).with_for_update(skip_locked=True).subquery()
    return Statement(sa.update(TickRow).where(*_is_of(free)).values(**values).returning(*_KEY))


_POISONED = TickRow.lease_token > MAX_TOKENS
_RELEASE_EXPIRED = _update_free(
    sa.select(*_KEY).where(_UNDECIDED, TickRow.state == "deciding", TickRow.lease_until < NOW),
    state="due", lease_token=TickRow.lease_token + 1, lease_until=None, published_at=None,
)  # fmt: skip
_SKIP_HOPELESS = _update_free(
    sa.select(*_KEY).where(
        *_DUE, sa.or_(TickRow.due_at < NOW - seconds(sa.bindparam("too_old_s", type_=sa.Double)), _POISONED)
    ),
    state="skipped", decided_at=NOW,
    error=sa.case((_POISONED, "given up: every worker that claimed it died"), else_="too late"),
)  # fmt: skip
_REPUBLISH_DUE = _update_free(
    sa.select(*_KEY)
    .where(*_DUE, overdue(TickRow.published_at, TickRow.publishes, sa.bindparam("after_s", type_=sa.Double)))
    .order_by(TickRow.due_at),
    published_at=NOW, publishes=TickRow.publishes + 1,
)  # fmt: skip


def release_expired(tx: Tx, *, limit: int = 1000) -> list[TickKey]:
    """Give ticks of dead workers back: due again, with a new token, unpublished."""
    return [TickKey(*row) for row in tx.run(_RELEASE_EXPIRED, limit=limit)]


def skip_hopeless(tx: Tx, *, too_old_s: float, limit: int = 1000) -> list[TickKey]:
    """Skip due ticks that are too late to be useful, and those whose workers die while they decide."""
    return [TickKey(*row) for row in tx.run(_SKIP_HOPELESS, too_old_s=too_old_s, limit=limit)]


def republish_due(tx: Tx, *, after_s: float, limit: int = 1000) -> list[TickKey]:
    """Return ticks whose message is missing or was not claimed in time, marked as published again.

    The wait doubles each time, so that duplicates do not make a long queue longer.
    """
    return [TickKey(*row) for row in tx.run(_REPUBLISH_DUE, after_s=after_s, limit=limit)]


def get_tick(tx: Tx, key: TickKey) -> TickRow:
    """Return one tick. Raises NotFound."""
    row = tx.session.get(TickRow, (key.agent_id, key.tick_no))
    if row is None:
        raise NotFound(
            f"This agent has no tick {key.tick_no}.",
            fix="`fleet agents decisions AGENT` shows them; old ones are pruned.",
        )
    return row


def list_ticks(tx: Tx, agent_id: uuid.UUID, *, limit: int = 20, offset: int = 0,
               before: int | None = None) -> list[TickRow]:  # fmt: skip
    """Return an agent's ticks, newest first: its decision log. `before` is the last number of the page above."""
    query = sa.select(TickRow).where(TickRow.agent_id == agent_id).order_by(TickRow.tick_no.desc())
    if before is not None:
        query = query.where(TickRow.tick_no < before)
    return list(tx.session.scalars(query.limit(limit).offset(offset)))


def oldest_open_s(tx: Tx) -> float | None:
    """Return how long the oldest undecided tick has been due, in seconds; None if there is none."""
    value = tx.scalar(sa.select(sa.extract("epoch", tx.sql_now - sa.func.min(TickRow.due_at))).where(_UNDECIDED))
    return None if value is None else max(0.0, float(value))


def prune_ticks(tx: Tx, *, days: int, limit: int) -> int:
    """Delete decided and skipped ticks past their retention; return how many (call again while it is `limit`)."""
    victims = (
        sa.select(*_KEY)
        # Read once and first: no index can be searched for a value that changes from row to row.
        .where(TickRow.decided_at < sa.select(tx.sql_now).scalar_subquery() - seconds(days * 86400))
        .order_by(TickRow.decided_at)
        .limit(limit)
        .subquery()
    )
    return tx.execute(sa.delete(TickRow).where(*_is_of(victims))).rowcount
