"""A post's text from its provider's batch API, for half the price: order, snooze, poll, collect.

Called by the post handler where FLEET_LLM_BATCH is set. A batch holds one post: the price is the same however many it
holds, and a job then depends on no other. An order is submitted at most once; any failure falls back to a direct call.
Each stage is a step of the job, so a crash costs a poll and not a second payment.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from fleet.core import logs
from fleet.core.db import Tx
from fleet.engine.attempts.work import Work
from fleet.engine.jobs.outcomes import Held
from fleet.features.costs import budget_guard
from fleet.features.publishing.words.review_words import Turn
from fleet.llm.base import PostRequest, PostWords, Usage
from fleet.llm.errors import ModelError, NotPaidFor
from fleet.llm.writer import BatchWriter, StillRunning
from fleet.spending import ledger
from fleet.spending.ledger import Reservation

log = logs.get(__name__)
_ORDER, _ID, _CLOSED = "batch:order", "batch:id", "batch:closed"
_LONGEST_WAIT = timedelta(hours=24)
_TIME_TO_POST = timedelta(minutes=30)
"""The time that a post needs before it expires: for a direct call, a picture, retries."""
_WORTH_A_BATCH = timedelta(minutes=30)
_FIRST_LOOK, _LONGEST_LOOK = timedelta(minutes=1), timedelta(minutes=30)
_SKEW = timedelta(minutes=2)


def words(work: Work, request: PostRequest, turn: Turn) -> tuple[PostWords, Usage] | Held | None:
    """Return the text of the job's batch, or when to poll again; None to call a model directly."""
    batches = work.deps.batches(work.settings)
    if batches is None or turn.objections or "why" in (work.known(_CLOSED) or {}):
        return None
    now = work.deps.now()
    if work.known(_ORDER) is None:
        return _order(work, batches, request, turn, now)
    try:
        return _look(work, batches, request, now)
    except ModelError as error:
        log.warning("batch_not_seen", job_id=str(work.claim.job_id), reason=str(error)[:300])
        if now < _deadline(work):
            return _later(work, now)
        _leave(work, f"not seen: {error}")
        return None


def _order(
    work: Work, batches: BatchWriter, request: PostRequest, turn: Turn, now: datetime
) -> tuple[PostWords, Usage] | Held | None:
    """Set the money aside and hand the order in."""
    if _until(work, now) - now < _WORTH_A_BATCH:
        return None
    try:
        order = work.step(_ORDER, lambda: _reserved(work, batches, request, now))
    except NotPaidFor:
        return None
    try:
        batch_id = batches.submit({order["name"]: (request, turn.dice)})
    except ModelError as error:
        if error.unmetered:  # the response was lost and the batch may exist: the next poll searches for it
            return _later(work, now)
        _leave(work, str(error), settle=True)
        return None
    work.step(_ID, lambda: batch_id)
    return _later(work, now)


def _reserved(work: Work, batches: BatchWriter, request: PostRequest, now: datetime) -> dict[str, Any]:
    lasts_s = (_until(work, now) - now).total_seconds() + work.deps.settings.lease_s
    reserved = budget_guard.purse_of(work).reserve(batches.name, batches.estimate(request), for_s=lasts_s)
    return {
        "name": str(work.claim.job_id), "at": now.isoformat(), "provider": batches.name,
        "reservation": str(reserved.id) if reserved.id else None, "microusd": reserved.microusd,
    }  # fmt: skip


def _look(
    work: Work, batches: BatchWriter, request: PostRequest, now: datetime
) -> tuple[PostWords, Usage] | Held | None:
    """Collect the batch if it has ended, wait for it, or leave it when its time is over. Raises ModelError."""
    batch_id = work.known(_ID) or _found(work, batches)
    if batch_id is None:
        _leave(work, "it never came to the provider", settle=True)
        return None
    if isinstance(batch_id, str) and batches.ended(batch_id):
        return _collect(work, batches, request, batch_id)
    if now < _deadline(work):
        return _later(work, now)
    if isinstance(batch_id, str):
        batches.call_off(batch_id)
    _leave(work, "it took too long")
    return None


def _found(work: Work, batches: BatchWriter) -> str | StillRunning | None:
    """Search for a batch whose id was lost with a process or a response."""
    order = work.known(_ORDER)
    at, lease = _ordered_at(order), timedelta(seconds=work.deps.settings.lease_s)
    found = batches.find(order["name"], since=at - _SKEW, until=at + lease + _SKEW, within_s=work.words_within_s)
    return work.step(_ID, lambda: found) if isinstance(found, str) else found


def _collect(work: Work, batches: BatchWriter, request: PostRequest, batch_id: str) -> tuple[PostWords, Usage] | None:
    """Read the text and charge it, once. Reading it again after a crash is free."""
    name = work.known(_ORDER)["name"]
    result = batches.collect(batch_id, {name: request})[name]
    failed = isinstance(result, ModelError)
    usage = result.usage if isinstance(result, ModelError) else result[1]
    told = {"why": str(result)[:300]} if failed else {"microusd": usage.microusd}
    work.step(_CLOSED, lambda: told, also=partial(_settle, work, usage))
    if isinstance(result, ModelError) or not isinstance(result[0], PostWords):
        return None
    return result[0], usage


def _settle(work: Work, usage: Usage | None, tx: Tx) -> None:
    ledger.settle(tx, _reservation(work), usage.calls if usage else ())


def _leave(work: Work, why: str, *, settle: bool = False) -> None:
    """Give the batch up for a direct call. What is not settled the sweep will charge: it may have been billed."""
    log.warning("batch_left", job_id=str(work.claim.job_id), reason=why[:300])
    work.step(_CLOSED, lambda: {"why": why[:300]}, also=partial(_settle, work, None) if settle else None)


def _later(work: Work, now: datetime) -> Held:
    """Look again after half of the time that the batch has taken so far, between a minute and half an hour."""
    order = work.known(_ORDER)
    wait = min(max(_FIRST_LOOK, (now - _ordered_at(order)) / 2), _LONGEST_LOOK)
    return Held(f"a batch of {order['provider']} writes it", min(now + wait, max(now, _deadline(work))))


def _deadline(work: Work) -> datetime:
    return _until(work, _ordered_at(work.known(_ORDER)))


def _until(work: Work, ordered_at: datetime) -> datetime:
    return min(ordered_at + _LONGEST_WAIT, work.claim.expires_at - _TIME_TO_POST)


def _ordered_at(order: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(order["at"])


def _reservation(work: Work) -> Reservation:
    order = work.known(_ORDER)
    reserved = uuid.UUID(order["reservation"]) if order["reservation"] else None
    return Reservation(reserved, budget_guard.purse_of(work).spender, order["provider"], order["microusd"])
