"""The page of accounts: their health, and forms to create, change, stop and remove them. Credentials are not shown."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field, SecretStr

from fleet.access import Permission
from fleet.accounts.service import NewAccount
from fleet.adapters import registry as adapters
from fleet.core.errors import FleetError
from fleet.engine.agents import lookup
from fleet.engine.deps import Deps
from fleet.engine.points import verbs
from fleet.features.accounts import commands, queries
from fleet.features.accounts.api import Editor, Name, Stopper
from fleet.web.auth import TheDeps, needs
from fleet.web.problems import status_of
from fleet.web.rendering import KeptForm, go, render

router = APIRouter()
Secret = Annotated[SecretStr, Form(max_length=20_000)]
Agent = Annotated[str, Form(max_length=60)]


class FilledAccount(BaseModel):
    """The typed values in the form of an account."""

    name: str = Field("", max_length=40)
    adapter: str = Field("floimg", max_length=40)
    address: str = Field("", max_length=500)
    credentials: SecretStr = Field(SecretStr(""), max_length=20_000)


@router.get("/accounts", dependencies=[needs(Permission.SETTINGS_VIEW)])
def accounts(request: Request, deps: TheDeps) -> Response:
    """Show the accounts with their health."""
    return _page(request, deps, FilledAccount(), None)


@router.post("/accounts")
def create(request: Request, deps: TheDeps, who: Editor, filled: Annotated[FilledAccount, Form()]) -> Response:
    """Create an account."""
    new = NewAccount(filled.name.strip(), filled.adapter, filled.address, filled.credentials.get_secret_value())
    try:
        commands.add(deps, new, by=who.by)
    except FleetError as error:
        return _page(request, deps, filled, error)
    return go(request, f"/accounts/{new.name}", f"The account {new.name} is created.")


@router.get("/accounts/{name}", dependencies=[needs(Permission.SETTINGS_VIEW)])
def show(request: Request, deps: TheDeps, name: Name) -> Response:
    """Show an account and the agents that act through it."""
    found = queries.get(deps, name)
    return render(request, "accounts/account.html", account=found, usernames=queries.agents_of(deps, found.id),
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
    )  # fmt: skip
