"""The verbs of prices: run, record proposals, apply, settle, accept, dismiss, undo, measure. Each is given a `tx`.

A price is written through `products.service`, so that stores get it as any other change of the catalogue. Floor, cost
and bounds are checked again, from fresh figures, in the transaction that writes it.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from fleet.access import audit
from fleet.adapters.shops import Money
from fleet.core import events, ids
from fleet.core.db import Tx
from fleet.core.errors import Conflict, NotFound
from fleet.engine import publish
from fleet.engine.agents.models import AgentRow
from fleet.engine.deps import Deps
from fleet.engine.jobs.ledger import NewJob
from fleet.features.approvals import service as approvals
from fleet.features.approvals.request import Ended, Proposal
from fleet.features.approvals.requests import moves
from fleet.features.approvals.rules import Person
from fleet.features.pricing import gather
from fleet.features.pricing.decisions import rules
from fleet.features.pricing.decisions.rules import PricePlan
from fleet.features.pricing.gather import PricedVariant
from fleet.features.pricing.models import PriceProposalRow, PriceState, PricingRunRow
from fleet.features.pricing.settings import PricingSettings
from fleet.features.products import service as products
from fleet.features.products.models import VariantRow

JOB, KIND, USERNAME = "pricing_run", "pricing", "fleet_pricing"
RESOURCE, ACTION = "price", "change"
_ROW = PriceProposalRow
_DAY = timedelta(days=1)
_QUIET = 7 * _DAY
"""A variant whose proposal was dismissed or undone is left alone for this long."""


def settings_of(deps: Deps, organisation_id: uuid.UUID) -> PricingSettings:
    """Return the settings of an organisation."""
    return deps.settings_of(None, organisation_id=organisation_id).of(PricingSettings)


def request(deps: Deps, organisation_id: uuid.UUID, *, by: str) -> uuid.UUID:
    """Have the pricing agent look at all prices of an organisation now; return the id of the job, which is its run's.

    Raises Conflict without an agent.
    """
    with deps.db.transaction() as tx:
        agent = tx.execute(
            sa.select(AgentRow.id, AgentRow.surface).where(AgentRow.kind == KIND, AgentRow.deleted_at.is_(None))
        ).first()
        if agent is None:
            raise Conflict("This fleet has no pricing agent.", fix="`fleet migrate` creates the agents of the fleet.")
        job = NewJob(ids.new(), agent.id, JOB, agent.surface, payload={"organisation": str(organisation_id)},
                     requested_by=by)  # fmt: skip
        publish.add_jobs(tx, deps.publisher, [job])
        audit.note(tx, "pricing.requested", f"organisation:{organisation_id}")
    return job.id


def record(
    deps: Deps, tx: Tx, run: PricingRunRow, agent_id: uuid.UUID, plans: Sequence[tuple[PricedVariant, PricePlan]]
) -> int:
    """Store a run with its proposals, and ask for their approval; return how many are new.

    A rule that approves by itself applies them at once, up to the changes of a day.
    """
    settings = settings_of(deps, run.organisation_id)
    _lock(tx, run.organisation_id)
    _withdraw_overtaken(tx, run.organisation_id)
    busy = set(tx.session.scalars(sa.select(_ROW.variant_id).where(
        _ROW.organisation_id == run.organisation_id,
        (_ROW.state == PriceState.OPEN)
        | (_ROW.state.in_((PriceState.DISMISSED, PriceState.UNDONE))
           & (sa.func.coalesce(_ROW.undone_at, _ROW.decided_at) > tx.sql_now - _QUIET)),
    )))  # fmt: skip
    new = [(variant, plan) for variant, plan in plans if variant.variant_id not in busy]
    run.proposals = len(new)
    tx.session.add(run)
    tx.session.flush()
    for variant, plan in new:
        row = _row(run, variant, plan)
        tx.session.add(row)
        tx.session.flush()
        is_full = _changes_today(tx, run.organisation_id) >= settings.pricing_changes_per_day
        _ask(deps, tx, row, variant, agent_id, needs_person=is_full)
    events.emit(tx, "pricing.run", agent_id=agent_id, organisation=str(run.organisation_id), run=str(run.id),
                variants=run.variants, proposals=len(new), page="/pricing")  # fmt: skip
    return len(new)


def _row(run: PricingRunRow, variant: PricedVariant, plan: PricePlan) -> PriceProposalRow:
    return PriceProposalRow(
        id=ids.derived("price proposal", run.id, variant.variant_id), organisation_id=run.organisation_id,
        variant_id=variant.variant_id, run_id=run.id, currency=variant.currency, before_minor=variant.facts.price,
        after_minor=plan.after, basis=plan.basis, words=plan.words[:300], evidence=dict(plan.evidence),
        expected={"profit": plan.profit, "low": plan.low, "high": plan.high}, state=PriceState.OPEN,
    )  # fmt: skip


def _ask(
    deps: Deps, tx: Tx, row: PriceProposalRow, variant: PricedVariant, agent_id: uuid.UUID, *, needs_person: bool
) -> None:
    before, after = Money(row.before_minor, row.currency), Money(row.after_minor, row.currency)
    change = 100 * (row.after_minor - row.before_minor) / row.before_minor
    shown = {"sku": variant.sku, "product": variant.title}
    proposal = Proposal(
        resource=RESOURCE, resource_id=str(row.id), action=ACTION, agent_id=agent_id, requested_by=f"agent:{USERNAME}",
        summary=f"Price of {variant.sku or variant.title}: {before} to {after}, {row.words}"[:300],
        before={**shown, "price": str(before)},
        payload={**shown, "price": str(after), "why": row.words, "evidence": row.evidence, "expected": row.expected},
        facts={"change_percent": round(change, 2), "size_percent": round(abs(change), 2), "basis": row.basis,
               "sku": variant.sku, "is_assumed": row.evidence["is_assumed"]},
        expiration=7 * _DAY, needs_person=needs_person, organisation_id=row.organisation_id,
    )  # fmt: skip
    try:
        with tx.session.begin_nested():
            asked = approvals.propose(deps, tx, proposal)
    except Ended as error:
        _end(tx, row, PriceState.OVERTAKEN, why=error.message)
        return
    row.request_id = asked.id
    tx.session.flush()


def apply(deps: Deps, tx: Tx, proposal_id: uuid.UUID, *, by: str) -> None:
    """Write the price of an approved proposal. Raises Ended where price, bounds or floor have changed since."""
    row = _locked(tx, proposal_id)
    if row.state != PriceState.OPEN:
        raise Ended(f"The proposal is {row.state}.")
    _lock(tx, row.organisation_id)
    tx.execute(sa.select(VariantRow.id).where(VariantRow.id == row.variant_id).with_for_update(key_share=True))
    settings = settings_of(deps, row.organisation_id)
    found = gather.variants(deps, tx, row.organisation_id, settings, [row.variant_id])
    if not found:
        raise Ended("The variant is gone, or has no price any more.")
    (variant,) = found
    if variant.facts.price != row.before_minor or variant.currency != row.currency:
        raise Ended("The price was changed since.")
    wrong = rules.check(row.after_minor, variant.facts, settings.bounds)
    if wrong:
        raise Ended(f"The price can no longer be set: {wrong}.")
    if _changes_today(tx, row.organisation_id) >= settings.pricing_changes_per_day:
        raise Conflict("The prices that may change within a day have changed.", fix="Approve it tomorrow.")
    products.change_variant(tx, row.variant_id, {"price": Money(row.after_minor, row.currency)},
                            origin=f"agent:{USERNAME}")  # fmt: skip
    row.applied_at = tx.now()
    _end(tx, row, PriceState.APPLIED, by=by)


def _end(tx: Tx, row: PriceProposalRow, state: PriceState, *, by: str = "", why: str = "") -> None:
    row.state, row.decided_at, row.decided_by, row.why = state, tx.now(), by[:100] or None, why[:300]
    tx.session.flush()
    sku = tx.scalar(sa.select(VariantRow.sku).where(VariantRow.id == row.variant_id))
    events.emit(tx, "pricing.decided", organisation=str(row.organisation_id), proposal=str(row.id), sku=sku,
                before=str(Money(row.before_minor, row.currency)), after=str(Money(row.after_minor, row.currency)),
                state=state.value, by=by, why=why, page="/pricing")  # fmt: skip


def settle(tx: Tx, proposal_id: uuid.UUID, state: PriceState, *, by: str, why: str) -> None:
    """Record that an open proposal is not applied; one that ended already stays as it is."""
    row = tx.session.get(_ROW, proposal_id, with_for_update=True, populate_existing=True)
    if row is not None and row.state == PriceState.OPEN:
        _end(tx, row, state, by=by, why=why)


def accept(deps: Deps, proposal_id: uuid.UUID, person: Person) -> bool:
    """Approve a proposal; True if its price is in force now, False if more people have to approve it.

    Raises NotFound, and what the approval raises.
    """
    return approvals.approve_one(deps, _request(deps, proposal_id), person)


def dismiss(deps: Deps, proposal_id: uuid.UUID, person: Person, reason: str) -> None:
    """Reject a proposal, with the reason. Raises NotFound, and what the rejection raises."""
    approvals.reject_one(deps, _request(deps, proposal_id), person, reason)


def _request(deps: Deps, proposal_id: uuid.UUID) -> uuid.UUID:
    with deps.db.transaction() as tx:
        row = tx.session.get(_ROW, proposal_id)
        if row is None:
            raise _no_proposal(proposal_id)
        if row.request_id is None or row.state != PriceState.OPEN:
            raise Conflict(f"The proposal is {row.state}.", fix="`fleet pricing list` shows the open ones.")
        return row.request_id


def undo(tx: Tx, proposal_id: uuid.UUID, *, by: str) -> PriceProposalRow:
    """Restore the price before an applied proposal. Raises NotFound, Conflict if it is not in force any more.

    The floor and the cost hold for the restored price too.
    """
    row = _locked(tx, proposal_id)
    if row.state != PriceState.APPLIED:
        raise Conflict(f"The proposal is {row.state}, not applied.", fix="`fleet pricing list --state applied`.")
    variant = tx.session.get(VariantRow, row.variant_id, with_for_update=True, populate_existing=True)
    if variant is None or variant.removed_at is not None:
        raise Conflict("The variant was removed.")
    if variant.price_minor != row.after_minor or variant.currency != row.currency:
        raise Conflict("The price was changed since.", fix="Change it on the page of the product.")
    least = max((one for one in (variant.floor_minor, variant.cost_minor) if one is not None), default=0)
    if row.before_minor < least:
        raise Conflict("The earlier price is below the floor or the cost of now.", fix="Set another price by hand.")
    products.change_variant(tx, row.variant_id, {"price": Money(row.before_minor, row.currency)}, origin=_origin(by))
    row.state, row.undone_at = PriceState.UNDONE, tx.now()
    tx.session.flush()
    events.emit(tx, "pricing.undone", organisation=str(row.organisation_id), proposal=str(row.id), sku=variant.sku,
                price=str(Money(row.before_minor, row.currency)), by=by, page="/pricing")  # fmt: skip
    audit.note(tx, "price.undone", f"product:{variant.product_id}", before={"price": row.after_minor},
               after={"price": row.before_minor})  # fmt: skip
    return row


def _origin(by: str) -> str:
    return f"user:{by.partition(':')[2] or by}"


def _withdraw_overtaken(tx: Tx, organisation_id: uuid.UUID) -> None:
    """End open proposals whose variant has another price by now."""
    query = sa.select(_ROW).join(VariantRow, VariantRow.id == _ROW.variant_id).where(
        _ROW.organisation_id == organisation_id, _ROW.state == PriceState.OPEN,
        VariantRow.price_minor.is_distinct_from(_ROW.before_minor),
    )  # fmt: skip
    for row in tx.session.scalars(query).all():
        _end(tx, row, PriceState.OVERTAKEN, why="The price was changed since.")
        if row.request_id is not None:
            moves.withdraw(tx, row.request_id, "the price was changed since")


def _changes_today(tx: Tx, organisation_id: uuid.UUID) -> int:
    since = _ROW.applied_at > tx.sql_now - _DAY
    query = sa.select(sa.func.count()).where(_ROW.organisation_id == organisation_id, since)
    return int(tx.scalar(query) or 0)


def _lock(tx: Tx, organisation_id: uuid.UUID) -> None:
    """Let one transaction at a time change prices of an organisation: the changes of a day are counted."""
    tx.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(f"fleet.pricing.{organisation_id}"))))


def _locked(tx: Tx, proposal_id: uuid.UUID) -> PriceProposalRow:
    row = tx.session.get(_ROW, proposal_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise _no_proposal(proposal_id)
    return row


def _no_proposal(proposal_id: uuid.UUID) -> NotFound:
    return NotFound(f"There is no proposal {proposal_id}.", fix="`fleet pricing list` shows them.")


def prune(tx: Tx, *, days: float, limit: int) -> int:
    """Delete up to `limit` proposals that ended and runs that are older than `days`; return how many."""
    age = sa.literal(f"{days} days").cast(sa.Interval)
    which = sa.select(_ROW.id).where(_ROW.made_at < tx.sql_now - age, _ROW.state != PriceState.OPEN).limit(limit)
    done = tx.execute(sa.delete(_ROW).where(_ROW.id.in_(which))).rowcount
    run = PricingRunRow
    old = sa.select(run.id).where(run.made_at < tx.sql_now - age).limit(limit)
    return done + tx.execute(sa.delete(run).where(run.id.in_(old))).rowcount


def due(made_at: datetime | None, every: timedelta, now: datetime) -> bool:
    """Say whether the next run is due."""
    return made_at is None or now >= made_at + every
