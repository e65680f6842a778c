"""One's own account: the password, the sessions, the tokens."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from fleet.access import Permission, Principal, roles
from fleet.access.errors import LoginRefused
from fleet.core.errors import FleetError
from fleet.engine import registry
from fleet.engine.deps import Deps
from fleet.engine.points import verbs
from fleet.features.users import service as accounts
from fleet.features.users.pages_login import visit_of, with_session
from fleet.web.auth import TheDeps, needs
from fleet.web.problems import status_of
from fleet.web.rendering import go, render

router = APIRouter()
_HERE = "/account"
_DAY_S = 86_400
_LIFETIMES = {7: "7 days", 30: "30 days", 90: "90 days", 365: "a year", 0: "never"}
Own = Annotated[Principal, needs(Permission.OWN_ACCOUNT)]
Password = Annotated[str, Form(max_length=1000)]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The typed values of a new token."""

    name: str = ""
    scopes: Sequence[str] = ()
    days: int = 90
    preset: str = ""


@router.get(_HERE)
def account(request: Request, deps: TheDeps, who: Own) -> Response:
    """Show the user's own account."""
    return _shown(request, deps, who)


@router.post("/account/password")
def change_password(request: Request, deps: TheDeps, who: Own, *, old: Password, new: Password,
                    again: Password, revoke_tokens: Annotated[bool, Form()] = False) -> Response:  # fmt: skip
    """Change one's own password; every other session ends, and tokens too if requested."""
    try:
        accounts.refuse_different(new, again)
        key, revoked = accounts.change_password(deps, who, old, new, visit_of(request), revoke_tokens=revoke_tokens)
    except FleetError as error:
        told = "The old password is another one." if isinstance(error, LoginRefused) else str(error)
        code = 422 if isinstance(error, LoginRefused) else status_of(error)  # nobody is logged out by it
        return _shown(request, deps, who, code=code, password_problem=told, revoke_tokens=revoke_tokens)
    tokens = f" Tokens revoked: {revoked}." if revoke_tokens else " Your tokens stay valid."
    said = f"Your password is changed. Every other session of yours has ended.{tokens}"
    return with_session(request, go(request, _HERE, said), key)


@router.post("/account/sessions/{session_id}/end")
def end_session(request: Request, deps: TheDeps, who: Own, session_id: uuid.UUID) -> Response:
    """End one of one's own sessions."""
    try:
        accounts.end_session(deps, who, session_id)
    except FleetError as error:
        return go(request, _HERE, str(error), wrong=True)
    return go(request, "/login" if session_id == who.key_id else _HERE, "The session has ended.")


@router.post("/account/tokens")
def issue_token(request: Request, deps: TheDeps, who: Own, *, name: Annotated[str, Form(max_length=200)],
                scopes: Annotated[list[str] | None, Form(max_length=50)] = None,
                days: Annotated[int, Form(ge=0, le=3650)] = 90,
                preset: Annotated[str, Form(max_length=20)] = "") -> Response:  # fmt: skip
    """Issue a token and show it: in the response itself, since a secret must not be put into a cookie.

    Ticked scopes go before those of a preset, which ticked them where the browser runs scripts.
    """
    wanted = _Wanted(name, scopes or (), days, preset)
    try:
        usual = [one for one in roles.preset(preset).scopes if who.may(one)] if preset and not scopes else ()
        token = verbs.perform(
            deps, who, "token", "create", user=who.name, name=name, scopes=wanted.scopes or usual,
            expires_in_s=days * _DAY_S if days else None,
        )  # fmt: skip
    except FleetError as error:
        return _shown(request, deps, who, code=status_of(error), problem=str(error), wanted=wanted)
    return _shown(request, deps, who, token=token)


@router.post("/account/tokens/{token_id}/revoke")
def revoke_token(request: Request, deps: TheDeps, who: Own, token_id: uuid.UUID) -> Response:
    """Revoke one of one's own tokens."""
    try:
        accounts.revoke_token(deps, str(token_id), by=who)
    except FleetError as error:
        return go(request, _HERE, str(error), wrong=True)
    return go(request, _HERE, "The token opens nothing any more.")


def _shown(request: Request, deps: Deps, who: Principal, *, code: int = 200, token: str | None = None,
           problem: str | None = None, wanted: _Wanted | None = None, password_problem: str | None = None,
           revoke_tokens: bool = False) -> Response:  # fmt: skip
    return render(
        request, "users/account.html", code=code, token=token, problem=problem, wanted=wanted or _Wanted(),
        password_problem=password_problem, revoke_tokens=revoke_tokens, presets=roles.PRESETS,
        lifetimes=_LIFETIMES, sessions=accounts.list_sessions(deps, who),
        tokens=accounts.list_tokens(deps, who.name), scopes=[one for one in Permission if who.may(one)],
        approved=[(one, (one.arguments["expires_in_s"] or 0) // _DAY_S)
                  for one in verbs.approved(deps, who, "token", "create")],
        links=registry.current().extensions("users.account_links"),
    )  # fmt: skip
