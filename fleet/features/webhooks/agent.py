"""The webhook agent: reads events from its position, and adds one job for each delivery.

The position advances in the transaction that records the decision and adds its jobs. After a crash before that, events
are read again; an event that is read twice is one job, whose id follows from the subscription and the event. All
webhooks share one position except those that are behind: a webhook with too many waiting deliveries keeps its own until
there is room for more.
"""

from __future__ import annotations

import functools
import uuid
from collections.abc import Mapping, Sequence

from fleet.core import events, ids, logs
from fleet.core.db import Tx
from fleet.core.events import Event, Position
from fleet.core.subjects import matches
from fleet.engine import publish
from fleet.engine.agent_type import Acts, ClaimedAgent
from fleet.engine.agents import loop
from fleet.engine.deps import Deps
from fleet.engine.events import positions
from fleet.engine.jobs import pacing, usage
from fleet.engine.jobs.ledger import NewJob
from fleet.features.webhooks.kinds import DELIVER, HANDLE
from fleet.features.webhooks.outbound import delivery, lanes, subscriptions
from fleet.features.webhooks.outbound import positions as webhook_positions
from fleet.features.webhooks.outbound.subscriptions import Subscription
from fleet.features.webhooks.rules import (
    ActiveSubscription,
    DeliveryDecision,
    EventObservation,
    Happened,
    Laggard,
    Place,
    WaitingSubscriber,
    decide,
    from_data,
    to_data,
)
from fleet.features.webhooks.settings import WebhooksSettings
from fleet.features.webhooks.subscribers import in_code as subscribers

__all__ = ["act", "decide", "from_data", "gather", "to_data"]
MOST_READ = 2000
_MOST_LAGGARDS = 8
_MOST_OF_A_LAGGARD = 200
log = logs.get(__name__)


def gather(deps: Deps, claimed: ClaimedAgent) -> EventObservation:
    """Read new events, active subscriptions, and waiting subscribers."""
    with deps.db.transaction() as tx:
        at = positions.standing(tx, webhook_positions.WEBHOOKS)
        active = {one.id: _listener(deps, one, live) for live in [pacing.live(tx, DELIVER)]
                  for one in subscriptions.listed(tx) if one.active}  # fmt: skip
        behind = {one: place for one, place in webhook_positions.behind(tx).items() if one in active}
        late = [one for one in behind if active[one].room > 0][:_MOST_LAGGARDS]
        laggards = tuple(_laggard(tx, active[one], behind[one], at, claimed.agent.id) for one in late)
        listening = {one.id for one in laggards if one.caught_up} | (active.keys() - behind.keys())
        listeners = tuple(one for one in active.values() if one.id in listening)
        # Without subscriptions there is no need to read events.
        found = events.read_after(tx, at, limit=MOST_READ) if listeners else []
        reached = _end_of(found, at) if listeners else max(at, events.tail_position(tx))
        busy = usage.open_targets(tx, claimed.agent.id, HANDLE)
        waiting = [_waiting(tx, one, claimed.agent.id, busy) for one in subscribers.subscribers()]
    wanted = [subject for one in listeners for subject in one.subjects]
    more = any(not one.caught_up and len(one.events) < active[one.id].room for one in laggards)
    return EventObservation(
        _place(at), _place(reached), len(found) == MOST_READ or more or any(is_full for _, is_full in waiting),
        tuple(
            _happened(event)
            for event in found
            if not delivery.is_own(event, claimed.agent.id) and any(matches(event.subject, one) for one in wanted)
        ),
        listeners,
        tuple(one for one, _ in waiting),
        laggards,
    )  # fmt: skip


def _listener(deps: Deps, one: Subscription, live: Mapping[str, int]) -> ActiveSubscription:
    most = deps.settings.of(WebhooksSettings).hooks_waiting
    room = lanes.room_to_wait(one.failures, live.get(str(one.id), 0), most=most)
    return ActiveSubscription(one.id, tuple(one.subjects), one.active_since, room)


