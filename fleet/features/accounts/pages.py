"""The page of accounts: their health, and forms to create, change, stop and remove them. Credentials are not shown."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field, SecretStr

from fleet.access import Permission
from fleet.accounts.service import NewAccount
from fleet.adapters import registry as adapters
from fleet.core.errors import FleetError
from fleet.engine.agents import lookup
from fleet.engine.deps import Deps
from fleet.engine.points import verbs
from fleet.features.accounts import commands, connecting, queries
from fleet.features.accounts.api import Editor, Name, Stopper
from fleet.web.auth import TheDeps, address_of_ours, needs
from fleet.web.problems import status_of
from fleet.web.rendering import KeptForm, go, render

router = APIRouter()
Secret = Annotated[SecretStr, Form(max_length=20_000)]
Returned = Annotated[str, Query(max_length=4_000)]
_CALLBACK = "/oauth/callback"
Agent = Annotated[str, Form(max_length=60)]


class FilledAccount(BaseModel):
    """The typed values in the form of an account."""

    name: str = Field("", max_length=40)
    adapter: str = Field("floimg", max_length=40)
    address: str = Field("", max_length=500)
    credentials: SecretStr = Field(SecretStr(""), max_length=20_000)
    organisation: str = Field("", max_length=60)


@router.get("/accounts", dependencies=[needs(Permission.SETTINGS_VIEW)])
def accounts(request: Request, deps: TheDeps) -> Response:
    """Show the accounts with their health."""
    return _page(request, deps, FilledAccount(), None)


@router.post("/accounts")
def create(request: Request, deps: TheDeps, who: Editor, filled: Annotated[FilledAccount, Form()]) -> Response:
    """Create an account."""
    new = NewAccount(filled.name.strip(), filled.adapter, filled.address, filled.credentials.get_secret_value())
    try:
        if filled.organisation:
            new = commands.within(deps, new, filled.organisation)
        commands.add(deps, new, by=who.by)
    except FleetError as error:
        return _page(request, deps, filled, error)
    return go(request, f"/accounts/{new.name}", f"The account {new.name} is created.")


@router.get("/accounts/{name}", dependencies=[needs(Permission.SETTINGS_VIEW)])
def show(request: Request, deps: TheDeps, name: Name) -> Response:
    """Show an account and the agents that act through it."""
    found = queries.get(deps, name)
    return render(request, "accounts/account.html", account=found, usernames=queries.agents_of(deps, found.id),
                  usage=queries.usage_of(deps, name), hook=queries.hook_of(deps, found),
                  agents=lookup.suggestions(deps.db))  # fmt: skip


@router.post("/accounts/{name}/credentials")
def set_credentials(request: Request, deps: TheDeps, who: Editor, name: Name, credentials: Secret) -> Response:
    """Replace the credentials."""
    try:
        resumed = commands.change(deps, name, by=who.by, credentials=credentials.get_secret_value())
    except FleetError as error:
        return go(request, f"/accounts/{name}", str(error), wrong=True)
    said = "It has new credentials and is resumed." if resumed else "It has new credentials."
    return go(request, f"/accounts/{name}", said)


@router.post("/accounts/{name}/connect")
def connect(request: Request, deps: TheDeps, who: Editor, name: Name) -> Response:
    """Begin to connect an account by OAuth 2: show the address of the login."""
    try:
        begun = connecting.begin(deps, name, redirect_uri=f"{address_of_ours(request)}{_CALLBACK}", who=who)
    except FleetError as error:
        return go(request, f"/accounts/{name}", str(error), wrong=True)
    found = queries.get(deps, name)
    return render(request, "accounts/connect.html", account=found, url=begun.url, host=urlsplit(begun.url).netloc)


@router.get(_CALLBACK)
def connected(
    request: Request, deps: TheDeps, who: Editor, *, state: Returned = "", code: Returned = "", error: Returned = ""
) -> Response:
    """Connect an account with the code that its login returned, and leave the address that has it."""
    if error or not state or not code:
        said = "The login was refused." if error else "The login was not completed."
        return go(request, "/accounts", f"{said} The account is not connected.", wrong=True)
    try:
        name = connecting.finish(deps, state=state, code=code, who=who)
    except FleetError as problem:
        return go(request, "/accounts", str(problem), wrong=True)
    return go(request, f"/accounts/{name}", f"{name} is connected.")


@router.post("/accounts/{name}/stop")
def stop(request: Request, deps: TheDeps, who: Stopper, name: Name) -> Response:
    """Stop an account."""
    commands.stop(deps, name, by=who.by)
    return go(request, f"/accounts/{name}", "It is stopped: the jobs of its agents wait.")


@router.post("/accounts/{name}/resume")
def resume(request: Request, deps: TheDeps, who: Stopper, name: Name) -> Response:
    """Let an account go on."""
    verbs.perform(deps, who, "account", "resume", account=name)
    return go(request, f"/accounts/{name}", "It is resumed.")


@router.post("/accounts/{name}/assign")
def assign(request: Request, deps: TheDeps, who: Editor, name: Name, agent: Agent = "") -> Response:
    """Let an agent act through an account, too."""
    try:
        commands.assign(deps, name, agent.strip(), by=who.by)
    except FleetError as error:
        return go(request, f"/accounts/{name}", str(error), kept=KeptForm("assign", "agent", {"agent": agent}))
    return go(request, f"/accounts/{name}", f"{agent.strip()} acts through it.")


@router.post("/accounts/{name}/unassign")
def unassign(request: Request, deps: TheDeps, who: Editor, name: Name, agent: Agent = "") -> Response:
    """Let an agent act through an account no more."""
    try:
        commands.unassign(deps, name, agent, by=who.by)
    except FleetError as error:
        return go(request, f"/accounts/{name}", str(error), wrong=True)
    return go(request, f"/accounts/{name}", f"{agent} acts no more through it.")


@router.post("/accounts/{name}/remove")
def remove(request: Request, deps: TheDeps, who: Editor, name: Name) -> Response:
    """Forget an account and its credentials."""
    try:
        verbs.perform(deps, who, "account", "delete", account=name)
    except FleetError as error:
        return go(request, f"/accounts/{name}", str(error), wrong=True)
    return go(request, "/accounts", f"The account {name} is removed.")


def _page(request: Request, deps: Deps, filled: FilledAccount, problem: FleetError | None) -> Response:
    return render(
        request, "accounts/accounts.html", code=200 if problem is None else status_of(problem),
        accounts=queries.listed(deps), filled=filled, problem=problem,
        adapters=[adapters.get(name) for name in adapters.names()],
        organisations=commands.possible_organisations(deps),
    )  # fmt: skip
