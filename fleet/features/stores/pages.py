"""The pages of stores: all stores, one store with its settings, conflicts with both values side by side."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from fleet.access import Permission, Principal
from fleet.accounts import service as accounts
from fleet.core.errors import FleetError, InvalidInput
from fleet.engine.deps import Deps
from fleet.features.settings import commands as settings_commands
from fleet.features.settings import queries as settings_queries
from fleet.features.settings.queries import Target
from fleet.features.stores import decisions, queries, service
from fleet.features.stores.api import (
    VIEW,
    Crew,
    Decider,
    Editor,
    StoreName,
    SyncConflictQuery,
    SyncRunQuery,
    conflict_page,
    run_page,
)
from fleet.features.stores.rules import Direction, Strategy
from fleet.features.stores.state.context import traits_of
from fleet.web.auth import TheDeps, needs
from fleet.web.rendering import KeptForm, go, render

router = APIRouter()
SettingsEditor = Annotated[Principal, needs(Permission.SETTINGS_EDIT)]


class FilledStore(BaseModel):
    """The form of a new store, as it was filled in."""

    account: str = Field("", max_length=60)


class FilledSync(BaseModel):
    """The form of a sync."""

    strategy: str = Field("", max_length=20)
    direction: str = Field("", max_length=20)


class FilledStoreSetting(BaseModel):
    """The form of one setting of a store, its organisation or the fleet."""

    name: str = Field("", max_length=60)
    value: str = Field("", max_length=400)
    scope: str = Field("store", max_length=20)


class FilledDecision(BaseModel):
    """The form of decisions: the chosen conflicts, or all that the filter names."""

    ids: list[str] = Field(default=[], max_length=1000)
    decision: str = Field("", max_length=40)
    every: str = Field("", max_length=1)
    store: str = Field("", max_length=60)
    field: str = Field("", max_length=40)


@router.get("/stores", dependencies=[VIEW])
def stores(request: Request, deps: TheDeps) -> Response:
    """Show every store with its health and its newest sync."""
    found = queries.stores(deps)
    return render(
        request, "stores/stores.html", stores=found, accounts=_free_accounts(deps, {one.name for one in found})
    )


def _free_accounts(deps: Deps, taken: set[str]) -> list[str]:
    """Return accounts at shops that are no stores."""
    with deps.db.transaction() as tx:
        return [one.name for one in accounts.listed(tx) if one.name not in taken and _is_shop(one.adapter)]


def _is_shop(adapter: str) -> bool:
    try:
        traits_of(adapter)
    except FleetError:
        return False
    return True


@router.post("/stores")
def add(request: Request, deps: TheDeps, who: Editor, filled: Annotated[FilledStore, Form()]) -> Response:
    """Make a store of an account."""
    try:
        service.add(deps, filled.account.strip(), by=who.by)
    except FleetError as error:
        return go(request, "/stores", error.plain, kept=KeptForm("store", "account", filled.model_dump()))
    return go(request, f"/stores/{filled.account.strip()}", "The store is added. Its first sync begins in seconds.")


@router.get("/stores/conflicts", dependencies=[VIEW])
def conflicts(request: Request, deps: TheDeps, which: Annotated[SyncConflictQuery, Query()]) -> Response:
    """Show conflicts with both values side by side."""
    found, following = conflict_page(deps, which)
    names = [one.name for one in queries.stores(deps)]
    return render(request, "stores/conflicts.html", conflicts=found, next=following, which=which, names=names)


@router.post("/stores/conflicts")
def decide(request: Request, deps: TheDeps, who: Decider, filled: Annotated[FilledDecision, Form()]) -> Response:
    """Decide the chosen conflicts, or all of the filter, alike."""
    back = f"/stores/conflicts?store={filled.store}" if filled.store else "/stores/conflicts"
    try:
        if filled.every:
            ids = decisions.of_filter(deps, store=filled.store, field=filled.field)
        else:
            ids = [_id(one) for one in filled.ids]
        if not ids:
            raise InvalidInput("No conflict is chosen.", fix="Choose some, or decide all.")
        done = decisions.decide(deps, ids, filled.decision, by=who.by)
    except FleetError as error:
        return go(request, back, error.plain, wrong=True)
    if done.problems:
        return go(request, back, f"{done.decided} decided; {len(done.problems)} not: {done.problems[0]}", wrong=True)
    return go(request, back, f"{done.decided} decided.")


def _id(written: str) -> uuid.UUID:
    try:
        return uuid.UUID(written)
    except ValueError:
        raise InvalidInput("There is no such conflict.") from None


@router.get("/stores/{store}", dependencies=[VIEW])
def store(request: Request, deps: TheDeps, store: StoreName, which: Annotated[SyncRunQuery, Query()]) -> Response:
    """Show a store: health, sync controls, progress, last errors, settings."""
    found = queries.store(deps, store)
    runs, following = run_page(deps, which.model_copy(update={"store": found.name, "limit": 20}))
    return render(
        request, "stores/store.html", store=found, runs=runs, next=following,
        streams=queries.streams(deps, found.account_id), errors=queries.errors(deps, found.account_id),
        strategies=Strategy, directions=Direction, settings=_settings(deps, found.name),
    )  # fmt: skip


def _settings(deps: Deps, name: str) -> list[dict[str, Any]]:
    """Return the settings of stores as they count for one, with how each is written."""
    target = Target(account=name)
    names = set(queries.SETTINGS)
    return [
        {"setting": one, "bounds": settings_queries.bounds_of(type(deps.given), one.name)}
        for one in settings_queries.listed(deps, target) if one.name in names
    ]  # fmt: skip


@router.post("/stores/{store}/sync")
def sync(
    request: Request, deps: TheDeps, store: StoreName, who: Crew, filled: Annotated[FilledSync, Form()]
) -> Response:  # fmt: skip
    """Ask for a sync."""
    try:
        service.request_sync(
            deps, store, by=who.by, strategy=Strategy(filled.strategy) if filled.strategy in {*Strategy} else None,
            direction=Direction(filled.direction) if filled.direction in {*Direction} else None,
        )  # fmt: skip
    except FleetError as error:
        return go(request, f"/stores/{store}", error.plain, wrong=True)
    return go(request, f"/stores/{store}", "The sync begins in seconds.")


@router.post("/stores/{store}/cancel")
def cancel(request: Request, deps: TheDeps, store: StoreName, who: Crew) -> Response:
    """End the running sync."""
    done = service.cancel_sync(deps, store, by=who.by)
    return go(request, f"/stores/{store}", "The sync is cancelled." if done else "No sync is running.")


@router.post("/stores/{store}/pause")
def pause(request: Request, deps: TheDeps, store: StoreName, who: Crew) -> Response:
    """Pause a store."""
    done = service.pause(deps, store, by=who.by)
    return go(request, f"/stores/{store}", "The store is paused." if done else "The store does not run.")


@router.post("/stores/{store}/resume")
def resume(request: Request, deps: TheDeps, store: StoreName, who: Crew) -> Response:
    """Let a store go on."""
    del who
    done = service.resume(deps, store)
    return go(request, f"/stores/{store}", "The store goes on." if done else "The store runs already.")


@router.post("/stores/{store}/remove")
def remove(request: Request, deps: TheDeps, store: StoreName, who: Editor) -> Response:
    """Forget a store."""
    service.remove(deps, store, by=who.by)
    return go(request, "/stores", "The store is removed. Its account and the catalogue stay.")


@router.post("/stores/{store}/settings")
def set_setting(
    request: Request, deps: TheDeps, store: StoreName, who: SettingsEditor,
    filled: Annotated[FilledStoreSetting, Form()],
) -> Response:  # fmt: skip
    """Set a setting of stores for this store, its organisation or the whole fleet."""
    try:
        found = queries.store(deps, store)
        targets = {"store": Target(account=found.name), "organisation": Target(organisation=found.organisation),
                   "fleet": Target()}  # fmt: skip
        if filled.name not in queries.SETTINGS or filled.scope not in targets:
            raise InvalidInput("There is no such setting of stores.")
        settings_commands.put(deps, filled.name, filled.value, targets[filled.scope], by=who.by)
    except FleetError as error:
        kept = KeptForm(f"setting {filled.name}", "value", {"value": filled.value})
        return go(request, f"/stores/{store}", error.plain, kept=kept)
    return go(request, f"/stores/{store}", "The setting is in force within seconds.")
