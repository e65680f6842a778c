"""Forecasts for programs: /api/v1/forecasts and /api/v1/reorder-proposals."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from fleet.access import Permission, Principal
from fleet.engine.deps import Deps
from fleet.features.forecast.runs import queries, service
from fleet.features.forecast.runs.models import ReorderState
from fleet.features.forecast.runs.queries import ForecastRunView, ReorderView
from fleet.features.products import commands as products
from fleet.web.auth import TheDeps, needs
from fleet.web.requests.cursors import Page, Paging
from fleet.web.requests.fields import Body, line, prose, taken

router = APIRouter(tags=["forecast"])
VIEW = needs(Permission.FLEET_VIEW)
Planner = Annotated[Principal, needs(Permission.PRODUCTS_EDIT)]


class ForecastRunOut(BaseModel):
    """A forecast of all variants of an organisation, by location."""

    id: uuid.UUID
    organisation_id: uuid.UUID
    made_at: datetime
    until: date = Field(description="the last day whose sales it knew")
    days: int = Field(description="how many days after it are forecast")
    service: float
    series: int
    tested_days: int | None = Field(description="length of the periods of its backtest; null: too short a history")
    summary: dict[str, Any] = Field(description="scores by forecast (rmsse, pinball, inside, bias), and methods")
    requested_by: str | None
    compared: int = Field(description="series whose days are over, and that could be sold on all of them")
    with_interval: int = Field(description="of those, the ones with an interval")
    inside: int = Field(description="of those, the ones whose total was in their interval of 80 %")


class ForecastRunList(Page[ForecastRunOut]):
    """A page of forecasts, newest first."""


class ForecastSeriesOut(BaseModel):
    """The forecast of a variant at a location."""

    product_id: uuid.UUID
    variant_id: uuid.UUID
    location_id: uuid.UUID
    sku: str
    title: str
    location: str
    method: str = Field(description="tsb, holt_winters or mean")
    daily: list[float]
    total: float
    low: float | None = Field(description="of the interval of 80 % of the total; null: too little is known")
    high: float | None
    known_days: int
    scores: dict[str, Any] = Field(description="of the backtest: fleet, seasonal naive and zero")
    actual: int | None = Field(description="units sold in these days, once they are over")
    unknown_days: int | None = Field(description="of them, the days on which nothing could be sold")


class ForecastDetail(ForecastRunOut):
    """A forecast with its series, the largest first."""

    items: list[ForecastSeriesOut]


class ForecastQuery(BaseModel):
    """Which series of a forecast."""

    model_config = ConfigDict(extra="forbid")

    sku: Annotated[str, line(100), Field(description="exact SKU of a variant")] = ""
    limit: Annotated[int, Field(ge=1, le=1000, description="most series")] = 200


class ReorderQuery(Paging):
    """Which proposals to reorder."""

    state: ReorderState | None = None


class ReorderOut(BaseModel):
    """A proposal to order units of a variant for a location."""

    id: uuid.UUID
    organisation_id: uuid.UUID
    run_id: uuid.UUID = Field(description="the forecast that it came from")
    product_id: uuid.UUID
    sku: str
    title: str
    location: str
    units: int
    figures: dict[str, Any]
    reason: str
    state: ReorderState
    made_at: datetime
    decided_at: datetime | None
    decided_by: str | None
    note: str
    forecast: float | None = Field(description="units that its forecast expected over its days")
    sold: int | None = Field(description="units sold in these days, once they are over")


class ReorderPage(Page[ReorderOut]):
    """A page of proposals, newest first."""


class RunForecastIn(Body):
    """Whose demand to forecast now."""

    organisation: Annotated[str, line(60), Field(description="name or id; empty for your own")] = ""


class ForecastJobOut(BaseModel):
    """The job that makes the forecast; the forecast gets its id."""

    job_id: uuid.UUID


class DecideReorderIn(Body):
    """A decision about a proposal."""

    note: Annotated[str, prose(300)] = ""


def run_now(deps: Deps, organisation: str, who: Principal) -> uuid.UUID:
    """Have an organisation forecast now; return the id of the job. Raises NotFound, InvalidInput, Conflict."""
    with deps.db.transaction() as tx:
        organisation_id = products.organisation(tx, organisation)
    return service.request(deps, organisation_id, by=who.by)


def run_page(deps: Deps, which: Paging) -> ForecastRunList:
    """Return a page of forecasts."""
    with which.continued(), deps.db.transaction() as tx:
        found = queries.runs(tx, limit=which.one_more, below=which.place(uuid.UUID))
    items, following = which.page(found, lambda one: one.id)
    return ForecastRunList(items=[_run_out(one) for one in items], next=following)


def detail(deps: Deps, run_id: uuid.UUID | None, which: ForecastQuery) -> ForecastDetail:
    """Return a forecast, the newest one without an id. Raises NotFound."""
    with deps.db.transaction() as tx:
        run = queries.run(tx, run_id)
        found = queries.series(tx, run.id, sku=which.sku, limit=which.limit)
    series = [taken(ForecastSeriesOut, one) for one in found]
    return ForecastDetail(**_run_out(run).model_dump(), items=series)


def proposal_page(deps: Deps, which: ReorderQuery) -> ReorderPage:
    """Return a page of proposals."""
    with which.continued(), deps.db.transaction() as tx:
        found = queries.proposals(tx, state=which.state, limit=which.one_more, below=which.place(uuid.UUID))
    items, following = which.page(found, lambda one: one.id)
    return ReorderPage(items=[reorder_out(one) for one in items], next=following)


def decided(deps: Deps, proposal_id: uuid.UUID, state: ReorderState, who: Principal, note: str) -> ReorderOut:
    """Accept or dismiss a proposal. Raises NotFound, Conflict."""
    with deps.db.transaction() as tx:
        service.decide(tx, proposal_id, state, by=who.by, note=note)
        return reorder_out(queries.proposal(tx, proposal_id))


def _run_out(one: ForecastRunView) -> ForecastRunOut:
    return taken(ForecastRunOut, one)


def reorder_out(one: ReorderView) -> ReorderOut:
    """Return a proposal as the API shows it."""
    return taken(ReorderOut, one)


@router.get("/forecasts", dependencies=[VIEW])
def list_forecasts(deps: TheDeps, *, which: Annotated[Paging, Query()]) -> ForecastRunList:
    """Return a page of forecasts, newest first."""
    return run_page(deps, which)


@router.post("/forecasts", status_code=202)
def run_forecast(deps: TheDeps, *, body: RunForecastIn, who: Planner) -> ForecastJobOut:
    """Forecast the demand of an organisation now, from its orders and stock."""
    return ForecastJobOut(job_id=run_now(deps, body.organisation, who))


@router.get("/forecasts/newest", dependencies=[VIEW])
def show_newest_forecast(deps: TheDeps, *, which: Annotated[ForecastQuery, Query()]) -> ForecastDetail:
    """Return the newest forecast with its series."""
    return detail(deps, None, which)


@router.get("/forecasts/{forecast_id}", dependencies=[VIEW])
def show_forecast(deps: TheDeps, forecast_id: uuid.UUID, *, which: Annotated[ForecastQuery, Query()]) -> ForecastDetail:
    """Return a forecast with its series, and what was sold once its days are over."""
    return detail(deps, forecast_id, which)


@router.get("/reorder-proposals", dependencies=[VIEW])
def list_reorder_proposals(deps: TheDeps, *, which: Annotated[ReorderQuery, Query()]) -> ReorderPage:
    """Return a page of proposals to reorder, newest first."""
    return proposal_page(deps, which)


@router.post("/reorder-proposals/{reorder_id}/accept")
def accept_reorder(deps: TheDeps, reorder_id: uuid.UUID, *, body: DecideReorderIn, who: Planner) -> ReorderOut:
    """Accept a proposal: a person orders the units. Until they arrive, its units count as on order."""
    return decided(deps, reorder_id, ReorderState.ACCEPTED, who, body.note)


@router.post("/reorder-proposals/{reorder_id}/dismiss")
def dismiss_reorder(deps: TheDeps, reorder_id: uuid.UUID, *, body: DecideReorderIn, who: Planner) -> ReorderOut:
    """Dismiss a proposal."""
    return decided(deps, reorder_id, ReorderState.DISMISSED, who, body.note)
