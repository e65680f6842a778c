"""Commands on webhooks: subscriptions, their deliveries, and sources. Each is one transaction.

A secret is returned once, when it is made. Every change by people is an event and a line of the audit log; neither has
a whole address, since receivers put tokens into theirs.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fleet.access import audit
from fleet.accounts import keys
from fleet.core import events, ids
from fleet.core.db import Tx
from fleet.core.errors import InvalidInput
from fleet.core.subjects import refuse_unknown
from fleet.engine import registry
from fleet.engine.deps import Deps
from fleet.engine.events import positions
from fleet.engine.jobs import queries as job_queries
from fleet.engine.jobs.queries import JobFilter
from fleet.features.jobs import commands as job_commands
from fleet.features.webhooks import secrets as hook_secrets
from fleet.features.webhooks.outbound import alarms, deliveries, delivery, sending, subscriptions
from fleet.features.webhooks.outbound.deliveries import Delivery, LastFailure
from fleet.features.webhooks.outbound.positions import WEBHOOKS
from fleet.features.webhooks.outbound.subscriptions import Subscription, SubscriptionFields
from fleet.features.webhooks.settings import WebhooksSettings
from fleet.images.errors import ForbiddenAddress


@dataclass(frozen=True, slots=True)
class Made:
    """A subscription and its secret, which is shown only now."""

    subscription: Subscription
    secret: str


def create(deps: Deps, wanted: SubscriptionFields, *, by: str) -> Made:
    """Add a subscription.

    Raises InvalidInput for a forbidden address and an unknown subject, Conflict where there are as many webhooks as
    FLEET_HOOKS_LIMIT allows.
    """
    wanted = _checked(deps, wanted)
    subscription_id, secret = ids.new(), hook_secrets.fresh()
    sealed = hook_secrets.seal_subscriptions(keys.ring(deps.settings), subscription_id, secret)
    most = deps.settings.of(WebhooksSettings).hooks_limit
    with deps.db.transaction() as tx:
        positions.standing(tx, WEBHOOKS)  # the first webhook may be there before the agent that reads for it has woken
        made = subscriptions.create(tx, subscription_id, wanted, sealed, by=by, most=most)
        if wanted.alarm:
            alarms.begin(tx, subscription_id)
        _tell(tx, "hook.created", made, by, after=_shown(made))
    return Made(made, secret)


def listed(deps: Deps) -> list[Subscription]:
    """Return all subscriptions, oldest first."""
    with deps.db.transaction() as tx:
        return subscriptions.listed(tx)


def get(deps: Deps, prefix: str) -> Subscription:
    """Return a subscription by its id or the beginning of it. Raises NotFound, InvalidInput."""
    with deps.db.transaction() as tx:
        return subscriptions.get(tx, subscriptions.find(tx, prefix))


def find(deps: Deps, prefix: str) -> uuid.UUID:
    """Return the id of a subscription by its beginning. Raises NotFound, InvalidInput."""
    with deps.db.transaction() as tx:
        return subscriptions.find(tx, prefix)


def change(deps: Deps, subscription_id: uuid.UUID, wanted: SubscriptionFields, *, by: str) -> Subscription:
    """Change address, subjects and description. Raises InvalidInput, NotFound."""
    wanted = _checked(deps, wanted)
    with deps.db.transaction() as tx:
        before = subscriptions.get(tx, subscription_id, lock=True)
        subscriptions.change(tx, subscription_id, wanted)
        if wanted.alarm and not before.alarm:
            alarms.begin(tx, subscription_id)
        after = subscriptions.get(tx, subscription_id)
        _tell(tx, "hook.changed", after, by, before=_shown(before), after=_shown(after))
        return after


def switch(deps: Deps, subscription_id: uuid.UUID, *, on: bool, by: str) -> bool:
    """Switch a subscription on, for events from now on, or off; False if it was so already. Raises NotFound."""
    with deps.db.transaction() as tx:
        found = subscriptions.get(tx, subscription_id)
        changed = (
            subscriptions.switch_on(tx, subscription_id)
            if on
            else subscriptions.switch_off(tx, subscription_id, f"by {by}")
        )
        if changed:
            delivery.let_go(tx, subscription_id, f"the webhook was switched off by {by}")
            _tell(tx, "hook.enabled" if on else "hook.disabled", found, by, after={"active": on})
        return changed


def rotate(deps: Deps, subscription_id: uuid.UUID, *, by: str) -> str:
    """Give a subscription a new secret and return it; the old one signs for another day, too.

    Raises NotFound, Conflict within that day, LostKey.
    """
    ring, secret = keys.ring(deps.settings), hook_secrets.fresh()
    with deps.db.transaction() as tx:
        found = subscriptions.get(tx, subscription_id, lock=True)
        older = hook_secrets.seal_older(ring, found.id, hook_secrets.newest(ring, found))
        subscriptions.rotate(tx, found.id, hook_secrets.seal_subscriptions(ring, found.id, secret), older)
        _tell(tx, "hook.rotated", found, by)
    return secret


def remove(deps: Deps, subscription_id: uuid.UUID, *, by: str) -> None:
    """Forget a subscription with its deliveries. Raises NotFound."""
    with deps.db.transaction() as tx:
        found = subscriptions.get(tx, subscription_id, lock=True)
        delivery.let_go(tx, subscription_id, "the webhook was removed")
        subscriptions.remove(tx, subscription_id)
        _tell(tx, "hook.removed", found, by, before=_shown(found))


def test(deps: Deps, subscription_id: uuid.UUID, *, by: str) -> uuid.UUID:
    """Send a receiver an event of no meaning, also while it is switched off; return the job. Raises NotFound."""
    with deps.db.transaction() as tx:
        found = subscriptions.get(tx, subscription_id)
        job = delivery.trial(delivery.agent_id(tx), found.id, tx.now().isoformat(), by=by)
        delivery.add(deps, tx, [job])
        audit.note(tx, "hook.tested", f"hook:{found.id}")
        return job.id


def history(deps: Deps, subscription_id: uuid.UUID, *, state: str | None = None, before: uuid.UUID | None = None,
            limit: int = 50) -> list[Delivery]:  # fmt: skip
    """Return a subscription's deliveries newest first; `before` is the last job of the page above. Raises NotFound."""
    with deps.db.transaction() as tx:
        subscriptions.get(tx, subscription_id)
        return deliveries.page(tx, subscription_id, state=state, before=before, limit=limit)


