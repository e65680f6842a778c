"""The API that changes experiments at run time: set, start, stop, remove."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from fleet.access import Permission, Principal
from fleet.features.experiments.editing import commands
from fleet.web.auth import TheDeps, needs
from fleet.web.requests.fields import Body, Json, MovedOut, prose

router = APIRouter(prefix="/experiments", tags=["experiments"])
Editor = Annotated[Principal, needs(Permission.FLEET_EDIT)]
ExperimentName = Annotated[str, Path(max_length=60, examples=["caption_question"])]
Reason = Annotated[str, prose(300)]


class ExperimentIn(Body):
    """The content of an experiment, and why it is changed."""

    document: Json = Field(description="the fields of an experiment's file (docs/experiments.md), as JSON")
    reason: Reason = ""


class SwitchIn(Body):
    """Why an experiment is started or stopped."""

    reason: Reason = ""


class ExperimentRemovalQuery(BaseModel):
    """Why what was set for an experiment is removed."""

    reason: Reason = ""


@router.put("/{experiment}")
def put(deps: TheDeps, *, experiment: ExperimentName, body: ExperimentIn, who: Editor) -> MovedOut:
    """Add an experiment, which is off, or change one. One that runs or has posts keeps its variants."""
    return MovedOut(changed=commands.put(deps, experiment, body.document, by=who.by, reason=body.reason))


@router.post("/{experiment}/start")
def start(deps: TheDeps, *, experiment: ExperimentName, body: SwitchIn, who: Editor) -> MovedOut:
    """Start an experiment. Every process assigns posts to its variants within seconds."""
    return MovedOut(changed=commands.switch(deps, experiment, on=True, by=who.by, reason=body.reason))


@router.post("/{experiment}/stop")
def stop(deps: TheDeps, *, experiment: ExperimentName, body: SwitchIn, who: Editor) -> MovedOut:
    """Stop an experiment. Posts that were assigned keep their variant; the results stay."""
    return MovedOut(changed=commands.switch(deps, experiment, on=False, by=who.by, reason=body.reason))


@router.delete("/{experiment}")
def remove(
    deps: TheDeps, *, experiment: ExperimentName, which: Annotated[ExperimentRemovalQuery, Query()], who: Editor
) -> MovedOut:
    """Remove the run-time version of an experiment that is off; its file applies again. Results stay."""
    return MovedOut(changed=commands.remove(deps, experiment, by=who.by, reason=which.reason))
