"""The sandbox's own controls: faults, budgets, keys and the kill switch, changed while the gallery runs.

Called by tests and by people who try out faults. Needs a service token with the scope sandbox:write. The faults never
apply to these endpoints.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from fleet.sandbox.gallery import auth
from fleet.sandbox.gallery.config import GalleryBudgets
from fleet.sandbox.gallery.faults import FaultRule
from fleet.sandbox.gallery.state import GalleryDep
from fleet.sandbox.gallery.store import controls

router = APIRouter(prefix="/api/sandbox", dependencies=[Depends(auth.requires("sandbox:write"))])

_Rate = Field(0.0, ge=0, le=1)


class _Camel(BaseModel):
    """Fields are accepted as camelCase, like the rest of the API, and as Python writes them."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, populate_by_name=True)


class RuleBody(_Camel):
    """One rule of faults; see `faults.FaultRule`."""

    match: str = Field("/api/*", min_length=1, max_length=200)
    methods: tuple[str, ...] = ()
    seed: int = 0
    limit: int | None = Field(None, ge=0)
    latency_rate: float = _Rate
    latency_ms: int = Field(0, ge=0, le=120_000)
    too_many_rate: float = _Rate
    retry_after_s: int = Field(1, ge=0, le=86_400)
    error_rate: float = _Rate
    drop_rate: float = _Rate
    cut_rate: float = _Rate
    duplicate_rate: float = _Rate

    @model_validator(mode="after")
    def _one_fate(self) -> RuleBody:
        rates = (self.too_many_rate, self.error_rate, self.drop_rate, self.duplicate_rate, self.cut_rate)
        if sum(rates) > 1.0 + 1e-9:
            raise ValueError("the rates of 429, 500, drop, duplicate and cut may add up to 1 at most")
        return self

    def rule(self) -> FaultRule:
        return FaultRule(**{**self.model_dump(), "methods": tuple(m.upper() for m in self.methods)})


class BudgetsBody(_Camel):
    """Maximum executions per day and month; null is unlimited."""

    fleet_daily: int | None = Field(None, ge=0)
    fleet_monthly: int | None = Field(None, ge=0)
    agent_daily: int | None = Field(None, ge=0)
    agent_monthly: int | None = Field(None, ge=0)


class PausedBody(_Camel):
    """Whether the kill switch is on."""

    paused: bool


class KeysBody(_Camel):
    """Whether idempotency keys are honoured."""

    honour_keys: bool | None


@router.put("/faults")
async def set_faults(body: RuleBody | list[RuleBody], gallery: GalleryDep) -> dict[str, Any]:
    """Replace the fault rules of this process: one rule or a list; an empty list removes all."""
    rules = body if isinstance(body, list) else [body]
    gallery.faults.set(tuple(rule.rule() for rule in rules))
    return await get_faults(gallery)


@router.get("/faults")
async def get_faults(gallery: GalleryDep) -> dict[str, Any]:
    """Return the rules, each with its number of faults."""
    return {"rules": [_camel(status) for status in gallery.faults.status()]}


@router.put("/budgets")
def set_budgets(body: BudgetsBody, gallery: GalleryDep) -> dict[str, Any]:
    """Replace the budgets; they survive restarts."""
    with gallery.storage.transaction() as tx:
        controls.set_budgets(tx, GalleryBudgets(**body.model_dump()))
    return get_budgets(gallery)


@router.get("/budgets")
def get_budgets(gallery: GalleryDep) -> dict[str, Any]:
    """Return the budgets."""
    with gallery.storage.transaction() as tx:
        return _camel(asdict(controls.budgets(tx)))


@router.put("/paused")
def set_paused(body: PausedBody, gallery: GalleryDep) -> dict[str, Any]:
    """Turn the gallery's kill switch on or off; the state survives restarts."""
    with gallery.storage.transaction() as tx:
        controls.set_paused(tx, body.paused)
    return {"paused": body.paused}


@router.get("/paused")
def get_paused(gallery: GalleryDep) -> dict[str, Any]:
    """Tell whether the kill switch is on."""
    with gallery.storage.transaction() as tx:
        return {"paused": controls.is_paused(tx)}


@router.put("/keys")
def set_keys(body: KeysBody, gallery: GalleryDep) -> dict[str, Any]:
    """Set whether idempotency keys of posts, comments and likes are honoured; null restores the configured value."""
    with gallery.storage.transaction() as tx:
        controls.set_honour_keys(tx, body.honour_keys)
    return get_keys(gallery)


@router.get("/keys")
def get_keys(gallery: GalleryDep) -> dict[str, Any]:
    """Return whether idempotency keys are honoured."""
    with gallery.storage.transaction() as tx:
        return {"honourKeys": controls.honours_keys(tx, configured=gallery.config.honour_keys)}


def _camel(value: dict[str, Any]) -> dict[str, Any]:
    return {to_camel(name): content for name, content in value.items()}
