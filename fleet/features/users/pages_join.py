"""The page of an invitation: its holder chooses a name and a password, once, and is logged in.

The key is part of the URL, so the URL must not leak: `headers` sends no path of this page as a referrer.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Path, Request
from fastapi.responses import Response

from fleet.access.invitations import NoInvitation
from fleet.core.errors import FleetError
from fleet.features.users import invite
from fleet.features.users import service as accounts
from fleet.features.users.pages_login import visit_of, with_session
from fleet.web.auth import Open, TheDeps
from fleet.web.problems import status_of
from fleet.web.rendering import go, render

router = APIRouter()
Key = Annotated[str, Path(max_length=100)]


@router.get("/join/{key}", dependencies=[Open])
def invited(request: Request, deps: TheDeps, key: Key) -> Response:
    """Show the role of an invitation."""
    invitation = invite.look_at_invitation(deps, key)
    return render(request, "users/join.html", invitation=invitation, problem=None, name="")


@router.post("/join/{key}", dependencies=[Open])
def join(request: Request, deps: TheDeps, key: Key, *, name: Annotated[str, Form(max_length=200)],
         password: Annotated[str, Form(max_length=1000)],
         again: Annotated[str, Form(max_length=1000)]) -> Response:  # fmt: skip
    """Make the invited user and log them in."""
    invitation = invite.look_at_invitation(deps, key)
    name = name.strip().lower()
    try:
        accounts.refuse_different(password, again)
        user = invite.join(deps, key, name, password)
    except NoInvitation:
        raise
    except FleetError as error:
        return render(
            request, "users/join.html", code=status_of(error), invitation=invitation, problem=error, name=name
        )  # fmt: skip
    session, _ = accounts.log_in(deps, user.name, password, visit_of(request))
    return with_session(request, go(request, "/", f"Welcome, {user.name}."), session)
