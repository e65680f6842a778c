"""Pages of experiments: variants and their results."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from fleet.access import Permission
from fleet.engine.points.effect_size import CONFIDENCE
from fleet.features.experiments import service as trials
from fleet.features.experiments.api import source_of
from fleet.features.experiments.kinds import AGES_H, Whose
from fleet.web.auth import TheDeps, needs
from fleet.web.rendering import render
from fleet.web.requests.form_types import Maybe, Name

router = APIRouter()


@router.get("/experiments", dependencies=[needs(Permission.FLEET_VIEW)])
def experiments(request: Request, deps: TheDeps) -> Response:
    """Show every experiment that is known."""
    return render(request, "experiments/experiments.html", standings=trials.standings(deps))


@router.get("/experiments/{name}", dependencies=[needs(Permission.FLEET_VIEW)])
def experiment(request: Request, deps: TheDeps, name: Annotated[Name, Path()], *,
               after: Literal["1", "24", "72"] = "24", by: Maybe[Whose] = None) -> Response:  # fmt: skip
    """Show the results of an experiment's variants, and whether they differ."""
    found = trials.results(deps, name, age_h=int(after), whose=by)
    return render(request, "experiments/experiment.html", found=found, ages=AGES_H, whoses=Whose, confidence=CONFIDENCE,
                  source=source_of(deps, found.standing.name))  # fmt: skip
