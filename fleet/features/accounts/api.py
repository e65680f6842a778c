"""Accounts at outside systems for programs. Credentials are taken and never given."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field, SecretStr

from fleet.access import Permission, Principal
from fleet.accounts.service import NewAccount
from fleet.accounts.usage import MOST_DAYS
from fleet.engine.points import verbs
from fleet.features.accounts import commands, connecting, queries
from fleet.features.accounts.connecting import OUT_OF_BAND
from fleet.features.accounts.queries import AccountState, AccountView
from fleet.web.auth import TheDeps, needs
from fleet.web.openapi import ASKED
from fleet.web.requests.fields import AgentName, Body, MovedOut, line, prose, taken, whole

router = APIRouter(prefix="/accounts", tags=["accounts"])
Editor = Annotated[Principal, needs(Permission.AGENTS_EDIT)]
Stopper = Annotated[Principal, needs(Permission.CONTROLS_PAUSE)]
Name = Annotated[str, Path(max_length=60, description="name or id", examples=["gallery"])]
Credentials = Annotated[SecretStr, Field(min_length=1, max_length=20_000)]
Address = Annotated[str, line(500, least=1), Field(examples=["https://gallery.example.org"])]


class LimitsIn(Body):
    """Limits of the account alone; null: those of the settings."""

    writes_per_minute: Annotated[int, whole(0, 1_000_000)] | None = Field(None, description="0: no limit")

    def given(self) -> dict[str, int]:
        """Return the limits that are set."""
        return {} if self.writes_per_minute is None else {"writes_per_minute": self.writes_per_minute}


class AccountOut(BaseModel):
    """One account with its health."""

    id: uuid.UUID
    name: str
    adapter: str
    address: str
    is_from_settings: bool = Field(description="its address and token are settings")
    has_credentials: bool
    credentials_at: datetime | None = Field(description="when its credentials were set; replace them every 90 days")
    can_connect: bool = Field(description="whether its system has a login by OAuth 2")
    connected_at: datetime | None = Field(description="when a person connected it by OAuth 2")
    tokens_end_at: datetime | None = Field(description="when it has to be connected again at the latest")
    attention: str = Field(description="what a person should do about its credentials")
    limits: dict[str, int]
    agents: int = Field(description="agents that act through it")
    state: AccountState
    reason: str = Field(description="why it is not active")
    until: datetime | None
    failures: int = Field(description="attempts of the last ten minutes that failed")
    last_error: str
    last_write_at: datetime | None
    created_at: datetime
    updated_at: datetime


class HookOut(BaseModel):
    """The webhook of an account: enter it at the network, and the inbox is read as soon as there is news."""

    url: str = Field(description="the address; without FLEET_WEB_URL its path")
    verify_token: str = Field(description="the word that the network asks for; empty if it asks for none")
    attention: str = Field(description="why deliveries have no effect; empty if they have")
    deliveries: int = Field(description="genuine deliveries, repeated ones once")
    delivered_at: datetime | None = Field(description="when the last one came")


class AccountDetail(AccountOut):
    """One account with the agents that act through it."""

    usernames: list[str]
    is_allowed_host: bool | None = Field(
        description="whether FLEET_ALLOWED_HOSTS has its host; null while its credentials cannot be opened"
    )
    hook: HookOut | None = Field(description="null for a system that sends no webhooks")


class AccountList(BaseModel):
    """All accounts, that of the settings first."""

    items: list[AccountOut]


class AccountUsageOut(BaseModel):
    """The calls of one operation with one credential on one day (UTC)."""

    day: date
    version: int = Field(description="the version of the account whose credentials were used")
    operation: str
    calls: int
    refused: int = Field(description="calls that the system refused or did not answer")
    units: int = Field(description="units of the system's limits")
    microusd: int = Field(description="millionths of a dollar, as the manifest has the price")


class AccountUsageList(BaseModel):
    """The usage of an account, today first; systems without limits are not counted."""

    items: list[AccountUsageOut]


class AccountIn(Body):
    """An account to be created."""

    name: Annotated[str, line(40, least=1)]
    adapter: Annotated[str, line(40, least=1), Field(examples=["floimg"])] = "floimg"
    address: Address
    credentials: Annotated[SecretStr, Field(max_length=20_000)] = Field(
        SecretStr(""), description="may be empty for a system whose accounts are connected by OAuth 2"
    )
    limits: LimitsIn = LimitsIn()
    organisation: (
        Annotated[str, line(60), Field(description="by default the caller's own, or the default one")] | None
    ) = None


class AccountChanges(Body):
    """What to change of an account."""

    address: Address | None = None
    credentials: Credentials | None = Field(None, description="needed with an address at another host")
    limits: LimitsIn | None = None


class CredentialsIn(Body):
    """New credentials."""

    credentials: Credentials


class CredentialsOut(BaseModel):
    """Whether the account was stopped for refused credentials and is resumed now."""

    resumed: bool


class LoginIn(Body):
    """Where the login returns to."""

    redirect_uri: Annotated[str, line(200, least=1)] = Field(
        OUT_OF_BAND, description="an address of your own machine, http://127.0.0.1:PORT/; by default the code is shown"
    )


class LoginOut(BaseModel):
    """The login to open."""

    url: str = Field(description="the address that you open in a browser")
    state: str = Field(description="comes back with the code; give it with the code")


class CodeIn(Body):
    """What the login returned."""

    state: Annotated[str, line(200, least=1)]
    code: Annotated[SecretStr, Field(min_length=1, max_length=4_000)]


class StopIn(Body):
    """Why it is stopped."""

    reason: Annotated[str, prose(300)] = ""


@router.get("", dependencies=[needs(Permission.SETTINGS_VIEW)])
def list_accounts(deps: TheDeps) -> AccountList:
    """Return all accounts; the account of the settings comes first."""
    return AccountList(items=[_out(one) for one in queries.listed(deps)])


@router.post("", status_code=201)
def create_account(deps: TheDeps, response: Response, *, body: AccountIn, who: Editor) -> AccountDetail:
    """Create an account. Its credentials are sealed and never shown."""
    new = NewAccount(body.name, body.adapter, body.address, body.credentials.get_secret_value(), body.limits.given())
    if body.organisation is not None:
        new = commands.within(deps, new, body.organisation)
    commands.add(deps, new, by=who.by)
    response.headers["location"] = f"/api/v1/accounts/{body.name}"
    return show_account(deps, body.name)


@router.get("/{name}", dependencies=[needs(Permission.SETTINGS_VIEW)])
def show_account(deps: TheDeps, name: Name) -> AccountDetail:
    """Return one account."""
    found = queries.get(deps, name)
    hook = queries.hook_of(deps, found)
    return taken(
        AccountDetail, found, hook=None if hook is None else taken(HookOut, hook), limits=dict(found.limits),
        usernames=queries.agents_of(deps, found.id),
        is_allowed_host=commands.is_allowed(deps, str(found.id)),
    )  # fmt: skip


@router.get("/{name}/usage", dependencies=[needs(Permission.SETTINGS_VIEW)])
def list_account_usage(
    deps: TheDeps, name: Name, *, days: Annotated[int, Query(ge=1, le=MOST_DAYS)] = 30
) -> AccountUsageList:
    """Return the calls through an account by day, credential and operation."""
    return AccountUsageList(items=[taken(AccountUsageOut, one) for one in queries.usage_of(deps, name, days=days)])


@router.patch("/{name}")
def change_account(deps: TheDeps, name: Name, *, body: AccountChanges, who: Editor) -> AccountDetail:
    """Change the address, with it the credentials, or the limits of an account."""
    limits = None if body.limits is None else body.limits.given()
    credentials = None if body.credentials is None else body.credentials.get_secret_value()
    commands.change(deps, name, by=who.by, address=body.address, credentials=credentials, limits=limits)
    return show_account(deps, name)


@router.delete("/{name}", status_code=204, responses=ASKED)
def remove_account(deps: TheDeps, name: Name, *, who: Editor) -> None:
    """Delete an account that no agent uses, and its credentials."""
    verbs.perform(deps, who, "account", "delete", account=name)


@router.put("/{name}/credentials")
def set_credentials(deps: TheDeps, name: Name, *, body: CredentialsIn, who: Editor) -> CredentialsOut:
    """Replace the credentials. An account that was stopped because they were refused resumes."""
    credentials = body.credentials.get_secret_value()
    return CredentialsOut(resumed=commands.change(deps, name, by=who.by, credentials=credentials))


@router.post("/{name}/login")
def begin_login(deps: TheDeps, name: Name, *, body: LoginIn, who: Editor) -> LoginOut:
    """Begin to connect an account by OAuth 2: return the address of the login."""
    begun = connecting.begin_at_terminal(deps, name, redirect_uri=body.redirect_uri, who=who)
    return LoginOut(url=begun.url, state=begun.state)


@router.post("/{name}/code")
def connect_account(deps: TheDeps, name: Name, *, body: CodeIn, who: Editor) -> AccountDetail:
    """Connect an account with the code that its login returned."""
    queries.get(deps, name)
    connected = connecting.finish(deps, state=body.state, code=body.code.get_secret_value().strip(), who=who)
    return show_account(deps, connected)


@router.post("/{name}/stop")
def stop_account(deps: TheDeps, name: Name, *, body: StopIn, who: Stopper) -> MovedOut:
    """Stop an account: the jobs of its agents wait."""
    return MovedOut(changed=commands.stop(deps, name, by=who.by, reason=body.reason))


@router.post("/{name}/resume", responses=ASKED)
def resume_account(deps: TheDeps, name: Name, *, who: Stopper) -> MovedOut:
    """Resume an account and its waiting jobs."""
    return MovedOut(changed=verbs.perform(deps, who, "account", "resume", account=name))


@router.put("/{name}/agents/{agent}")
def assign_agent(deps: TheDeps, name: Name, agent: AgentName, *, who: Editor) -> MovedOut:
    """Assign an agent to an account."""
    return MovedOut(changed=commands.assign(deps, name, agent, by=who.by))


@router.delete("/{name}/agents/{agent}")
def unassign_agent(deps: TheDeps, name: Name, agent: AgentName, *, who: Editor) -> MovedOut:
    """Remove an agent from an account."""
    return MovedOut(changed=commands.unassign(deps, name, agent, by=who.by))


def _out(view: AccountView) -> AccountOut:
    return taken(AccountOut, view, limits=dict(view.limits))
