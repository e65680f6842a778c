"""The page of organisations: names, voices, members, and what belongs to them."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from fleet.access import Permission
from fleet.access.organisations import LONGEST_NAME, LONGEST_VOICE
from fleet.core.errors import FleetError
from fleet.engine.deps import Deps
from fleet.features.organisations import service
from fleet.features.organisations.api import EDIT, VIEW, Editor
from fleet.web.auth import TheDeps, is_secure, needs, switch_name
from fleet.web.problems import status_of
from fleet.web.rendering import KeptForm, go, render

router = APIRouter()
_HERE = "/organisations"
_REMEMBERED_S = 365 * 86_400
OrganisationName = Annotated[str, Form(max_length=LONGEST_NAME)]
Voice = Annotated[str, Form(max_length=LONGEST_VOICE)]
Typed = Annotated[str, Form(max_length=60)]


@router.get(_HERE, dependencies=[VIEW])
def organisations(request: Request, deps: TheDeps) -> Response:
    """Show the organisations."""
    return _page(request, deps)


@router.post(_HERE, dependencies=[EDIT])
def create(request: Request, deps: TheDeps, name: OrganisationName = "", voice: Voice = "") -> Response:
    """Create an organisation."""
    try:
        made = service.create(deps, name, voice=voice)
    except FleetError as error:
        return _page(request, deps, error, typed={"name": name, "voice": voice})
    return go(request, _HERE, f"The organisation {made.name} is created.")


@router.post("/organisations/switch", dependencies=[needs(Permission.OWN_ACCOUNT)])
def switch(request: Request, organisation: Typed = "") -> Response:
    """Look at one organisation, or again at all of one's own."""
    answer = go(request, "/")
    answer.set_cookie(
        switch_name(request), organisation, max_age=_REMEMBERED_S, path="/", httponly=True, secure=is_secure(request),
        samesite="lax",
    )  # fmt: skip
    return answer


@router.post("/organisations/{organisation_id}/change", dependencies=[EDIT])
def change(
    request: Request, deps: TheDeps, organisation_id: uuid.UUID, name: OrganisationName = "", voice: Voice = ""
) -> Response:
    """Rename an organisation, or change its voice."""
    kept = KeptForm(f"change {organisation_id}", "name", {"name": name, "voice": voice})
    done = "The changes are saved."
    return _done(request, lambda: service.change(deps, str(organisation_id), name=name, voice=voice), done, kept)


@router.post("/organisations/{organisation_id}/remove")
def remove(request: Request, deps: TheDeps, organisation_id: uuid.UUID, who: Editor) -> Response:
    """Remove an organisation."""
    return _done(request, lambda: service.remove(deps, str(organisation_id), by=who.by), "The organisation is removed.")


@router.post("/organisations/{organisation_id}/members", dependencies=[EDIT])
def add_member(request: Request, deps: TheDeps, organisation_id: uuid.UUID, user: Typed = "") -> Response:
    """Let a user's role hold in an organisation."""
    user = user.strip().lower()
    done = f"The role of {user} holds in their organisations alone."
    kept = KeptForm(f"members {organisation_id}", "user", {"user": user})
    return _done(request, lambda: service.add_member(deps, str(organisation_id), user), done, kept)


@router.post("/organisations/{organisation_id}/members/remove", dependencies=[EDIT])
def remove_member(
    request: Request, deps: TheDeps, organisation_id: uuid.UUID, user: Typed = "", *,
    everywhere: Annotated[bool, Form()] = False,
) -> Response:  # fmt: skip
    """End a membership."""
    done = f"{user} is no longer a member."
    kept = KeptForm(f"remove {user}", "everywhere", {})
    return _done(
        request, lambda: service.remove_member(deps, str(organisation_id), user, everywhere=everywhere), done, kept
    )


@router.post("/organisations/{organisation_id}/agents", dependencies=[EDIT])
def move_agent(request: Request, deps: TheDeps, organisation_id: uuid.UUID, agent: Typed = "") -> Response:
    """Move an agent to an organisation."""
    agent = agent.strip().removeprefix("@")
    kept = KeptForm(f"agents {organisation_id}", "agent", {"agent": agent})
    done = f"{agent} belongs to it now."
    return _done(request, lambda: service.move_agent(deps, str(organisation_id), agent), done, kept)


@router.post("/organisations/{organisation_id}/accounts", dependencies=[EDIT])
def move_account(request: Request, deps: TheDeps, organisation_id: uuid.UUID, account: Typed = "") -> Response:
    """Move an account to an organisation."""
    account = account.strip()
    kept = KeptForm(f"accounts {organisation_id}", "account", {"account": account})
    done = f"{account} belongs to it now."
    return _done(request, lambda: service.move_account(deps, str(organisation_id), account), done, kept)


def _done(request: Request, run: Callable[[], object], said: str, kept: KeptForm | None = None) -> Response:
    try:
        run()
    except FleetError as error:
        return go(request, _HERE, str(error), wrong=True, kept=kept)
    return go(request, _HERE, said)


def _page(
    request: Request, deps: Deps, problem: FleetError | None = None, typed: dict[str, str] | None = None
) -> Response:
    found = service.listed(deps)
    memberships = Counter(user for one in found for user in one.organisation.members)
    return render(
        request, "organisations/organisations.html", code=200 if problem is None else status_of(problem),
        organisations=found, memberships=memberships, problem=problem, typed=typed or {"name": "", "voice": ""},
        most_name=LONGEST_NAME, most_voice=LONGEST_VOICE,
    )  # fmt: skip
