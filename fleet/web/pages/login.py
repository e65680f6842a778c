"""Coming in and going out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from fleet.access import Permission, Principal
from fleet.access.sessions import LIFETIME, Visit
from fleet.core.errors import FleetError
from fleet.runtime import accounts
from fleet.web import gate
from fleet.web.gate import Open, TheDeps, needs
from fleet.web.problems import status_of
from fleet.web.rendering import go, render

router = APIRouter()


@router.get("/login", dependencies=[Open])
def form(request: Request, deps: TheDeps, next: str = "/") -> Response:
    """Show where to log in."""
    return render(request, "login.html", next=_ours(next), nobody=not accounts.anybody(deps), problem=None, name="")


@router.post("/login", dependencies=[Open])
def log_in(request: Request, deps: TheDeps, name: Annotated[str, Form(max_length=200)],
           password: Annotated[str, Form(max_length=1000)],
           next: Annotated[str, Form(max_length=500)] = "/") -> Response:  # fmt: skip
    """Begin a session, with a new key whatever the browser brought."""
    visit = Visit(gate.address_of(request), request.headers.get("user-agent", ""))
    try:
        key, _ = accounts.log_in(deps, name, password, visit)
    except FleetError as error:
        return render(
            request, "login.html", code=status_of(error), next=_ours(next), nobody=False, problem=error, name=name
        )  # fmt: skip
    answer = go(request, _ours(next))
    answer.set_cookie(
        gate.cookie_name(request), key, max_age=int(LIFETIME.total_seconds()), path="/", httponly=True,
        secure=gate.is_secure(request), samesite="lax",
    )  # fmt: skip
    return answer


@router.post("/logout")
def log_out(request: Request, deps: TheDeps, who: Annotated[Principal, needs(Permission.OWN_ACCOUNT)],
            everywhere: Annotated[bool, Form()] = False) -> Response:  # fmt: skip
    """End this session, or every one of this user's."""
    accounts.log_out(deps, who, everywhere=everywhere)
    answer = go(request, "/login", "You are logged out." if not everywhere else "You are logged out everywhere.")
    answer.delete_cookie(gate.cookie_name(request), path="/", secure=gate.is_secure(request), httponly=True)
    return answer


def _ours(where: str) -> str:
    """Return a path of this site; another site's address would lead people away after they have logged in."""
    plain = where.startswith("/") and not where.startswith(("//", "/\\")) and where.isprintable()
    return where if plain and "\\" not in where else "/"
