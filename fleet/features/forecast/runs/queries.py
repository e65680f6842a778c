"""Forecasts as pages, the API and commands show them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from fleet.core.db import Tx
from fleet.core.errors import NotFound
from fleet.features.forecast.runs.models import ForecastRunRow, ForecastSeriesRow, ReorderProposalRow, ReorderState
from fleet.features.products.models import LocationRow, ProductRow, VariantRow


@dataclass(frozen=True, slots=True)
class ForecastRunView:
    """A run. `compared` of its series are compared with what happened, and `inside` of those were in the interval."""

    id: uuid.UUID
    organisation_id: uuid.UUID
    made_at: datetime
    until: date
    days: int
    service: float
    series: int
    tested_days: int | None
    summary: dict[str, Any]
    requested_by: str | None
    compared: int
    with_interval: int
    inside: int


@dataclass(frozen=True, slots=True)
class SeriesView:
    """The forecast of a variant at a location."""

    product_id: uuid.UUID
    variant_id: uuid.UUID
    location_id: uuid.UUID
    sku: str
    title: str
    location: str
    method: str
    daily: Sequence[float]
    total: float
    low: float | None
    high: float | None
    known_days: int
    scores: dict[str, Any]
    actual: int | None
    unknown_days: int | None


@dataclass(frozen=True, slots=True)
class ReorderView:
    """A proposal to reorder. `sold` and `forecast` compare the days of its run, once they are over."""

    id: uuid.UUID
    organisation_id: uuid.UUID
    run_id: uuid.UUID
    product_id: uuid.UUID
    sku: str
    title: str
    location: str
    units: int
    figures: dict[str, Any]
    reason: str
    state: str
    made_at: datetime
    decided_at: datetime | None
    decided_by: str | None
    note: str
    forecast: float | None
    sold: int | None


def _runs() -> sa.Select[Any]:
    row, one = ForecastRunRow, ForecastSeriesRow
    own = sa.select(sa.func.count()).where(one.run_id == row.id, one.actual.is_not(None), one.unknown_days == 0)
    wide = own.where(one.low.is_not(None))
    counted = (
        own.correlate(row).scalar_subquery(), wide.correlate(row).scalar_subquery(),
        wide.where(one.actual >= one.low, one.actual <= one.high).correlate(row).scalar_subquery(),
    )  # fmt: skip
    columns = (row.id, row.organisation_id, row.made_at, row.until, row.days, row.service, row.series,
               row.tested_days, row.summary, row.requested_by)  # fmt: skip
    return sa.select(*columns, *counted)


def runs(tx: Tx, *, limit: int, below: uuid.UUID | None = None) -> list[ForecastRunView]:
    """Return runs, newest first. Raises NotFound if the run `below` is gone."""
    row, query = ForecastRunRow, _runs()
    if below is not None:
        made_at = tx.scalar(sa.select(row.made_at).where(row.id == below))
        if made_at is None:
            raise NotFound("That run is gone.", fix="Begin at the first page.")
        query = query.where(sa.tuple_(row.made_at, row.id) < sa.tuple_(made_at, below))
    return [ForecastRunView(*one) for one in tx.execute(query.order_by(row.made_at.desc(), row.id.desc()).limit(limit))]


def run(tx: Tx, run_id: uuid.UUID | None) -> ForecastRunView:
    """Return a run, the newest one without an id. Raises NotFound."""
    row, query = ForecastRunRow, _runs()
    query = query.order_by(row.made_at.desc(), row.id.desc()).limit(1)
    found = tx.execute(query if run_id is None else query.where(row.id == run_id)).one_or_none()
    if found is None:
        raise NotFound("There is no such forecast.", fix="`fleet forecast run` makes one.")
    return ForecastRunView(*found)


def series(tx: Tx, run_id: uuid.UUID, *, sku: str = "", limit: int = 200) -> list[SeriesView]:
    """Return the forecasts of a run, the largest first."""
    one = ForecastSeriesRow
    query = (
        sa.select(
            ProductRow.id, VariantRow.id, LocationRow.id, VariantRow.sku, ProductRow.title, LocationRow.name,
            one.method, one.daily, one.total, one.low, one.high, one.known_days, one.scores, one.actual,
            one.unknown_days,
        )
        .join(VariantRow, VariantRow.id == one.variant_id)
        .join(ProductRow, ProductRow.id == VariantRow.product_id)
        .join(LocationRow, LocationRow.id == one.location_id)
        .where(one.run_id == run_id)
        .order_by(one.total.desc(), one.variant_id, one.location_id)
        .limit(limit)
    )  # fmt: skip
    query = query.where(VariantRow.sku == sku) if sku else query
    return [SeriesView(*row) for row in tx.execute(query)]


def proposals(
    tx: Tx, *, state: ReorderState | None = None, limit: int = 50, below: uuid.UUID | None = None
) -> list[ReorderView]:
    """Return proposals to reorder, newest first. Raises NotFound if the proposal `below` is gone."""
    row, query = ReorderProposalRow, _proposals()
    if state is not None:
        query = query.where(row.state == state)
    if below is not None:
        made_at = tx.scalar(sa.select(row.made_at).where(row.id == below))
        if made_at is None:
            raise NotFound("That proposal is gone.", fix="Begin at the first page.")
        query = query.where(sa.tuple_(row.made_at, row.id) < sa.tuple_(made_at, below))
    return [ReorderView(*one) for one in tx.execute(query.order_by(row.made_at.desc(), row.id.desc()).limit(limit))]


def proposal(tx: Tx, proposal_id: uuid.UUID) -> ReorderView:
    """Return a proposal. Raises NotFound."""
    found = tx.execute(_proposals().where(ReorderProposalRow.id == proposal_id)).one_or_none()
    if found is None:
        raise NotFound(f"There is no proposal {proposal_id}.", fix="`fleet forecast proposals` lists them.")
    return ReorderView(*found)


def _proposals() -> sa.Select[Any]:
    row, one = ReorderProposalRow, ForecastSeriesRow
    same = sa.and_(one.run_id == row.run_id, one.variant_id == row.variant_id, one.location_id == row.location_id)
    return (
        sa.select(
            row.id, row.organisation_id, row.run_id, ProductRow.id, VariantRow.sku, ProductRow.title,
            LocationRow.name, row.units, row.figures, row.reason, row.state, row.made_at, row.decided_at,
            row.decided_by, row.note, one.total, one.actual,
        )
        .join(VariantRow, VariantRow.id == row.variant_id)
        .join(ProductRow, ProductRow.id == VariantRow.product_id)
        .join(LocationRow, LocationRow.id == row.location_id)
        .outerjoin(one, same)
    )  # fmt: skip


def tally(tx: Tx) -> int | None:
    """Return how many proposals wait, for the navigation."""
    return int(tx.scalar(sa.select(sa.func.count()).where(ReorderProposalRow.state == ReorderState.OPEN)) or 0)


def is_shown(tx: Tx) -> bool:
    """Say whether there are products to forecast."""
    return bool(tx.scalar(sa.select(sa.exists(sa.select(ProductRow.id)))))
