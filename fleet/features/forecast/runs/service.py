"""Make forecasts from orders and stock, store them, decide about their proposals, and compare them with what happened.

The figures are read in one transaction and computed outside of any; everything is stored in the transaction that
records the end of the job, so a run is there once and whole.
"""

from __future__ import annotations

import importlib.util
import math
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from fleet.access import audit
from fleet.core import events, ids
from fleet.core.db import Tx
from fleet.core.errors import Conflict, InvalidInput, NotFound
from fleet.engine import publish
from fleet.engine.agents.models import AgentRow
from fleet.engine.attempts.work import Work
from fleet.engine.deps import Deps
from fleet.engine.jobs.ledger import NewJob
from fleet.engine.jobs.outcomes import Done, Skipped
from fleet.features.forecast.reorder import StockOfVariant
from fleet.features.forecast.runs import history
from fleet.features.forecast.runs.history import DemandHistory, Place
from fleet.features.forecast.runs.models import ForecastRunRow, ForecastSeriesRow, ReorderProposalRow, ReorderState
from fleet.features.forecast.settings import ForecastSettings
from fleet.features.products import stock
from fleet.features.products.models import ProductRow, VariantRow, among

if TYPE_CHECKING:
    from fleet.features.forecast.runs.computing import ForecastResult

JOB, KIND = "forecast_run", "demand_forecast"
HISTORY_DAYS = 730
_DAY = timedelta(days=1)
_MOST_COMPARED = 20
LEAD, PACK = "Lead days", "Pack"
"""Attributes of a product that go before the settings."""


@dataclass(frozen=True, slots=True)
class _Terms:
    """What a run knows of a place besides its sales."""

    on_hand: int
    reserved: int
    on_order: int
    stock: StockOfVariant


def has_numpy() -> bool:
    """Say whether the extra `forecast` is installed."""
    return importlib.util.find_spec("numpy") is not None


def refuse_without_numpy() -> None:
    """Raise InvalidInput if the extra `forecast` is not installed."""
    if not has_numpy():
        raise InvalidInput(
            "Forecasts need the extra `forecast`, which is not installed.", fix="Run `pip install 'fleet[forecast]'`."
        )


def request(deps: Deps, organisation_id: uuid.UUID, *, by: str) -> uuid.UUID:
    """Have the forecast agent forecast an organisation now; return the id of the job, which is that of its run.

    Raises InvalidInput without numpy, Conflict without an agent.
    """
    refuse_without_numpy()
    with deps.db.transaction() as tx:
        agent = tx.execute(
            sa.select(AgentRow.id, AgentRow.surface).where(AgentRow.kind == KIND, AgentRow.deleted_at.is_(None))
        ).first()
        if agent is None:
            raise Conflict("This fleet has no forecast agent.", fix="`fleet migrate` creates the agents of the fleet.")
        job = NewJob(ids.new(), agent.id, JOB, agent.surface, payload={"organisation": str(organisation_id)},
                     requested_by=by)  # fmt: skip
        publish.add_jobs(tx, deps.publisher, [job])
        audit.note(tx, "forecast.requested", f"organisation:{organisation_id}")
    return job.id


def run(work: Work) -> Done | Skipped:
    """Carry out a job: forecast an organisation. Writes nothing outside."""
    if not has_numpy():
        return Skipped("the extra `forecast` (numpy) is not installed")
    from fleet.features.forecast.runs import computing

    organisation_id = uuid.UUID(work.claim.payload["organisation"])
    settings = work.deps.settings_of(None, organisation_id=organisation_id).of(ForecastSettings)
    with work.deps.db.transaction() as tx:
        until = computing.last_full_day(history.day_of(tx.now()))
        histories = history.of_places(tx, organisation_id, until - HISTORY_DAYS * _DAY, until)
        histories = {place: one for place, one in histories.items() if one.sold}
        terms = _terms(tx, settings, histories) if histories else {}
    if not histories:
        return Skipped("there are no orders of variants that the catalogue knows")
    found = computing.compute(
        histories, until, {place: one.stock for place, one in terms.items()}, days=settings.forecast_days,
        review_days=settings.forecast_review_days, service=settings.forecast_service,
    )  # fmt: skip
    run_id, by = work.claim.job_id, work.claim.requested_by

    def also(tx: Tx) -> None:
        row = ForecastRunRow(
            id=run_id, organisation_id=organisation_id, made_at=tx.now(), until=until, days=settings.forecast_days,
            service=settings.forecast_service, series=len(found.series), tested_days=found.tested_days,
            summary=dict(found.summary), requested_by=by,
        )  # fmt: skip
        _store(tx, row, found, terms, settings)

    work.also = also
    return Done(result={"series": len(found.series), "reorders": len(found.reorders)})


