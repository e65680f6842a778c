"""The page of tuning: proposals with their evidence, and what came of applied changes."""

from __future__ import annotations

import uuid
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from fleet.core.errors import FleetError
from fleet.engine.settings import layers
from fleet.features.tuning import api
from fleet.features.tuning.api import VIEW, Tuner, TuningDecider, TuningQuery
from fleet.features.tuning.decisions.samples import TRAITS, Metric
from fleet.features.tuning.models import TuningState
from fleet.features.tuning.settings import TuningSettings
from fleet.web.auth import TheDeps
from fleet.web.rendering import go, render

router = APIRouter()
_HERE = "/tuning"


class FilledTuningReason(BaseModel):
    """Why a proposal is dismissed."""

    reason: str = Field("", max_length=1000)


@router.get(_HERE, dependencies=[VIEW])
def tuning(request: Request, deps: TheDeps) -> Response:
    """Show proposals of settings, and what came of applied ones."""
    waiting = [one for state in (TuningState.OPEN, TuningState.ACCEPTED)
               for one in api.page(deps, TuningQuery(state=state, limit=100)).items]  # fmt: skip
    changes = api.applied(deps)
    shares = [one.value for one in Metric if TRAITS[one].is_share]
    # The feature of a setting may be left out by now.
    known = {one.setting for one in (*waiting, *changes) if layers.is_known(type(deps.given), one.setting)}
    return render(
        request, "tuning/tuning.html", proposals=waiting, changes=changes, run=api.newest(deps),
        is_on=deps.settings.of(TuningSettings).tuning_enabled, shares=shares, known=known,
    )  # fmt: skip


@router.post("/tuning/run")
def run(request: Request, deps: TheDeps, who: Tuner) -> Response:
    """Look at the load now."""
    try:
        api.run_now(deps, who)
    except FleetError as error:
        return go(request, _HERE, str(error), wrong=True)
    return go(request, _HERE, "The tuning agent looks at the load.")


@router.post("/tuning/proposals/{tuning_id}/accept")
def accept(request: Request, deps: TheDeps, tuning_id: uuid.UUID, who: TuningDecider) -> Response:
    """Approve a proposal."""
    try:
        done = api.accepted(deps, tuning_id, who)
        command = api.shown(deps, tuning_id).command
    except FleetError as error:
        return go(request, _HERE, str(error), wrong=True)
    if done and command:
        return go(request, _HERE, f"Accepted. Run: {command}")
    return go(request, _HERE, "The setting is changed." if done else "Approved; another person has to approve it too.")


@router.post("/tuning/proposals/{tuning_id}/dismiss")
def dismiss(
    request: Request, deps: TheDeps, tuning_id: uuid.UUID, who: TuningDecider,
    filled: Annotated[FilledTuningReason, Form()],
) -> Response:  # fmt: skip
    """Reject a proposal."""
    try:
        api.dismissed(deps, tuning_id, who, filled.reason or "not now")
    except FleetError as error:
        return go(request, _HERE, str(error), wrong=True)
    return go(request, _HERE, "The proposal is dismissed.")


@router.post("/tuning/proposals/{tuning_id}/undo")
def undo(request: Request, deps: TheDeps, tuning_id: uuid.UUID, who: Tuner) -> Response:
    """Restore the value before a proposal."""
    try:
        api.undone(deps, tuning_id, who)
    except FleetError as error:
        return go(request, _HERE, str(error), wrong=True)
    return go(request, _HERE, "The earlier value is restored.")
