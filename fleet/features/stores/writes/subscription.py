"""The job `subscribe_hooks`: have a shop deliver its events to Fleet, where its adapter can tell it so.

It is added with the store and after each full sync, since a shop may end a subscription whose deliveries failed. The
adapter reads what is subscribed and adds what is missing, so that the job can run at any time.
"""

from __future__ import annotations

import uuid

from fleet.accounts import service as accounts
from fleet.accounts.models import key_of
from fleet.adapters import registry as adapters
from fleet.adapters.base import AnyAction
from fleet.adapters.manifest import Capability
from fleet.adapters.webhook_signatures import SUBSCRIBE_HOOKS, SubscribeHooksPayload, secret_of
from fleet.core import ids
from fleet.core.db import Tx
from fleet.core.errors import FleetError
from fleet.engine import publish
from fleet.engine.attempts.work import Work
from fleet.engine.deps import Deps
from fleet.engine.jobs.ledger import NewJob
from fleet.engine.jobs.outcomes import Done, Skipped
from fleet.features.stores.models import StoreRow, SyncRunRow
from fleet.features.stores.rules import Strategy

PATH = "/hooks/in/store"
KIND = "subscribe_hooks"


def url_of(deps: Deps, name: str) -> str:
    """Return the address at which the store of an account receives deliveries."""
    return f"{deps.settings.web_url.rstrip('/')}{PATH}/{name}"


def secret(deps: Deps, account_id: uuid.UUID) -> str:
    """Return the secret by which the shop signs; empty if there is none, or its seal cannot be opened."""
    try:
        found = deps.accounts.get(account_id)
    except FleetError:
        return ""
    return "" if found.lost is not None else secret_of(found.access.credentials.get_secret_value())


def request(deps: Deps, tx: Tx, store: StoreRow, adapter: str, *, after: object) -> None:
    """Add the job, once after each event, if shops of this kind can be told an address and Fleet has one for them."""
    if adapter not in adapters.names() or not deps.settings.web_url.startswith("https://"):
        return
    if adapters.get(adapter).operation(SUBSCRIBE_HOOKS.name).capability is Capability.UNSUPPORTED:
        return
    job_id = ids.derived("subscribe hooks", store.account_id, after)
    publish.add_jobs(tx, deps.publisher, [NewJob(job_id, store.agent_id, KIND, adapter, account_id=store.account_id)])


def renew(tx: Tx, work: Work, outcome: Done) -> None:
    """Add the job after a full sync. Called in the transaction that records a part of a sync."""
    del outcome
    run = tx.session.get(SyncRunRow, uuid.UUID(str(work.claim.payload["run"])), populate_existing=True)
    if run is None or run.state != "done" or run.strategy != Strategy.FULL:
        return
    store = tx.session.get_one(StoreRow, run.account_id)
    request(work.deps, tx, store, work.claim.surface, after=run.id)


def prepare(work: Work) -> AnyAction | Skipped:
    """Return the subscription. A store without a secret is not subscribed: its deliveries would be refused."""
    account_id = key_of(work.claim.account_id)
    if not secret(work.deps, account_id):
        return Skipped("its credentials have no secret that signs deliveries")
    with work.deps.db.transaction() as tx:
        store = tx.session.get(StoreRow, account_id)
        if store is None or store.removed_at is not None:
            return Skipped("it is no store any more")
        url = url_of(work.deps, accounts.get(tx, account_id).name)
    return work.action(SUBSCRIBE_HOOKS, SubscribeHooksPayload(url))
