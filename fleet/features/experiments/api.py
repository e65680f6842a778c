"""The API of experiments and their results."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from fleet.access import Permission
from fleet.engine.deps import Deps
from fleet.engine.points.effect_size import CONFIDENCE, EffectVerdict
from fleet.features.experiments import service as experiments
from fleet.features.experiments.experiment_file import document_of
from fleet.features.experiments.kinds import Whose
from fleet.features.experiments.service import ExperimentSummary, VariantFigures
from fleet.features.experiments.variants import Dimension, Variant
from fleet.web.auth import TheDeps, needs
from fleet.web.requests.cursors import Page, Paging
from fleet.web.requests.fields import Body, taken

router = APIRouter(prefix="/experiments", tags=["experiments"])


class VariantTallyOut(BaseModel):
    """How many posts a variant was assigned, and how many of them have been read at least once."""

    variant: str
    assigned: int
    measured: int
    latest: datetime


class ExperimentSource(StrEnum):
    """Where an experiment comes from."""

    FILE = "file"
    CHANGED = "changed"
    """Set at run time, above the file of its name."""
    RUN_TIME = "run time"
    """Set at run time, without a file."""


class ExperimentOut(BaseModel):
    """One experiment at a glance. Of one that is in no file any more only the results are left."""

    name: str
    on: bool
    question: str | None
    dimension: Dimension | None
    variants: list[str]
    enough: int | None = Field(
        description="posts (or days of agents) that each variant needs before its effect is shown"
    )
    tallies: list[VariantTallyOut]
    source: ExperimentSource | None = Field(description="null: only its results are left")
    document: dict[str, Any] | None = Field(description="the fields of its file, as docs/experiments.md explains them")


class ExperimentPage(Page[ExperimentOut]):
    """A page of experiments: active ones, then shipped ones, then those with results alone."""


class EngagementOut(BaseModel):
    """Likes and comments of units that were assigned together."""

    units: int
    mean: float
    variance: float


class EffectIntervalOut(BaseModel):
    """A difference of means, and its interval at 95 % confidence, corrected for all comparisons together."""

    difference: float
    low: float
    high: float


class VariantResult(BaseModel):
    """What one variant got, and how that compares with the first one."""

    variant: str
    hours: tuple[int, int] | None = Field(description="local hours [start, end) in which an agent posts on that day")
    part: str | None = Field(description="the part of a post that the variant changes: image_prompt or caption")
    instruction: str | None = Field(description="what the model is told about that part")
    share: float | None = Field(description="part of posts that its weight gives it; null: no longer in the file")
    assigned: int
    posts: int = Field(description="posts that were read at this age")
    got: dict[Whose, EngagementOut]
    verdict: EffectVerdict
    interval: EffectIntervalOut | None


class ResultsOut(BaseModel):
    """An experiment's results at one age of its posts."""

    experiment: ExperimentOut
    age_h: int
    whose: Whose
    tells_apart: bool = Field(description="whether the surface tells people from agents")
    confidence: float = Field(description="confidence that all intervals hold together")
    comparisons: int = Field(description="variants that are compared with the first one")
    variants: list[VariantResult]


class ResultsQuery(Body):
    """At which age of posts, and whose likes and comments."""

    age_h: Annotated[int, Field(ge=1, le=10_000)] = 24
    whose: Whose | None = None


@router.get("", dependencies=[needs(Permission.FLEET_VIEW)])
def list_experiments(deps: TheDeps, *, which: Annotated[Paging, Query()]) -> ExperimentPage:
    """Return a page of experiments."""
    found = [view(deps, one) for one in experiments.standings(deps)]
    names = [one.name for one in found]
    above = which.place(names.index, of="experiments")
    rows, following = which.page(found[0 if above is None else above + 1 :], lambda one: one.name, of="experiments")
    return ExperimentPage(items=list(rows), next=following)


@router.get("/{experiment}", dependencies=[needs(Permission.FLEET_VIEW)])
def show(deps: TheDeps, *, experiment: Annotated[str, Path(max_length=60)],
         which: Annotated[ResultsQuery, Query()]) -> ResultsOut:  # fmt: skip
    """Return the results of an experiment so far."""
    found = experiments.results(deps, experiment, age_h=which.age_h, whose=which.whose)
    known = found.standing.experiment
    return taken(
        ResultsOut, found, experiment=view(deps, found.standing), confidence=CONFIDENCE,
        comparisons=max(0, len(found.lines) - 1),
        variants=[_result(line, known.variant(line.variant) if known else None) for line in found.lines],
    )  # fmt: skip


def source_of(deps: Deps, name: str) -> ExperimentSource | None:
    """Return where an experiment comes from; None if only its results are left."""
    in_file = any(one.name == name for one in experiments.of_files(deps))
    if name in experiments.at_run_time(deps):
        return ExperimentSource.CHANGED if in_file else ExperimentSource.RUN_TIME
    return ExperimentSource.FILE if in_file else None


def view(deps: Deps, one: ExperimentSummary) -> ExperimentOut:
    """Return an experiment at a glance."""
    known = one.experiment
    return ExperimentOut(
        name=one.name, on=one.on, question=known.question if known else None,
        dimension=known.dimension if known else None, enough=known.enough if known else None,
        variants=[variant.name for variant in known.variants] if known else [],
        tallies=[taken(VariantTallyOut, tally) for tally in one.tallies], source=source_of(deps, one.name),
        document=document_of(known) if known else None,
    )  # fmt: skip


def _result(line: VariantFigures, variant: Variant | None) -> VariantResult:
    interval, style = line.compared.interval, variant.style if variant else None
    return taken(
        VariantResult, line, hours=variant.hours if variant else None, part=style.part if style else None,
        instruction=style.instruction if style else None,
        got={whose: taken(EngagementOut, got) for whose, got in line.got.items()}, verdict=line.compared.verdict,
        interval=None if interval is None else taken(EffectIntervalOut, interval),
    )  # fmt: skip
