"""Find products whose texts have gaps, and have them written: by people, or after a sync within a bound by day."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONPATH

from fleet.access import audit
from fleet.accounts.models import AccountRow
from fleet.core.db import Tx
from fleet.core.errors import Conflict, InvalidInput
from fleet.engine import publish
from fleet.engine.attempts.work import Work
from fleet.engine.deps import Deps
from fleet.engine.jobs.ledger import NewJob
from fleet.engine.jobs.models import JobRow
from fleet.engine.jobs.outcomes import Done
from fleet.features.approvals.models import RequestRow
from fleet.features.approvals.states import RequestState
from fleet.features.product_content import facts, rules
from fleet.features.product_content.kinds import ACTION, RESOURCE, WRITE
from fleet.features.product_content.rules import ContentMode
from fleet.features.product_content.settings import ProductContentSettings
from fleet.features.products.models import ProductRow
from fleet.features.stores import service as stores
from fleet.features.stores.models import ExternalRefRow, StoreRow
from fleet.features.stores.state.context import StoreContext, context_for
from fleet.features.stores.writes.plan import new_job

MOST_AT_ONCE = 100
_AGAIN = timedelta(days=30)
_NO_ALT = sa.func.jsonb_path_exists(ProductRow.images, sa.cast('$[*] ? (@.alt_text == "")', JSONPATH))


@dataclass(frozen=True, slots=True)
class ContentGap:
    """A product whose texts lack something. `request_id` is that of a proposal that waits."""

    product_id: uuid.UUID
    title: str
    gaps: tuple[str, ...]
    request_id: uuid.UUID | None


def settings_of(deps: Deps, store: StoreRow) -> ProductContentSettings:
    """Return the settings of a store."""
    return deps.settings_of(None, store.account_id, None, store.organisation_id).of(ProductContentSettings)


def listed(deps: Deps, tx: Tx, store_name: str, *, limit: int, below: str = "") -> Sequence[ContentGap]:
    """Return active products at a store whose texts have gaps, by title. Raises NotFound."""
    store, _ = stores.named(tx, store_name)
    settings = settings_of(deps, store)
    found = []
    for product_id in _with_gaps(tx, store, settings, limit=limit, after=below):
        one = facts.of(tx, product_id)
        found.append(ContentGap(
            product_id, one.row.title,
            rules.gaps(one.texts, one.limits, shortest=settings.product_content_shortest), _waiting(tx, product_id),
        ))  # fmt: skip
    return found


def request(deps: Deps, store_name: str, product_ids: Sequence[uuid.UUID], *, by: str) -> list[uuid.UUID]:
    """Have texts of products written for a store; return the jobs. Raises NotFound, Conflict where it is off."""
    if not 1 <= len(product_ids) <= MOST_AT_ONCE:
        raise InvalidInput(f"Name 1 to {MOST_AT_ONCE} products.")
    with deps.db.transaction() as tx:
        store, _ = stores.named(tx, store_name)
        if ContentMode(settings_of(deps, store).product_content_mode) is ContentMode.OFF:
            raise Conflict("Texts of products are switched off for this store.",
                           fix=f"`fleet settings set product_content_mode ask --account {store_name}`")  # fmt: skip
        for product_id in product_ids:
            facts.of(tx, product_id)  # raises for one that is not there
        jobs = _jobs(context_for(deps, tx, store, requested_by=by), product_ids)
        publish.add_jobs(tx, deps.publisher, jobs)
        for one in jobs:
            audit.note(tx, "product.content_requested", f"product:{one.target}", after={"store": store_name})
        return [one.id for one in jobs]


def synced(tx: Tx, work: Work, outcome: Done) -> None:
    """Have texts written for products with gaps, in the transaction that records the success of a sync."""
    del outcome
    store = tx.session.get(StoreRow, work.claim.account_id)
    if store is None or store.removed_at is not None:
        return
    settings = settings_of(work.deps, store)
    mode = ContentMode(settings.product_content_mode)
    if mode is not ContentMode.PROPOSE:
        return
    job = JobRow
    mine = (job.agent_id == store.agent_id, job.kind == WRITE)
    today = tx.scalar(
        sa.select(sa.func.count()).select_from(job).where(*mine, job.created_at > tx.now() - timedelta(days=1))
    )
    lately = sa.select(job.target).where(*mine, job.created_at > tx.now() - _AGAIN)
    waiting = _with_gaps(tx, store, settings, limit=settings.product_content_a_day,
                         but=~sa.cast(ProductRow.id, sa.Text).in_(lately))  # fmt: skip
    chosen = rules.choose(map(str, waiting), mode=mode, written_today=today or 0, a_day=settings.product_content_a_day)
    context = context_for(work.deps, tx, store)
    publish.add_jobs(tx, work.deps.publisher, _jobs(context, [uuid.UUID(one) for one in chosen]))


def _jobs(context: StoreContext, product_ids: Sequence[uuid.UUID]) -> list[NewJob]:
    return [new_job(context, WRITE, target=str(one), payload={"product": str(one)}) for one in product_ids]


def _with_gaps(
    tx: Tx, store: StoreRow, settings: ProductContentSettings, *, limit: int, after: str = "",
    but: sa.ColumnElement[bool] | None = None,
) -> Sequence[uuid.UUID]:  # fmt: skip
    row, ref = ProductRow, ExternalRefRow
    at = sa.select(ref.local_id).where(ref.account_id == store.account_id, ref.kind == "product", ref.state == "mapped")
    short = sa.func.length(row.description) < settings.product_content_shortest
    query = sa.select(row.id).where(row.id.in_(at), row.status == "active", short | _NO_ALT)
    query = query.where(sa.literal(True) if but is None else but)
    if after:
        query = query.where(row.id > uuid.UUID(after))
    return list(tx.session.scalars(query.order_by(row.id).limit(limit)))


def _waiting(tx: Tx, product_id: uuid.UUID) -> uuid.UUID | None:
    row = RequestRow
    which = (row.resource == RESOURCE, row.action == ACTION, row.resource_id == str(product_id))
    found: uuid.UUID | None = tx.scalar(sa.select(row.id).where(*which, row.state == RequestState.PENDING))
    return found


def names(tx: Tx) -> Mapping[uuid.UUID, str]:
    """Return the names of stores by account."""

    query = sa.select(StoreRow.account_id, AccountRow.name).join(AccountRow, AccountRow.id == StoreRow.account_id)
    return dict(tx.execute(query.where(StoreRow.removed_at.is_(None)).order_by(AccountRow.name)).tuples().all())
