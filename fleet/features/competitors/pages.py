"""The page of competitors: their figures beside own ones, an import with a preview, and what is stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel
from starlette.datastructures import UploadFile

from fleet.access import Permission, Principal, organisations
from fleet.core.errors import FleetError, InvalidInput
from fleet.engine.deps import Deps
from fleet.features.competitors import service
from fleet.features.competitors.api import CompetitorsQuery, comparison
from fleet.features.competitors.service import ImportResult
from fleet.web.auth import TheDeps, needs
from fleet.web.rendering import go, render

router = APIRouter()
Editor = Annotated[Principal, needs(Permission.AGENTS_EDIT)]
PERIODS = {7: "a week", 30: "30 days", 90: "90 days", 365: "a year"}
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class TypedImport:
    """A form with a CSV: typed, or of a file, whose text is shown from then on."""

    text: str
    organisation: str
    is_preview: bool
    problem: str = ""


async def _typed(request: Request) -> TypedImport:
    form = await request.form()
    problem, text, file = "", form.get("csv"), form.get("file")
    said = text if isinstance(text, str) else ""
    if isinstance(file, UploadFile) and file.size:
        try:
            said = (await file.read()).decode("utf-8-sig")
        except UnicodeDecodeError:
            problem = "This file is no CSV in UTF-8. Save it as CSV, UTF-8."
    named = form.get("organisation")
    organisation = named if isinstance(named, str) else ""
    return TypedImport(said.replace("\0", ""), organisation[:60], form.get("do") == "preview", problem)


class RemovalForm(BaseModel):
    """Whose figures to delete."""

    competitor: str = ""
    network: str = ""
    organisation: str = ""


@router.get("/competitors", dependencies=[needs(Permission.FLEET_VIEW)])
def competitors(request: Request, deps: TheDeps, which: Annotated[CompetitorsQuery, Query()]) -> Response:
    """Show own figures beside those of competitors."""
    return _page(request, deps, which)


@router.post("/competitors")
def import_competitors(
    request: Request, deps: TheDeps, who: Editor, filled: Annotated[TypedImport, Depends(_typed)]
) -> Response:
    """Import a CSV of competitors, or show what it would change."""
    which = CompetitorsQuery(organisation=filled.organisation)
    try:
        if filled.problem or not filled.text.strip():
            raise InvalidInput(filled.problem or "Choose a file, or paste its lines.")
        made = service.import_csv(
            deps, filled.text, organisation=filled.organisation, by=who.by, is_preview=filled.is_preview
        )
    except FleetError as error:
        return _page(request, deps, which, filled=filled, problem=error.plain, code=422)
    if filled.is_preview:
        return _page(request, deps, which, filled=filled, preview=made)
    said = f"{made.new:,} new days are imported, {made.replaced:,} are replaced, {made.unchanged:,} were there."
    return go(request, _address(filled.organisation), said)


@router.post("/competitors/remove", dependencies=[needs(Permission.AGENTS_EDIT)])
def remove(request: Request, deps: TheDeps, filled: Annotated[RemovalForm, Form()]) -> Response:
    """Delete the figures of a competitor on a network."""
    try:
        removed = service.remove(deps, filled.competitor, network=filled.network, organisation=filled.organisation)
    except FleetError as error:
        return go(request, _address(filled.organisation), error.plain, wrong=True)
    return go(request, _address(filled.organisation), f"{removed:,} days of {filled.competitor} are removed.")


def _address(organisation: str) -> str:
    return f"/competitors?{urlencode({'organisation': organisation})}" if organisation else "/competitors"


def _page(
    request: Request, deps: Deps, which: CompetitorsQuery, *, filled: TypedImport | None = None,
    preview: ImportResult | None = None, problem: str = "", code: int = 200,
) -> Response:  # fmt: skip
    found = comparison(deps, which)
    with deps.db.transaction() as tx:
        known = [one.name for one in organisations.listed(tx)]
    return render(
        request, "competitors/competitors.html", code=code, items=found.items, stored=found.stored, which=which,
        filled=filled, preview=preview, shown=_SHOWN, problem=problem, periods=PERIODS,
        organisations=known if len(known) > 1 else (),
    )  # fmt: skip