def _happened(event: Event) -> Happened:
    return Happened(_place(event.position), event.subject, event.occurred_at)


def _laggard(tx: Tx, listener: ActiveSubscription, stands: Position, at: Position, agent_id: uuid.UUID) -> Laggard:
    """Read for a webhook that is behind, from its own position up to the common one."""
    read = events.read_after(tx, stands, limit=MOST_READ)
    found = [event for event in read if event.position <= at]
    is_end = len(found) < len(read) or len(read) < MOST_READ
    reached = at if is_end else found[-1].position
    wanted: list[Place] = []
    for event in found:
        if delivery.is_own(event, agent_id) or not listener.wants(_happened(event)):
            continue
        if len(wanted) == min(listener.room, _MOST_OF_A_LAGGARD):
            return Laggard(listener.id, tuple(wanted), wanted[-1], caught_up=False)
        wanted.append(_place(event.position))
    return Laggard(listener.id, tuple(wanted), _place(reached), caught_up=is_end)


def _waiting(
    tx: Tx, one: subscribers.Installed, agent_id: uuid.UUID, busy: frozenset[str]
) -> tuple[WaitingSubscriber, bool]:
    """Return the waiting subscriber in code, and whether there are more events than were read."""
    at = positions.standing(tx, webhook_positions.of_code(one.name))
    if one.name in busy:
        return WaitingSubscriber(one.name, _place(at), _place(at), wanted=False, busy=True), False
    found = events.read_after(tx, at, limit=MOST_READ)
    wanted = any(one.wants(event) and not delivery.is_own(event, agent_id) for event in found)
    return WaitingSubscriber(one.name, _place(at), _place(_end_of(found, at)), wanted, busy=False), len(
        found
    ) == MOST_READ


def _end_of(found: Sequence[Event], at: Position) -> Position:
    return found[-1].position if found else at


def act(deps: Deps, claimed: ClaimedAgent, decision: DeliveryDecision) -> Acts:
    """Return the writes of the decision; none without events."""
    if decision.changes_nothing:
        return Acts(())
    return Acts((), functools.partial(_written, deps, claimed, decision))


def _written(deps: Deps, claimed: ClaimedAgent, decision: DeliveryDecision, tx: Tx) -> None:
    """Advance the positions, and add the jobs for the events between; none if another tick has advanced them."""
    if not positions.advance(tx, webhook_positions.WEBHOOKS, Position(*decision.at), Position(*decision.reached)):
        log.warning("position_was_moved", reader=webhook_positions.WEBHOOKS)
        return
    for name, at, reached in decision.moves:
        positions.advance(tx, webhook_positions.of_code(name), Position(*at), Position(*reached))
    found = events.of_ids(tx, sorted({place[1] for _, place in decision.deliveries}))
    alarms = {one.id for one in subscriptions.listed(tx) if one.alarm}
    jobs = [
        delivery.job(claimed.agent.id, subscription_id, found[Position(*place)], alarm=subscription_id in alarms)
        for subscription_id, place in decision.deliveries if Position(*place) in found
    ]  # fmt: skip
    delivery.add(deps, tx, jobs)
    for subscription_id in decision.caught_up:
        positions.forget(tx, webhook_positions.of_webhook(subscription_id))
    for subscription_id, place in decision.behind:
        webhook_positions.fall_behind(tx, subscription_id, Position(*place))
    if decision.more:
        loop.wake(tx, claimed.agent.id)
    calls = [_call(claimed, ordinal, name) for ordinal, name in enumerate(decision.calls)]
    publish.add_jobs(tx, deps.publisher, calls)


def _call(claimed: ClaimedAgent, ordinal: int, name: str) -> NewJob:
    key = claimed.tick.key
    return NewJob(
        ids.job(claimed.agent.id, key.tick_no, ordinal), claimed.agent.id, HANDLE, claimed.agent.surface,
        key.tick_no, target=name,
    )  # fmt: skip


def _place(position: Position) -> Place:
    return position.txid, position.id
