"""One's own notices: addresses, a test message, what one is told and when."""

from __future__ import annotations

import uuid
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from fleet.access import Permission, Principal
from fleet.core.errors import FleetError
from fleet.engine.deps import Deps
from fleet.features.notices import addresses
from fleet.features.notices.rules import ABOUT, NEEDS, Choices
from fleet.features.notices.topics import Topic
from fleet.web.auth import TheDeps, needs
from fleet.web.problems import status_of
from fleet.web.rendering import go, render
from fleet.web.requests.form_types import Maybe

router = APIRouter()
_HERE = "/account/notices"
ACCOUNT_LINK = (_HERE, "Notices: where and what you are told")
Own = Annotated[Principal, needs(Permission.OWN_ACCOUNT)]
Hour = Annotated[Maybe[int], Form(ge=0, le=23)]


@router.get(_HERE)
def notices(request: Request, deps: TheDeps, who: Own) -> Response:
    """Show the user's own addresses and choices."""
    return _shown(request, deps, who)


@router.post("/account/notices")
def choose(request: Request, deps: TheDeps, who: Own, *, zone: Annotated[str, Form(max_length=60)],
           topics: Annotated[list[Topic] | None, Form(max_length=10)] = None,
           quiet_from: Hour = None, quiet_until: Hour = None,
           digest_hour: Annotated[int, Form(ge=0, le=23)] = 8) -> Response:  # fmt: skip
    """Change what the user is told, and when."""
    wanted = Choices(tuple(topics or ()), zone.strip(), quiet_from, quiet_until, digest_hour)
    try:
        addresses.choose(deps, who.name, wanted)
    except FleetError as error:
        return _shown(request, deps, who, code=status_of(error), problem=error, wanted=wanted)
    return go(request, _HERE, "Your choice is saved.")


@router.post("/account/notices/addresses")
def add(
    request: Request, deps: TheDeps, who: Own, address: Annotated[str, Form(max_length=addresses.LONGEST)]
) -> Response:
    """Add an address."""
    try:
        made = addresses.add(deps, who.name, address)
    except FleetError as error:
        return _shown(request, deps, who, code=status_of(error), refused=error)
    return go(request, _HERE, f"{made.shown} is added. Send a test message to see that it works.")


@router.post("/account/notices/addresses/{address_id}/test")
def test(request: Request, deps: TheDeps, who: Own, address_id: uuid.UUID) -> Response:
    """Send a test message."""
    try:
        job_id = addresses.test(deps, who.name, address_id)
    except FleetError as error:
        return go(request, _HERE, str(error), wrong=True)
    return go(request, _HERE, f"A test message is on its way: job {str(job_id)[:8]}.")


@router.post("/account/notices/addresses/{address_id}/remove")
def remove(request: Request, deps: TheDeps, who: Own, address_id: uuid.UUID) -> Response:
    """Forget an address."""
    try:
        addresses.remove(deps, who.name, address_id)
    except FleetError as error:
        return go(request, _HERE, str(error), wrong=True)
    return go(request, _HERE, "The address is removed.")


def _shown(request: Request, deps: Deps, who: Principal, *, code: int = 200, problem: FleetError | None = None,
           refused: FleetError | None = None, wanted: Choices | None = None) -> Response:  # fmt: skip
    return render(
        request, "notices/account_notices.html", code=code, problem=problem, refused=refused,
        addresses=addresses.listed(deps, who.name), chosen=wanted or addresses.choices(deps, who.name),
        topics={one: words for one, words in ABOUT.items() if who.may(NEEDS[one])},
        sends_mail=addresses.has_mail(deps), web_url=deps.settings.web_url,
        others=addresses.numbers(deps) if who.may(Permission.USERS_VIEW) else [],
    )  # fmt: skip
