"""The page of forecasts: expected demand, its backtest, proposals to reorder, and what became of older ones."""

from __future__ import annotations

import uuid
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from fleet.access import Principal
from fleet.core.errors import FleetError, NotFound
from fleet.features.forecast import api
from fleet.features.forecast.api import VIEW, ForecastQuery, Planner, ReorderQuery
from fleet.features.forecast.runs import service
from fleet.features.forecast.runs.models import ReorderState
from fleet.web.auth import TheDeps
from fleet.web.rendering import go, render
from fleet.web.requests.cursors import Paging

router = APIRouter()
_HERE = "/forecast"


class ForecastPageQuery(BaseModel):
    """What the page shows: one SKU, and perhaps an older run."""

    model_config = ConfigDict(extra="forbid")

    sku: str = Field("", max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")


class FilledNote(BaseModel):
    """The note of a decision."""

    note: str = Field("", max_length=300)


@router.get(_HERE, dependencies=[VIEW])
def forecast(request: Request, deps: TheDeps, which: Annotated[ForecastPageQuery, Query()]) -> Response:
    """Show the newest forecast, its proposals and earlier runs."""
    try:
        newest = api.detail(deps, None, ForecastQuery(sku=which.sku.strip(), limit=100))
    except NotFound:
        newest = None
    runs = api.run_page(deps, Paging(limit=10)).items
    proposals = api.proposal_page(deps, ReorderQuery(state=ReorderState.OPEN, limit=100)).items
    decided = [one for one in api.proposal_page(deps, ReorderQuery(limit=100)).items
               if one.state in (ReorderState.ACCEPTED, ReorderState.DISMISSED)][:20]  # fmt: skip
    return render(
        request, "forecast/forecast.html", run=newest, runs=runs, proposals=proposals, decided=decided, which=which,
        has_numpy=service.has_numpy(),
    )  # fmt: skip


@router.get("/forecast/{forecast_id}", dependencies=[VIEW])
def older(request: Request, deps: TheDeps, forecast_id: uuid.UUID) -> Response:
    """Show one forecast, and what was sold once its days are over."""
    return render(request, "forecast/run.html", run=api.detail(deps, forecast_id, ForecastQuery(limit=200)))


@router.post("/forecast/run")
def run(request: Request, deps: TheDeps, who: Planner) -> Response:
    """Make a forecast now."""
    try:
        api.run_now(deps, "", who)
    except FleetError as error:
        return go(request, _HERE, str(error), wrong=True)
    return go(request, _HERE, "The forecast is being made.")


@router.post("/reorder-proposals/{reorder_id}/accept")
def accept(
    request: Request, deps: TheDeps, reorder_id: uuid.UUID, who: Planner, filled: Annotated[FilledNote, Form()]
) -> Response:
    """Accept a proposal to reorder."""
    return _decided(request, deps, reorder_id, ReorderState.ACCEPTED, who=who, note=filled.note)


@router.post("/reorder-proposals/{reorder_id}/dismiss")
def dismiss(
    request: Request, deps: TheDeps, reorder_id: uuid.UUID, who: Planner, filled: Annotated[FilledNote, Form()]
) -> Response:
    """Dismiss a proposal to reorder."""
    return _decided(request, deps, reorder_id, ReorderState.DISMISSED, who=who, note=filled.note)


def _decided(
    request: Request, deps: TheDeps, reorder_id: uuid.UUID, state: ReorderState, *, who: Principal, note: str
) -> Response:
    try:
        api.decided(deps, reorder_id, state, who, note)
    except FleetError as error:
        return go(request, _HERE, str(error), wrong=True)
    return go(request, _HERE, f"The proposal is {state.value}.")
