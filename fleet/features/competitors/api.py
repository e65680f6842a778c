"""Figures of competitors for programs: /api/v1/competitors."""

from __future__ import annotations

import uuid
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from fleet.access import Permission, Principal
from fleet.engine.deps import Deps
from fleet.features.competitors import service
from fleet.features.competitors.rules import LONGEST_NAME, LineProblem
from fleet.web.auth import TheDeps, needs
from fleet.web.requests.cursors import Page, Paging
from fleet.web.requests.fields import Body, line, prose, taken

router = APIRouter(prefix="/competitors", tags=["competitors"])
Editor = Annotated[Principal, needs(Permission.AGENTS_EDIT)]
_LONGEST_CSV = 900_000
_ORGANISATION = "name or id; by default your own"


class CompetitorFiguresOut(BaseModel):
    """The figures of a competitor, or of this fleet, on one network in a period. Null: unknown."""

    network: str
    name: str
    is_own: bool
    followers: int | None = Field(description="at the end of the period")
    gained: int | None = Field(description="followers won in the period; negative for lost ones")
    growth: float | None = Field(description="growth of followers in percent")
    posts: int | None
    interactions: int | None
    per_post: float | None = Field(description="interactions a post")


class StoredCompetitorOut(BaseModel):
    """What is stored of a competitor on a network."""

    competitor: str
    network: str
    days: int
    first: date
    last: date


class CompetitorsOut(BaseModel):
    """Own figures beside those of competitors, by network, and what is stored."""

    items: list[CompetitorFiguresOut]
    stored: list[StoredCompetitorOut]


class CompetitorsQuery(BaseModel):
    """Which figures."""

    model_config = ConfigDict(extra="forbid")

    days: Annotated[int, Field(ge=1, le=service.KEPT_DAYS, description="length of the period, today included")] = 30
    network: Annotated[str, line(40)] = ""
    organisation: Annotated[str, line(60), Field(description=_ORGANISATION)] = ""


class CompetitorDaysQuery(Paging):
    """Which stored days."""

    competitor: Annotated[str, line(LONGEST_NAME)] = ""
    network: Annotated[str, line(40)] = ""
    organisation: Annotated[str, line(60), Field(description=_ORGANISATION)] = ""


class CompetitorDayOut(BaseModel):
    """The figures of one line of an import."""

    competitor: str
    network: str
    day: date
    followers: int | None
    posts: int | None
    interactions: int | None


class CompetitorDayPage(Page[CompetitorDayOut]):
    """A page of stored days, newest first."""


class CompetitorImportIn(Body):
    """A CSV of competitors."""

    csv: Annotated[str, prose(_LONGEST_CSV, least=1)]
    preview: Annotated[bool, Field(description="store nothing, and return the problems of all lines")] = False
    organisation: Annotated[str, line(60), Field(description=_ORGANISATION)] = ""


class LineProblemOut(BaseModel):
    """What is wrong with a line."""

    line: int
    why: str


class CompetitorImportOut(BaseModel):
    """What an import changes, or would change."""

    new: int
    replaced: int
    unchanged: int
    problems: list[LineProblemOut]


class CompetitorRemoval(BaseModel):
    """Which days to delete."""

    model_config = ConfigDict(extra="forbid")

    competitor: Annotated[str, line(LONGEST_NAME, least=1)]
    network: Annotated[str, line(40)] = ""
    day: date | None = None
    organisation: Annotated[str, line(60), Field(description=_ORGANISATION)] = ""


class RemovedDaysOut(BaseModel):
    """How much was deleted."""

    removed: int = Field(description="days")


def comparison(deps: Deps, which: CompetitorsQuery) -> CompetitorsOut:
    """Return own figures beside those of competitors."""
    found = service.compared(deps, days=which.days, network=which.network, organisation=which.organisation)
    stored = service.stored(deps, organisation=which.organisation)
    return CompetitorsOut(
        items=[taken(CompetitorFiguresOut, one) for one in found],
        stored=[taken(StoredCompetitorOut, one) for one in stored],
    )


@router.get("", dependencies=[needs(Permission.FLEET_VIEW)])
def compare_competitors(deps: TheDeps, *, which: Annotated[CompetitorsQuery, Query()]) -> CompetitorsOut:
    """Return own figures beside those of competitors, by network."""
    return comparison(deps, which)


@router.get("/days", dependencies=[needs(Permission.FLEET_VIEW)])
def list_competitor_days(deps: TheDeps, *, which: Annotated[CompetitorDaysQuery, Query()]) -> CompetitorDayPage:
    """Return a page of imported figures by day, newest first."""
    found = service.listed(
        deps, competitor=which.competitor, network=which.network, organisation=which.organisation,
        limit=which.one_more, below=which.place(uuid.UUID),
    )  # fmt: skip
    days, following = which.page(found, lambda one: one[0])
    return CompetitorDayPage(items=[taken(CompetitorDayOut, day) for _, day in days], next=following)


@router.post("/imports")
def import_competitors(deps: TheDeps, *, body: CompetitorImportIn, who: Editor) -> CompetitorImportOut:
    """Import a CSV of competitors, all lines or none; a line replaces that of the same day."""
    made = service.import_csv(deps, body.csv, organisation=body.organisation, by=who.by, is_preview=body.preview)
    return taken(CompetitorImportOut, made, problems=problems_out(made.problems))


@router.delete("", dependencies=[needs(Permission.AGENTS_EDIT)])
def remove_competitor(deps: TheDeps, *, which: Annotated[CompetitorRemoval, Query()]) -> RemovedDaysOut:
    """Delete the figures of a competitor, perhaps of one network or day alone."""
    removed = service.remove(
        deps, which.competitor, network=which.network, day=which.day, organisation=which.organisation
    )
    return RemovedDaysOut(removed=removed)


def problems_out(problems: tuple[LineProblem, ...]) -> list[LineProblemOut]:
    """Return what is wrong with lines."""
    return [taken(LineProblemOut, one) for one in problems]