def _terms(tx: Tx, settings: ForecastSettings, histories: Mapping[Place, DemandHistory]) -> dict[Place, _Terms]:
    variant_ids = {variant_id for variant_id, _ in histories}
    levels = stock.levels(tx, variant_ids)
    columns = (VariantRow.id, ProductRow.attributes)
    query = sa.select(*columns).join(ProductRow, ProductRow.id == VariantRow.product_id)
    attributes = {one.id: one.attributes for one in tx.execute(query.where(among(VariantRow.id, variant_ids)))}
    row = ReorderProposalRow
    accepted = sa.select(row.variant_id, row.location_id, row.units, row.decided_at, row.figures).where(
        among(row.variant_id, variant_ids), row.state == ReorderState.ACCEPTED,
        row.decided_at > tx.sql_now - timedelta(days=180),
    )  # fmt: skip
    on_order: dict[Place, int] = {}
    for one in tx.execute(accepted):
        if one.decided_at + timedelta(days=one.figures["lead_days"]) > tx.now():
            place = (one.variant_id, one.location_id)
            on_order[place] = on_order.get(place, 0) + one.units
    found: dict[Place, _Terms] = {}
    for place in histories.keys() & levels.keys():
        level, facts = levels[place], attributes[place[0]]
        own = StockOfVariant(
            level.available, on_order.get(place, 0),
            lead_days=_whole(facts.get(LEAD), settings.forecast_lead_days, 0, 180),
            pack=_whole(facts.get(PACK), settings.forecast_pack, 1, 100_000),
        )  # fmt: skip
        found[place] = _Terms(level.on_hand, sum(level.reserved.values()), own.on_order, own)
    return found


def _whole(written: Any, otherwise: int, least: int, most: int) -> int:
    """Return the number in an attribute of a product, within bounds; `otherwise` for anything else."""
    text = str(written or "").strip()
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(most))
    return int(text) if is_number and least <= int(text) <= most else otherwise


def _store(
    tx: Tx, row: ForecastRunRow, found: ForecastResult, terms: Mapping[Place, _Terms], settings: ForecastSettings
) -> None:
    tx.session.add(row)
    tx.session.flush()
    tx.execute(sa.insert(ForecastSeriesRow), [
        {"run_id": row.id, "variant_id": one.place[0], "location_id": one.place[1], "method": one.method,
         "daily": list(one.daily), "total": one.total, "low": one.low, "high": one.high, "known_days": one.known_days,
         "scores": dict(one.scores)}
        for one in found.series
    ])  # fmt: skip
    own = ReorderProposalRow
    outdated = sa.update(own).where(own.organisation_id == row.organisation_id, own.state == ReorderState.OPEN)
    tx.execute(outdated.values(state=ReorderState.OUTDATED, decided_at=tx.sql_now)
               .execution_options(synchronize_session=False))  # fmt: skip
    new: list[dict[str, Any]] = []
    for place, proposal in found.reorders:
        known, days = terms[place], terms[place].stock.lead_days + settings.forecast_review_days
        covers = proposal.expected if proposal.covers is None else proposal.covers
        certain = "as expected; too little is known for an interval" if proposal.covers is None \
            else f"in {settings.forecast_service:.0%} of cases"  # fmt: skip
        on_order = f"{known.on_order} accepted before" if known.on_order else "on order unknown"
        new.append({
            "id": ids.new(), "organisation_id": row.organisation_id, "run_id": row.id, "variant_id": place[0],
            "location_id": place[1], "units": proposal.units,
            "reason": f"{covers:.0f} units last {days} days {certain}; {known.on_hand} on hand, "
            f"{known.reserved} reserved, {on_order}",
            "figures": {
                "expected": proposal.expected, "covers": proposal.covers, "on_hand": known.on_hand,
                "reserved": known.reserved, "on_order": known.on_order, "lead_days": known.stock.lead_days,
                "review_days": settings.forecast_review_days, "pack": known.stock.pack,
                "service": settings.forecast_service,
            },
        })  # fmt: skip
    if new:
        tx.execute(sa.insert(own), new)
    events.emit(tx, "forecast.made", organisation=str(row.organisation_id), run=str(row.id), series=len(found.series),
                reorders=len(new), page="/forecast")  # fmt: skip


