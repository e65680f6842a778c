"""The pages of the inbox and of people who want to be left alone."""

from __future__ import annotations

import uuid
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from fleet.access import Permission
from fleet.adapters import registry as adapters
from fleet.core.errors import FleetError
from fleet.engine.deps import Deps
from fleet.features.platforms import service
from fleet.features.platforms.api import Editor, InboxQuery, OptOutQuery, inbox_page
from fleet.features.platforms.inbox import opt_outs
from fleet.features.platforms.inbox.states import InboxState
from fleet.web.auth import TheDeps, needs
from fleet.web.problems import status_of
from fleet.web.rendering import go, render

router = APIRouter()


class FilledOptOut(BaseModel):
    """The typed values in the form of an opt-out."""

    surface: str = Field("", max_length=40)
    username: str = Field("", max_length=200)
    reason: str = Field("", max_length=300)


@router.get("/inbox", dependencies=[needs(Permission.FLEET_VIEW)])
def inbox(request: Request, deps: TheDeps, which: Annotated[InboxQuery, Query()]) -> Response:
    """Show mentions and replies, newest first, and what became of each."""
    found, following = inbox_page(deps, which)
    urls = {one.id: service.url_of(deps, one) for one in found}
    return render(request, "platforms/inbox.html", items=found, next=following, which=which, states=InboxState,
                  urls=urls)  # fmt: skip


@router.post("/inbox/{item_id}/ignore")
def ignore(request: Request, deps: TheDeps, who: Editor, item_id: uuid.UUID) -> Response:
    """Close an open notification without an answer."""
    try:
        service.ignore(deps, item_id, by=who.by)
    except FleetError as error:
        return go(request, "/inbox", str(error), wrong=True)
    return go(request, "/inbox", "It is not answered.")


@router.get("/opt-outs", dependencies=[needs(Permission.FLEET_VIEW)])
def list_opt_outs(request: Request, deps: TheDeps, which: Annotated[OptOutQuery, Query()]) -> Response:
    """Show the people whom no agent approaches."""
    return _opt_outs(request, deps, which, FilledOptOut(), None)


@router.post("/opt-outs")
def add(request: Request, deps: TheDeps, who: Editor, filled: Annotated[FilledOptOut, Form()]) -> Response:
    """Have the whole fleet leave somebody alone."""
    try:
        added = service.add_opt_out(deps, filled.surface, filled.username, by=who.by, reason=filled.reason)
    except FleetError as error:
        return _opt_outs(request, deps, OptOutQuery(), filled, error)
    said = "No agent approaches them any more." if added else "They are on the list already."
    return go(request, "/opt-outs", said)


@router.post("/opt-outs/{opt_out_id}/remove")
def remove(request: Request, deps: TheDeps, who: Editor, opt_out_id: uuid.UUID) -> Response:
    """Take somebody off the list."""
    try:
        service.remove_opt_out(deps, opt_out_id, by=who.by)
    except FleetError as error:
        return go(request, "/opt-outs", str(error), wrong=True)
    return go(request, "/opt-outs", "Agents may approach them again.")


def _opt_outs(
    request: Request, deps: Deps, which: OptOutQuery, filled: FilledOptOut, problem: FleetError | None
) -> Response:
    with deps.db.transaction() as tx:
        found = opt_outs.listed(tx, limit=which.one_more, below=which.place(uuid.UUID), search=which.search)
        rows, following = which.page(found, lambda row: row.id)
    return render(
        request, "platforms/opt_outs.html", code=200 if problem is None else status_of(problem), rows=rows,
        next=following, which=which, filled=filled, problem=problem, surfaces=adapters.names(),
    )  # fmt: skip
