"""The pages of adapters: what each system can do, limits as they are used now, health; and switches of operations."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from fleet.access import Permission
from fleet.core import text
from fleet.core.errors import FleetError
from fleet.engine.points import verbs
from fleet.features.adapters import commands, queries
from fleet.features.adapters.api import Editor
from fleet.features.adapters.configuration.api import AdapterName, configuration
from fleet.features.adapters.configuration.pages import TIMES
from fleet.web.auth import TheDeps, needs
from fleet.web.rendering import KeptForm, go, render

router = APIRouter()


class FilledSwitch(BaseModel):
    """The typed values in the form of an operation."""

    account: str = Field("", max_length=60)
    operation: str = Field("", max_length=60)
    reason: str = Field("", max_length=300)


@router.get("/adapters", dependencies=[needs(Permission.SETTINGS_VIEW)])
def adapters(request: Request, deps: TheDeps) -> Response:
    """Show what each system can do, what is used of limits, and the newest checks."""
    kinds = queries.manifests()
    return render(
        request, "adapters/adapters.html", adapters=kinds, operations=queries.operation_names(kinds),
        limits=queries.limits(deps), checks=queries.history(deps, limit=20), span=text.span,
    )  # fmt: skip


@router.get("/adapters/{adapter}", dependencies=[needs(Permission.SETTINGS_VIEW)])
def show(
    request: Request, deps: TheDeps, adapter: AdapterName, account: Annotated[str, Query(max_length=60)] = ""
) -> Response:
    """Show one adapter: its manifest, its accounts, their limits and health."""
    found = queries.manifest(adapter)
    return render(
        request, "adapters/adapter.html", adapter=found, accounts=queries.accounts_of(deps, adapter),
        limits=queries.limits(deps, adapter), checks=queries.history(deps, adapter=adapter), span=text.span,
        configuration=configuration(deps, adapter).items, chosen=account, times=TIMES,
        off=[one for one in found.operations if not one.is_on and one.unknown is not None],
    )  # fmt: skip


@router.post("/adapters/{adapter}/allow")
def allow(
    request: Request, deps: TheDeps, who: Editor, adapter: AdapterName, filled: Annotated[FilledSwitch, Form()]
) -> Response:
    """Switch an operation on for an account."""
    given = filled.model_dump()
    try:
        verbs.perform(deps, who, "account", "allow", **given)
    except FleetError as error:
        return go(request, f"/adapters/{adapter}", str(error), kept=KeptForm("allow", "reason", given))
    return go(request, f"/adapters/{adapter}", f"{filled.operation} is on for {filled.account}.")


@router.post("/adapters/{adapter}/forbid")
def forbid(
    request: Request, deps: TheDeps, who: Editor, adapter: AdapterName, filled: Annotated[FilledSwitch, Form()]
) -> Response:
    """Switch an operation off again."""
    try:
        commands.forbid(deps, filled.account, filled.operation, by=who.by)
    except FleetError as error:
        return go(request, f"/adapters/{adapter}", str(error), wrong=True)
    return go(request, f"/adapters/{adapter}", f"{filled.operation} is off for {filled.account}.")