def decide(tx: Tx, proposal_id: uuid.UUID, state: ReorderState, *, by: str, note: str = "") -> ReorderProposalRow:
    """Accept or dismiss an open proposal; repeating a decision changes nothing.

    Fleet orders nothing itself: accepting says that a person does. Raises NotFound, Conflict for a decided one.
    """
    row = tx.session.get(ReorderProposalRow, proposal_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound(f"There is no proposal {proposal_id}.", fix="`fleet forecast proposals` lists them.")
    if row.state == state:
        return row
    if row.state != ReorderState.OPEN:
        raise Conflict(f"The proposal is {row.state}.", fix="`fleet forecast proposals` shows the open ones.")
    row.state, row.decided_at, row.decided_by, row.note = state, tx.now(), by[:100], note[:300]
    tx.session.flush()
    sku = tx.scalar(sa.select(VariantRow.sku).where(VariantRow.id == row.variant_id))
    events.emit(tx, "forecast.decided", organisation=str(row.organisation_id), proposal=str(row.id), sku=sku,
                units=row.units, decision=state.value, by=by, page="/forecast")  # fmt: skip
    audit.note(tx, "forecast.accepted" if state is ReorderState.ACCEPTED else "forecast.dismissed",
               f"reorder:{row.id}", after={"sku": sku, "units": row.units, "note": note})  # fmt: skip
    return row


def compare(tx: Tx, organisation_id: uuid.UUID, today: date) -> int:
    """Fill in what was sold, for runs whose days are over; return how many runs."""
    run, series = ForecastRunRow, ForecastSeriesRow
    is_open = sa.exists(sa.select(series.run_id).where(series.run_id == run.id, series.unknown_days.is_(None)))
    over = sa.cast(run.until + run.days, sa.Date) < today
    query = sa.select(run).where(run.organisation_id == organisation_id, over, is_open).order_by(run.made_at)
    rows = tx.session.scalars(query.limit(_MOST_COMPARED)).all()
    for row in rows:
        since, last = row.until + _DAY, row.until + row.days * _DAY
        histories = history.of_places(tx, organisation_id, since, last)
        for one in tx.session.scalars(sa.select(series).where(series.run_id == row.id)):
            known = histories.get((one.variant_id, one.location_id)) or DemandHistory(since)
            known = replace(known, first=since)
            units = known.units(since, row.days)
            one.actual = sum(known.sold.values())
            one.unknown_days = sum(map(math.isnan, units))
        tx.session.flush()
    return len(rows)


def prune(tx: Tx, *, days: float, limit: int) -> int:
    """Delete up to `limit` runs that are older than `days` with all that belongs to them; return how many."""
    row, age = ForecastRunRow, sa.literal(f"{days} days").cast(sa.Interval)
    which = sa.select(row.id).where(row.made_at < tx.sql_now - age).limit(limit)
    return tx.execute(sa.delete(row).where(row.id.in_(which))).rowcount


def due(made_at: datetime | None, every: timedelta, now: datetime) -> bool:
    """Say whether the next run is due."""
    return made_at is None or now >= made_at + every
