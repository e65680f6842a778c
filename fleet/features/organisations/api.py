"""Organisations for programs: their names, members, and what belongs to them."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field

from fleet.access import Permission, Principal
from fleet.access.organisations import LONGEST_NAME, LONGEST_VOICE
from fleet.features.organisations import service
from fleet.features.organisations.service import OrganisationView
from fleet.web.auth import TheDeps, needs
from fleet.web.requests.fields import AgentName, Body, MovedOut, line, prose

router = APIRouter(prefix="/organisations", tags=["organisations"])
Name = Annotated[str, Path(max_length=LONGEST_NAME, description="name or id", examples=["default"])]
User = Annotated[str, Path(max_length=60, description="the user's name")]
Account = Annotated[str, Path(max_length=60, description="the account's name or id")]
Editor = Annotated[Principal, needs(Permission.USERS_EDIT)]
VIEW, EDIT = needs(Permission.USERS_VIEW), needs(Permission.USERS_EDIT)


class OrganisationOut(BaseModel):
    """One organisation."""

    id: uuid.UUID
    name: str
    voice: str = Field(description="added to the character of its agents in prompts")
    is_default: bool = Field(description="what names no organisation belongs to this one")
    agents: int
    accounts: int
    members: list[str] = Field(description="users whose role holds in their organisations alone")
    created_at: datetime


class OrganisationList(BaseModel):
    """All organisations, the default one first."""

    items: list[OrganisationOut]


class OrganisationIn(Body):
    """An organisation to be created."""

    name: Annotated[str, line(LONGEST_NAME, least=1)]
    voice: Annotated[str, prose(LONGEST_VOICE)] = ""


class OrganisationChanges(Body):
    """What to change of an organisation."""

    name: Annotated[str, line(LONGEST_NAME, least=1)] | None = None
    voice: Annotated[str, prose(LONGEST_VOICE)] | None = None


@router.get("", dependencies=[VIEW])
def list_organisations(deps: TheDeps) -> OrganisationList:
    """Return all organisations."""
    return OrganisationList(items=[_out(one) for one in service.listed(deps)])


@router.post("", status_code=201, dependencies=[EDIT])
def create_organisation(deps: TheDeps, response: Response, body: OrganisationIn) -> OrganisationOut:
    """Create an organisation."""
    made = service.create(deps, body.name, voice=body.voice)
    response.headers["location"] = f"/api/v1/organisations/{made.id}"
    return _out(service.get(deps, str(made.id)))


@router.get("/{name}", dependencies=[VIEW])
def show_organisation(deps: TheDeps, name: Name) -> OrganisationOut:
    """Return one organisation."""
    return _out(service.get(deps, name))


@router.patch("/{name}", dependencies=[EDIT])
def change_organisation(deps: TheDeps, name: Name, body: OrganisationChanges) -> OrganisationOut:
    """Rename an organisation, or change its voice."""
    changed = service.change(deps, name, name=body.name, voice=body.voice)
    return _out(service.get(deps, str(changed.id)))


@router.delete("/{name}", status_code=204)
def remove_organisation(deps: TheDeps, name: Name, who: Editor) -> None:
    """Remove an organisation without agents, accounts and members."""
    service.remove(deps, name, by=who.by)


@router.put("/{name}/members/{user}", dependencies=[EDIT])
def add_member(deps: TheDeps, name: Name, user: User) -> MovedOut:
    """Let a user's role hold in this organisation, and no longer everywhere."""
    return MovedOut(changed=service.add_member(deps, name, user))


@router.delete("/{name}/members/{user}", dependencies=[EDIT])
def remove_member(
    deps: TheDeps, name: Name, user: User, *,
    everywhere: Annotated[bool, Query(description="for the last membership: the role then holds everywhere")] = False,
) -> MovedOut:  # fmt: skip
    """End a membership."""
    return MovedOut(changed=service.remove_member(deps, name, user, everywhere=everywhere))


@router.put("/{name}/agents/{agent}", dependencies=[EDIT])
def move_agent(deps: TheDeps, name: Name, agent: AgentName) -> MovedOut:
    """Move an agent to this organisation, with all that it did."""
    return MovedOut(changed=service.move_agent(deps, name, agent))


@router.put("/{name}/accounts/{account}", dependencies=[EDIT])
def move_account(deps: TheDeps, name: Name, account: Account) -> MovedOut:
    """Move an account that no agent uses to this organisation."""
    return MovedOut(changed=service.move_account(deps, name, account))


def _out(view: OrganisationView) -> OrganisationOut:
    one = view.organisation
    return OrganisationOut(
        id=one.id, name=one.name, voice=one.voice, is_default=one.is_default, agents=view.agents,
        accounts=view.accounts, members=list(one.members), created_at=one.created_at,
    )  # fmt: skip
