"""Experiments: what is tried out, in which variants, and what came of each. Looking only; settings switch them on."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from fleet.access import Permission
from fleet.content.effects import CONFIDENCE
from fleet.runtime import experiments as trials
from fleet.runtime.experiments import Whose
from fleet.runtime.measuring import AGES_H
from fleet.web.gate import TheDeps, needs
from fleet.web.pages.asked import Maybe, Name
from fleet.web.rendering import render

router = APIRouter()


@router.get("/experiments", dependencies=[needs(Permission.FLEET_VIEW)])
def experiments(request: Request, deps: TheDeps) -> Response:
    """Show every experiment that is known."""
    return render(request, "experiments.html", standings=trials.standings(deps))


@router.get("/experiments/{name}", dependencies=[needs(Permission.FLEET_VIEW)])
def experiment(request: Request, deps: TheDeps, name: Annotated[Name, Path()], *,
               after: Literal["1", "24", "72"] = "24", by: Maybe[Whose] = None) -> Response:  # fmt: skip
    """Show what an experiment's variants got, and whether they differ."""
    found = trials.results(deps, name, age_h=int(after), whose=by)
    return render(request, "experiment.html", found=found, ages=AGES_H, whoses=Whose, confidence=CONFIDENCE)