def trouble(deps: Deps, subscription_id: uuid.UUID) -> LastFailure | None:
    """Return the last failure of a webhook and when it is tried next; None where nothing fails."""
    with deps.db.transaction() as tx:
        return deliveries.trouble(tx, subscription_id)


def counts(deps: Deps, subscription_id: uuid.UUID) -> dict[str, int]:
    """Return how many of a subscription's newest thousand deliveries are in each state."""
    with deps.db.transaction() as tx:
        return deliveries.counts(tx, subscription_id)


def resolved(deps: Deps, prefixes: Sequence[str]) -> tuple[uuid.UUID, ...]:
    """Return the jobs of deliveries by their ids or the beginnings of them. Raises NotFound, InvalidInput."""
    with deps.db.transaction() as tx:
        return tuple(job_queries.resolve_prefix(tx, one) for one in prefixes)


def replay_failed(deps: Deps, subscription_id: uuid.UUID, *, only: Sequence[uuid.UUID] = (), by: str) -> int:
    """Bring a subscription's dead letters back to life, all or some; return how many. Raises NotFound."""
    with deps.db.transaction() as tx:
        found = subscriptions.get(tx, subscription_id)
        dead = [one for one in deliveries.failed(tx, found.id) if not only or one in only]
        if not dead:
            return 0
        number = job_commands.bring_back(deps, tx, JobFilter(ids=tuple(dead)), by=by, allow_stale=True)
        audit.note(tx, "hook.replayed", f"hook:{found.id}", after={"deliveries": number})
        return number


def _checked(deps: Deps, wanted: SubscriptionFields) -> SubscriptionFields:
    """Return the address in normal form. DNS is asked outside of any transaction; every delivery asks it again."""
    wanted = subscriptions.checked(wanted)
    known = registry.current().subjects
    _refuse_unheard_of(deps, [one for one in wanted.subjects if not one.endswith("*") and one not in known])
    try:
        sending.check(wanted.url, sending.rules(deps.settings.of(WebhooksSettings).hooks_allow))
    except ForbiddenAddress as error:
        raise InvalidInput(error.message, fix=error.fix) from error
    return wanted


def _refuse_unheard_of(deps: Deps, names: Sequence[str]) -> None:
    """Raise InvalidInput for a subject that no event has or ever had here: its receiver would wait for ever."""
    for name in names:
        with deps.db.transaction() as tx:
            if events.latest(tx, subjects=(name,), limit=1):
                continue
        refuse_unknown([name], registry.current().subjects)


def _shown(found: Subscription) -> dict[str, Any]:
    shown = {"host": found.host, "subjects": list(found.subjects), "description": found.description}
    return {**shown, "alarm": found.alarm}


def _tell(tx: Tx, what: str, found: Subscription, by: str, *, before: Mapping[str, Any] | None = None,
          after: Mapping[str, Any] | None = None) -> None:  # fmt: skip
    events.emit(tx, what, hook=str(found.id), name=found.name, by=by)
    audit.note(tx, what, f"hook:{found.id}", before=before, after=after)
