"""The job of pricing: look at all prices of an organisation, propose changes, and measure earlier ones."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fleet.core import events
from fleet.core.db import Tx
from fleet.engine.attempts.work import Work
from fleet.engine.jobs.outcomes import Done, Skipped
from fleet.features.forecast.runs import history
from fleet.features.forecast.runs.history import DemandHistory
from fleet.features.pricing import gather, service
from fleet.features.pricing.decisions import elasticity, results, rules
from fleet.features.pricing.decisions.elasticity import Elasticity
from fleet.features.pricing.decisions.results import ResultFacts
from fleet.features.pricing.decisions.rules import NoPlan, PricePlan
from fleet.features.pricing.gather import PricedVariant
from fleet.features.pricing.models import PriceElasticityRow, PriceProposalRow, PricingRunRow
from fleet.features.products.models import VariantRow

_DAY = timedelta(days=1)
_AFTER = (results.AFTER_DAYS + 1) * _DAY
_MOST_MEASURED = 1000


def run(work: Work) -> Done | Skipped:
    """Carry out a job. It writes nothing outside: prices wait for approvals, and stores get them by their syncs."""
    deps, organisation_id = work.deps, uuid.UUID(work.claim.payload["organisation"])
    settings = service.settings_of(deps, organisation_id)
    with deps.db.transaction() as tx:
        found = gather.variants(deps, tx, organisation_id, settings)
    if not found:
        return Skipped("there are no active variants with a price")
    known = elasticity.estimate([one.series for one in found])
    plans: list[tuple[PricedVariant, PricePlan]] = []
    reasons: Counter[str] = Counter()
    for one in found:
        plan = rules.propose(one.facts, settings.bounds, known.get(str(one.variant_id)))
        if isinstance(plan, NoPlan):
            reasons[plan.why] += 1
        else:
            plans.append((one, plan))
    run_id, agent_id, by = work.claim.job_id, work.agent.id, work.claim.requested_by

    def also(tx: Tx) -> None:
        row = PricingRunRow(
            id=run_id, organisation_id=organisation_id, made_at=tx.now(), variants=len(found), estimated=len(known),
            proposals=0, reasons=dict(reasons), requested_by=by,
        )  # fmt: skip
        _store(tx, organisation_id, known)
        measure(tx, organisation_id)
        service.record(deps, tx, row, agent_id, plans)

    work.also = also
    return Done(result={"variants": len(found), "estimated": len(known), "proposals": len(plans)})


def _store(tx: Tx, organisation_id: uuid.UUID, known: Mapping[str, Elasticity]) -> None:
    """Store the newest elasticities, for variants that are still there."""
    row = PriceElasticityRow
    own = sa.select(VariantRow.id).where(VariantRow.organisation_id == organisation_id)
    present = {str(one) for one in tx.session.scalars(own)}
    rows = [
        {"variant_id": uuid.UUID(key), "organisation_id": organisation_id, "value": one.value, "error": one.error,
         "own": one.own, "own_error": one.own_error, "category": one.category[:100], "weeks": one.weeks,
         "prices": one.prices, "units": one.units, "made_at": tx.now()}
        for key, one in known.items() if key in present
    ]  # fmt: skip
    tx.execute(sa.delete(row).where(row.organisation_id == organisation_id))
    if rows:
        tx.execute(insert(row), rows)


def measure(tx: Tx, organisation_id: uuid.UUID) -> int:
    """Measure what applied proposals earned, until four weeks after each; return how many were measured."""
    row, now = PriceProposalRow, tx.now()
    everything = tx.session.scalars(
        sa.select(row).where(row.organisation_id == organisation_id, row.applied_at.is_not(None))
        .order_by(row.applied_at.desc()).limit(_MOST_MEASURED)
    ).all()  # fmt: skip
    due = [
        one for one in everything
        if one.applied_at is not None and one.applied_at <= now - results.LEAST_DAYS * _DAY
        and (one.measured_at is None or one.measured_at < one.applied_at + _AFTER)
    ]  # fmt: skip
    if not due:
        return 0
    today = history.day_of(now)
    first = min(history.day_of(one.applied_at) for one in due if one.applied_at) - results.BEFORE_DAYS * _DAY
    histories = history.of_variants(history.of_places(tx, organisation_id, first, today - _DAY))
    costs = dict(tx.execute(
        sa.select(VariantRow.id, VariantRow.cost_minor).where(VariantRow.id.in_([one.variant_id for one in due]))
    ).tuples().all())  # fmt: skip
    changed = {one.variant_id for one in everything}
    control = [one for variant_id, one in histories.items() if variant_id not in changed]
    for one in due:
        facts = _result_facts(one, everything, histories.get(one.variant_id), control,
                              cost=costs.get(one.variant_id), now=now)  # fmt: skip
        one.result, one.measured_at = (None if facts is None else results.measure(facts)), now
        if one.result is not None:
            events.emit(tx, "pricing.measured", organisation=str(organisation_id), proposal=str(one.id),
                        expected=one.expected, result=one.result, page="/pricing")  # fmt: skip
    tx.session.flush()
    return len(due)


def _result_facts(
    one: PriceProposalRow, everything: Sequence[PriceProposalRow], known: DemandHistory | None,
    control: Sequence[DemandHistory], *, cost: int | None, now: datetime,
) -> ResultFacts | None:  # fmt: skip
    """Return the days before and after a change: whole days with one price each. None for a variant without sales."""
    if known is None or one.applied_at is None:
        return None
    others = [at for other in everything if other.variant_id == one.variant_id and other.id != one.id
              for at in (other.applied_at, other.undone_at) if at is not None]  # fmt: skip
    starts = [one.applied_at - results.BEFORE_DAYS * _DAY, *(at for at in others if at < one.applied_at)]
    ends = [one.applied_at + _AFTER, now, *(at for at in others if at > one.applied_at)]
    ends += [one.undone_at] if one.undone_at is not None else []
    day = history.day_of(one.applied_at)
    before = _days(history.day_of(max(starts)) + _DAY, day)
    after = _days(day + _DAY, history.day_of(min(ends)))
    units_before, days_before = _sold(known, before)
    units_after, days_after = _sold(known, after)
    season_before, season_after = ([_sold(other, days) for other in control] for days in (before, after))
    return ResultFacts(
        before=one.before_minor, after=one.after_minor, cost=cost, units_before=units_before, days_before=days_before,
        units_after=units_after, days_after=days_after,
        control_before=sum(units for units, _ in season_before), control_after=sum(units for units, _ in season_after),
        control_days_before=sum(days for _, days in season_before),
        control_days_after=sum(days for _, days in season_after),
    )  # fmt: skip


def _days(first: date, end: date) -> list[date]:
    return [first + number * _DAY for number in range(max((end - first).days, 0))]


def _sold(known: DemandHistory, days: Sequence[date]) -> tuple[int, int]:
    """Return the units of days, and on how many of them there was stock."""
    there = [day for day in days if day >= known.first and (day not in known.out or known.sold.get(day))]
    return sum(known.sold.get(day, 0) for day in there), len(there)
