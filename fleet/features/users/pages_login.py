"""Coming in and going out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response

from fleet.access import Permission, Principal, Via
from fleet.access.sessions import IDLE, LIFETIME, EndReason, Visit
from fleet.core.errors import FleetError
from fleet.engine.deps import Deps
from fleet.features.users import service as accounts
from fleet.web import auth
from fleet.web.auth import Open, TheDeps, TheVisitor, needs
from fleet.web.filters import span
from fleet.web.problems import status_of
from fleet.web.rendering import go, render

router = APIRouter()
_ENDED = {
    EndReason.EXPIRED: f"Your session has expired: one ends after {span(IDLE.total_seconds())} without a visit, and "
    f"after {LIFETIME.days} days in any case.",
    EndReason.ELSEWHERE: "You ended this session in another browser.",
    EndReason.ADMIN: "An admin of the fleet ended your sessions.",
    EndReason.ROLE: "Your role was changed, which ends all sessions. Log in again to work with the new one.",
    EndReason.PASSWORD: "Your password was changed, which ends all sessions. Log in with the new one.",
    EndReason.REMOVED: "Your user was removed. An owner or admin of the fleet can invite you again.",
    EndReason.COPIED: "This session was used in two places, so it was ended. If the other one was not you, change "
    "your password.",
}


@router.get("/login", dependencies=[Open])
def form(
    request: Request, deps: TheDeps, who: TheVisitor, *, next: Annotated[str, Query(max_length=2000)] = "/"
) -> Response:
    """Show the login form; redirect a user who is logged in."""
    if who is not None:
        return go(request, _ours(next))
    return render(
        request, "users/login.html", next=_ours(next), nobody=not accounts.anybody(deps), problem=None, name="",
        ended=_why_ended(request, deps),
    )  # fmt: skip


@router.post("/login", dependencies=[Open])
def log_in(request: Request, deps: TheDeps, former: TheVisitor, *, name: Annotated[str, Form(max_length=200)],
           password: Annotated[str, Form(max_length=1000)],
           next: Annotated[str, Form(max_length=2000)] = "/") -> Response:  # fmt: skip
    """Open a session, with a new key whatever the browser sent, and end the previous one."""
    try:
        key, _ = accounts.log_in(deps, name, password, visit_of(request))
    except FleetError as error:
        return render(
            request, "users/login.html", code=status_of(error), next=_ours(next), nobody=False, problem=error,
            name=name, ended="",
        )  # fmt: skip
    if former is not None and former.via is Via.SESSION:
        accounts.log_out(deps, former)
    return with_session(request, go(request, _ours(next)), key)


@router.post("/logout")
def log_out(request: Request, deps: TheDeps, who: Annotated[Principal, needs(Permission.OWN_ACCOUNT)],
            everywhere: Annotated[bool, Form()] = False) -> Response:  # fmt: skip
    """End this session, or every one of this user's."""
    accounts.log_out(deps, who, everywhere=everywhere)
    answer = go(request, "/login", "You are logged out." if not everywhere else "You are logged out everywhere.")
    answer.delete_cookie(auth.cookie_name(request), path="/", secure=auth.is_secure(request), httponly=True)
    return answer


def _why_ended(request: Request, deps: Deps) -> str:
    """Say why the session of this browser has ended; empty for a browser without one."""
    key = request.cookies.get(auth.cookie_name(request))
    why = accounts.end_reason(deps, key) if key else None
    return _ENDED.get(why, "") if why else ""


def visit_of(request: Request) -> Visit:
    """Return where this browser comes from."""
    return Visit(auth.address_of(request), request.headers.get("user-agent", ""))


def with_session(request: Request, answer: Response, key: str) -> Response:
    """Have an answer bring the key of a new session."""
    answer.headers.append("set-cookie", auth.session_cookie(request, key))
    return answer


def _ours(where: str) -> str:
    """Return a path of this site; a URL of another site would lead users away after the login."""
    plain = where.startswith("/") and not where.startswith(("//", "/\\")) and where.isprintable()
    return where if plain and "\\" not in where else "/"
