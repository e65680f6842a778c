"""Adapters for programs: manifests, what is used of limits, checks of accounts, and switches of operations."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from fleet.access import Permission, Principal
from fleet.adapters.manifest import AdapterType, AuthKind, Capability, LimitScope
from fleet.engine.points import verbs
from fleet.features.adapters import commands, queries
from fleet.features.adapters.configuration.api import AdapterName
from fleet.web.auth import TheDeps, needs
from fleet.web.openapi import ASKED
from fleet.web.requests.fields import Body, MovedOut, line, taken

router = APIRouter(prefix="/adapters", tags=["adapters"])
Editor = Annotated[Principal, needs(Permission.AGENTS_EDIT)]
Viewer = needs(Permission.SETTINGS_VIEW)
AccountName = Annotated[str, Path(max_length=60, description="name or id", examples=["gallery"])]
OperationName = Annotated[str, Path(max_length=60, examples=["repost"])]
Wanted = Annotated[str, Query(max_length=60, description="only of this adapter")]
Reason = Annotated[str, line(300, least=1)]


class OperationOut(BaseModel):
    """One operation of a system."""

    name: str
    capability: Capability
    note: str
    is_on: bool = Field(description="false: off until a person switches it on for an account")
    needs_consent: bool = Field(description="whether a person must approve each single one")
    rule: str


class ManifestLimitOut(BaseModel):
    """One limit of a system."""

    name: str
    most: int
    window_s: float
    scope: LimitScope
    cost: int
    costs: dict[str, int]
    source: str


class AdapterOut(BaseModel):
    """One adapter: what its system can do, and its limits."""

    name: str
    help: str
    credentials: str = Field(description="the kind of its credentials")
    auth: AuthKind
    operations: list[OperationOut]
    limits: list[ManifestLimitOut]
    account_label: str = Field(description="how the system marks automated accounts")
    post_label: str = Field(description="how the system marks posts of models")


class AdapterList(BaseModel):
    """All adapters, built-in ones first."""

    items: list[AdapterOut]


class CheckedAccountOut(BaseModel):
    """An account of an adapter with its newest check."""

    name: str
    stopped: str = Field(description="why it is stopped; empty if it is not")
    operations: dict[str, dict[str, str]] = Field(description="operations that people switched on: reason, by, at")
    checked_at: datetime | None
    is_ok: bool | None
    failures: int = Field(description="failed checks since the last good one")
    why: str
    is_labelled: bool | None


class AdapterDetail(AdapterOut):
    """One adapter with its accounts."""

    accounts: list[CheckedAccountOut]


class LimitUseOut(BaseModel):
    """What is used of one limit."""

    adapter: str
    name: str
    account: str | None = Field(description="null: accounts share it")
    used: int
    most: int
    window_s: float
    waiting: int = Field(description="calls that wait for room")
    room_at: datetime | None = Field(description="when there is room for one unit; null: now")
    blocked_until: datetime | None = Field(description="until when the system refuses every call, as it said")
    seen_most: int | None = Field(description="the size of the limit as the system gives it, if it is another")
    is_near: bool = Field(description="80 % or more are used")
    updated_at: datetime


class LimitUseList(BaseModel):
    """Limits that calls have used, the fullest first."""

    items: list[LimitUseOut]


class AccountCheckOut(BaseModel):
    """One check of an account."""

    account: str
    at: datetime
    is_ok: bool
    took_ms: int
    why: str
    username: str = Field(description="the account as its system names it")
    is_labelled: bool | None = Field(description="whether the system marks the account as automated")


class AccountCheckList(BaseModel):
    """Checks, newest first."""

    items: list[AccountCheckOut]


class AllowIn(Body):
    """Why the operation may be done in spite of the system's rule."""

    reason: Reason


@router.get("", dependencies=[Viewer])
def list_adapters() -> AdapterList:
    """Return all adapters with what their systems can do."""
    return AdapterList(items=[_out(one) for one in queries.manifests()])


@router.get("/limits", dependencies=[Viewer])
def list_limits(deps: TheDeps, adapter: Wanted = "") -> LimitUseList:
    """Return what is used of limits now, the fullest first."""
    return LimitUseList(items=[taken(LimitUseOut, one) for one in queries.limits(deps, adapter)])


@router.get("/checks", dependencies=[Viewer])
def list_checks(
    deps: TheDeps, adapter: Wanted = "", account: Annotated[str, Query(max_length=60)] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> AccountCheckList:  # fmt: skip
    """Return the newest checks of accounts."""
    found = queries.history(deps, adapter=adapter, account=account, limit=limit)
    return AccountCheckList(items=[taken(AccountCheckOut, one) for one in found])


@router.get("/{adapter}", dependencies=[Viewer])
def show_adapter(deps: TheDeps, adapter: AdapterName) -> AdapterDetail:
    """Return one adapter with its accounts and their health."""
    found = queries.manifest(adapter)
    accounts = [
        CheckedAccountOut(
            name=one.name, stopped=one.stopped, operations={key: dict(value) for key, value in one.operations.items()},
            checked_at=one.last and one.last.checked_at, is_ok=one.last and one.last.is_ok,
            failures=one.last.failures if one.last else 0, why=one.last.why if one.last else "",
            is_labelled=one.last and one.last.is_labelled,
        )
        for one in queries.accounts_of(deps, adapter)
    ]  # fmt: skip
    return AdapterDetail(**_out(found).model_dump(), accounts=accounts)


@router.put("/accounts/{account}/operations/{operation}", responses=ASKED)
def allow_operation(
    deps: TheDeps, account: AccountName, operation: OperationName, *, body: AllowIn, who: Editor
) -> MovedOut:
    """Switch an operation that is off by the rules of the system on for an account."""
    arguments = {"account": account, "operation": operation, "reason": body.reason}
    return MovedOut(changed=verbs.perform(deps, who, "account", "allow", **arguments))


@router.delete("/accounts/{account}/operations/{operation}")
def forbid_operation(deps: TheDeps, account: AccountName, operation: OperationName, *, who: Editor) -> MovedOut:
    """Switch an operation off again."""
    return MovedOut(changed=commands.forbid(deps, account, operation, by=who.by))


def _out(one: AdapterType) -> AdapterOut:
    limits = [taken(ManifestLimitOut, limit, window_s=limit.window.total_seconds(), costs=dict(limit.costs))
              for limit in one.limits]  # fmt: skip
    return taken(
        AdapterOut, one, operations=[taken(OperationOut, operation) for operation in one.operations], limits=limits,
        account_label=one.labels.account if one.labels else "", post_label=one.labels.post if one.labels else "",
    )  # fmt: skip
