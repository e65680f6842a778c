"""Deliver an event to the receiver of a webhook: signed, to a public address, once for each accepted job.

At least once: after a crash between the response and its record the event is sent again, with the same Fleet-Delivery.
The lease is checked last, right before the call. The kill switch does not delay deliveries: they report it to
operators. Users who see jobs see only a job's outcome; event, receiver and error are in the webhook's deliveries.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, assert_never

from fleet.accounts import keys
from fleet.accounts.sealing import LostKey
from fleet.adapters.gateway import MARGIN_S, LeaseEnding
from fleet.core import logs
from fleet.core.db import Tx
from fleet.core.errors import NotFound
from fleet.core.failpoints import Point, reach
from fleet.core.masking import mask_all
from fleet.engine.agents import lookup
from fleet.engine.attempts.work import Work
from fleet.engine.jobs.outcomes import Dead, Done, Held, Retry, Skipped
from fleet.engine.jobs.states import DeadReason
from fleet.features.webhooks import secrets as hook_secrets
from fleet.features.webhooks import signatures
from fleet.features.webhooks.kinds import ALARM
from fleet.features.webhooks.outbound import answers, delivery, sending, subscriptions
from fleet.features.webhooks.outbound.answers import Later, Meaning, Never, Taken
from fleet.features.webhooks.outbound.deliveries import Tried
from fleet.features.webhooks.outbound.subscriptions import Subscription
from fleet.features.webhooks.settings import WebhooksSettings
from fleet.images.errors import ForbiddenAddress, OutOfReach
from fleet.web import links

log = logs.get(__name__)
_LOOK_AGAIN = timedelta(minutes=5)


def prepare(work: Work) -> Done | Skipped | Held | Retry | Dead:
    """Send the event, unless its receiver is removed, switched off or paused."""
    found = _subscription(work)
    if found is None:
        return Skipped("the webhook was removed")
    now = work.deps.now()
    obstacle = _obstacle(work, found, now)
    if obstacle is not None:
        return obstacle
    try:
        valid = _secrets(work, found, now)
    except LostKey as error:
        log.warning("webhook_secret_not_opened", hook=str(found.id), error=str(error))
        return Held(str(error), now + _LOOK_AGAIN, is_quiet=True)
    meaning, tried, is_closed = _send(work, found, valid, now)
    work.also = lambda tx: _note(tx, work, found, tried, meaning)
    match meaning:
        case Taken():
            return Done(result={"status": tried.status, "took_ms": tried.took_ms})
        case Later(why=why, after_s=after_s):
            return Retry(why, after_s)
        case Never(why=why):
            return Dead(DeadReason.POLICY if is_closed else DeadReason.PERMANENT, why)
        case _:
            assert_never(meaning)


def _subscription(work: Work) -> Subscription | None:
    try:
        with work.deps.db.transaction() as tx:
            return subscriptions.get(tx, uuid.UUID(work.claim.payload["subscription"]))
    except NotFound:
        return None


def _obstacle(work: Work, found: Subscription, now: datetime) -> Skipped | Held | None:
    if work.deps.settings.dry_run:
        return Skipped("dry run: nothing was sent")
    if work.claim.payload.get("trial"):  # a person tries it out: also while it is off, and at once
        return None
    if not found.active:
        return Skipped(f"the webhook is off: {found.disabled}")
    if work.claim.kind == ALARM:  # an alarm does not wait until its receiver is tried again
        return None
    until = answers.rests_until(found.failures, found.last_failure_at)
    if until is not None and now < until:
        return Held(
            f"its receiver failed {found.failures} times in a row; deliveries to it are paused", until, is_quiet=True
        )
    return None


def _secrets(work: Work, found: Subscription, now: datetime) -> list[str]:
    """Return the secrets that sign now, the newest first. Raises LostKey."""
    ring = keys.ring(work.deps.settings)
    valid = [hook_secrets.newest(ring, found)]
    if found.previous_until is not None and now < found.previous_until:
        older = hook_secrets.older(ring, found)
        valid += [] if older is None else [older]
    return valid


def _url(work: Work, told: Mapping[str, Any]) -> str | None:
    """Return the address at its surface of what an event says was published; None for other events."""
    if told["subject"] != links.PUBLISHED or not told["agent"]:
        return None
    names = lookup.names(work.deps.db, [uuid.UUID(told["agent"])])
    return links.url_of_payload(work.deps, told["payload"], lookup.username(names, uuid.UUID(told["agent"])))


def _send(work: Work, found: Subscription, valid: list[str], now: datetime) -> tuple[Meaning, Tried, bool]:
    """Make the call; return its result, and whether the address is forbidden."""
    told = work.claim.payload["event"]
    event = mask_all({**told, "url": _url(work, told)})
    body = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
    headers = [
        (signatures.OURS.encode(), signatures.signed(valid, int(now.timestamp()), body).encode()),
        (b"Fleet-Event-Id", str(event["id"]).encode()),
        (b"Fleet-Event-Subject", str(event["subject"]).encode()),
        (b"Fleet-Delivery", str(work.claim.job_id).encode()),
    ]
    rules = sending.rules(work.deps.settings.of(WebhooksSettings).hooks_allow)
    try:
        answer = sending.post(found.url, body, headers, rules=rules, within_s=_clear_to_send(work))
    except ForbiddenAddress as error:
        return Never("the receiver's address must not be called"), Tried(None, str(error), 0), True
    except OutOfReach as error:
        return Later("the receiver is out of reach"), Tried(None, str(error), 0), False
    reach(Point.JOB_SENT)
    tried = Tried(answer.status, answer.words, answer.took_ms)
    return answers.meaning(answer.status, answer.wish, now), tried, False


def _clear_to_send(work: Work) -> float:
    """Return how many seconds the call may take. Raises LeaseEnding."""
    left_s = work.lease.left_s() - MARGIN_S
    if left_s <= 0:
        raise LeaseEnding("the lease ends before the delivery could")
    reach(Point.JOB_CLEARED)
    return min(sending.TOTAL_S, left_s)


def _note(tx: Tx, work: Work, found: Subscription, tried: Tried, meaning: Meaning) -> None:
    claim = work.claim
    is_given_up = delivery.note(tx, claim.job_id, found.id, tried, is_taken=isinstance(meaning, Taken))
    if isinstance(meaning, Never) and meaning.gone:
        delivery.give_up(work.deps, tx, found, claim.agent_id, "its receiver answered 410: it wants nothing any more")
    elif is_given_up:
        why = f"its receiver has taken nothing for {answers.GIVEN_UP_AFTER.days} days"
        delivery.give_up(work.deps, tx, found, claim.agent_id, why)
