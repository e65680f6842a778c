"""One draft: beside the post that it answers, with its revisions and decisions."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any

from fastapi import APIRouter, Form, Path, Request
from fastapi.responses import Response

from fleet.access import Permission, Principal
from fleet.core.errors import Conflict, FleetError, InvalidInput
from fleet.engine.agents import lookup
from fleet.engine.deps import Deps
from fleet.features.approvals.approver import person_of
from fleet.features.approvals.pages import decisions as pages_decisions
from fleet.features.approvals.pages.decisions import Back, Decider, Name, Reason, Revision
from fleet.features.approvals.request import Changed
from fleet.features.approvals.requests.permissions import standing
from fleet.features.drafts import commands as drafting
from fleet.features.drafts.commands import DraftView
from fleet.features.drafts.content import CHOICES, FIELDS, editable
from fleet.features.drafts.models import RevisionRow
from fleet.features.drafts.states import DraftKind
from fleet.web.auth import TheDeps, needs
from fleet.web.problems import status_of
from fleet.web.rendering import go, render

router = APIRouter()
Words = Annotated[str, Form(max_length=20_000)]


@router.get("/drafts/{name}")
def draft(request: Request, deps: TheDeps, name: Name,
          who: Annotated[Principal, needs(Permission.DRAFTS_VIEW)]) -> Response:  # fmt: skip
    """Show one draft."""
    return _page(request, deps, name, who)


@router.get("/drafts/{name}/pictures/{place}", dependencies=[needs(Permission.DRAFTS_VIEW)])
def picture(deps: TheDeps, name: Name, place: Annotated[int, Path(ge=0, le=20)]) -> Response:
    """Return our own copy of a picture that a draft brings along."""
    data, content_type = drafting.picture(deps, name, place)
    return Response(data, media_type=content_type)


@router.post("/drafts/{name}/revise")
def revise(request: Request, deps: TheDeps, name: Name, who: Decider, *,
           instructions: Annotated[str, Form(max_length=1000)] = "", back: Back = "") -> Response:  # fmt: skip
    """Send a draft back to be written anew."""
    try:
        if not instructions.strip():
            raise InvalidInput("Sent back for what?", fix="Say in your own words what should be different.")
        drafting.revise(deps, name, pages_decisions.lines(instructions.strip()), person_of(who))
    except FleetError as error:
        if isinstance(error, (InvalidInput, Conflict)):
            kept = {"instructions": instructions}
            return _page(request, deps, name, who, code=status_of(error), problem=error, kept=kept)
        return go(request, pages_decisions.back_to("/drafts", name, back), str(error), wrong=True)
    return go(request, pages_decisions.back_to("/drafts", name, back), "A new revision was requested.")


@router.post("/drafts/{name}/edit")
def edit(request: Request, deps: TheDeps, name: Name, who: Decider, *, revision: Revision = None, text: Words = "",
         image_prompt: Words = "", alt_text: Words = "", visibility: Words = "", type: Words = "",
         reason: Reason = "", back: Back = "") -> Response:  # fmt: skip
    """Replace texts of a draft; approvals of the old ones become void."""
    given = {"text": text, "image_prompt": image_prompt, "alt_text": alt_text, "visibility": visibility, "type": type}
    one, _ = drafting.show(deps, name)
    kind = DraftKind(one.row.kind)
    wanted = {field: given[field] for field in editable(kind) if given[field] or field in FIELDS[kind]}
    try:
        made = drafting.edit(deps, name, wanted, person_of(who), reason or None, revision=revision)
    except FleetError as error:
        kept = {**wanted, "reason": reason}
        return _page(request, deps, name, who, code=status_of(error), problem=error, kept=kept)
    return go(
        request, pages_decisions.back_to("/drafts", name, back), f"Revision {made.revision} waits for a decision."
    )


def _page(request: Request, deps: Deps, name: str, who: Principal, *, code: int = 200,
          problem: FleetError | None = None, kept: dict[str, Any] | None = None) -> Response:  # fmt: skip
    """Show the draft in its current state; `kept` are the values of a form that was refused."""
    one, revisions = drafting.show(deps, name)
    mine = {**one.row.content, **{field: words for field, words in (kept or {}).items() if field in one.row.content}}
    return render(
        request, "drafts/draft.html", code=code, problem=problem, one=one, kept=kept or {}, mine=mine,
        against=pages_decisions.changes(one.row.content, mine) if isinstance(problem, Changed) else [],
        is_changed=isinstance(problem, Changed), history=_history(revisions), record=drafting.decisions(deps, name),
        names=lookup.names(deps.db, [one.row.agent_id]), **_looks(one, who),
    )  # fmt: skip


def _looks(one: DraftView, who: Principal) -> dict[str, Any]:
    """Return the functions that the template calls for the draft."""
    kind = DraftKind(one.row.kind)
    return {
        "person": person_of(who),
        "standing": standing,
        "nearness": pages_decisions.nearness,
        "fields": FIELDS[kind],
        "approvers": pages_decisions.approvers,
        "choices": CHOICES[kind],
    }


def _history(revisions: list[RevisionRow]) -> list[dict[str, Any]]:
    """Return the revisions newest first, each with its changes; the first has none."""
    told = [
        {"row": now, "changes": pages_decisions.changes(was.content, now.content)} for was, now in pairwise(revisions)
    ]
    return [*reversed(told), *({"row": one, "changes": []} for one in revisions[:1])]
