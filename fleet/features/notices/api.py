"""Notices to users, for programs: addresses of the caller's own, what they are told, and who has an address."""

from __future__ import annotations

import uuid
from dataclasses import asdict, replace
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, SecretStr

from fleet.access import Permission, Principal
from fleet.core.errors import InvalidInput
from fleet.features.notices import addresses
from fleet.features.notices.topics import Topic
from fleet.web.auth import Forbidden, TheDeps, needs
from fleet.web.requests.fields import Body, line, taken, whole

router = APIRouter(prefix="/notify", tags=["notify"])
Own = Annotated[Principal, needs(Permission.OWN_ACCOUNT)]
Hour = Annotated[int, whole(0, 23)]


class UserQuery(Body):
    """Whose notices: the local administrator names a user, all others have their own."""

    user: Annotated[str, line(60)] | None = None


Whose = Annotated[UserQuery, Query()]


class OneAddress(BaseModel):
    """An address, of which only a part is shown."""

    id: uuid.UUID
    shown: str = Field(examples=["mail: a…@example.org"])
    created_at: datetime
    last_sent_at: datetime | None


class NotifyOut(BaseModel):
    """Where a user is told, what, and when. Hours are of the zone."""

    user: str
    addresses: list[OneAddress]
    topics: list[Topic]
    zone: str
    quiet_from: int | None
    quiet_until: int | None
    digest_hour: int
    sends_mail: bool = Field(description="whether plain e-mail addresses can be added")


class NewAddress(Body):
    """An address to be told at."""

    address: Annotated[SecretStr, Field(description="an e-mail address, or one as apprise writes it")]


class NotifyChanges(Body):
    """What to change; what is left out stays. Null hours end the quiet hours."""

    # The defaults are never used: only given fields are read.
    topics: list[Topic] = Field(default_factory=list, max_length=len(Topic))
    zone: Annotated[str, line(60, least=1)] = Field(default_factory=str)
    quiet_from: Hour | None = None
    quiet_until: Hour | None = None
    digest_hour: Hour = Field(default_factory=int)


class TestJob(BaseModel):
    """The job that sends a test message."""

    job_id: uuid.UUID


class UserAddresses(BaseModel):
    """How many addresses a user has; what they are stays with the user."""

    user: str
    addresses: int


class AllAddresses(BaseModel):
    """How many addresses each user has."""

    items: list[UserAddresses]


@router.get("")
def show(deps: TheDeps, who: Own, *, whose: Whose) -> NotifyOut:
    """Return where the caller is told, what, and when."""
    user = _user(who, whose)
    chosen = addresses.choices(deps, user)
    found = [taken(OneAddress, one) for one in addresses.listed(deps, user)]
    return NotifyOut(user=user, addresses=found, sends_mail=addresses.has_mail(deps), **asdict(chosen))


@router.patch("")
def choose(deps: TheDeps, who: Own, *, whose: Whose, body: NotifyChanges) -> NotifyOut:
    """Change what the caller is told, and when."""
    user = _user(who, whose)
    given = body.model_dump(exclude_unset=True)
    if "topics" in given:
        given["topics"] = tuple(dict.fromkeys(given["topics"]))
    addresses.choose(deps, user, replace(addresses.choices(deps, user), **given))
    return show(deps, who, whose=whose)


@router.post("/addresses", status_code=201)
def add(deps: TheDeps, who: Own, *, whose: Whose, body: NewAddress) -> OneAddress:
    """Add an address. It is stored sealed, and never shown in full."""
    return taken(OneAddress, addresses.add(deps, _user(who, whose), body.address.get_secret_value()))


@router.delete("/addresses/{address_id}", status_code=204)
def remove(deps: TheDeps, who: Own, address_id: uuid.UUID, *, whose: Whose) -> None:
    """Forget an address."""
    addresses.remove(deps, _user(who, whose), address_id)


@router.post("/addresses/{address_id}/test", status_code=202)
def test(deps: TheDeps, who: Own, address_id: uuid.UUID, *, whose: Whose) -> TestJob:
    """Send a test message to an address."""
    return TestJob(job_id=addresses.test(deps, _user(who, whose), address_id))


@router.get("/users", dependencies=[needs(Permission.USERS_VIEW)])
def users(deps: TheDeps) -> AllAddresses:
    """Return how many addresses each user has."""
    found = addresses.numbers(deps)
    return AllAddresses(items=[UserAddresses(user=name, addresses=number) for name, number in found])


def _user(who: Principal, whose: UserQuery) -> str:
    if not who.is_local:
        if whose.user not in (None, who.name):
            raise Forbidden("You may see your own addresses only.", fix="Leave `user` out.")
        return who.name
    if whose.user is None:
        raise InvalidInput("Whose addresses?", fix="Name the user (`--user NAME`).")
    return whose.user.lower()
