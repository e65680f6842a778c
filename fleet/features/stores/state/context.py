"""What a sync of a store works with: its account, its rules and its identities."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from fleet.accounts import service as accounts
from fleet.adapters import registry as adapters
from fleet.adapters.shops import ShopTraits
from fleet.core.db import Tx
from fleet.core.errors import NotFound
from fleet.engine.deps import Deps
from fleet.engine.policy import Priority
from fleet.features.products import stock
from fleet.features.stores.models import StoreRow
from fleet.features.stores.rules import Direction
from fleet.features.stores.settings import StoresSettings

_URGENT, _USUAL = 8, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreContext:
    """A store as one sync, or one decision of a person, sees it. `places` has the locations here by the shop's ids."""

    deps: Deps
    account_id: uuid.UUID
    name: str
    organisation_id: uuid.UUID
    agent_id: uuid.UUID
    adapter: str
    currency: str
    traits: ShopTraits
    settings: StoresSettings
    direction: Direction
    places: Mapping[str, uuid.UUID] = field(default_factory=dict)
    main: uuid.UUID | None = None
    """The default location here: orders take from it, and new products have their stock there."""
    run_id: uuid.UUID | None = None
    requested_by: str | None = None
    priority: Priority | None = None

    @property
    def origin(self) -> str:
        """The origin of values that come from the store, for the catalogue."""
        return f"store:{self.name}"


def traits_of(adapter: str) -> ShopTraits:
    """Return the traits of a shop system. Raises NotFound for another system."""
    traits = adapters.get(adapter).shop if adapter in adapters.names() else None
    if traits is None:
        raise NotFound(f"{adapter} is no shop that this process knows.", fix="Start Fleet with its adapter.")
    return traits


def priority_of(urgency: int) -> Priority:
    """Return the priority of jobs for an urgency of 0 to 10."""
    if urgency >= _URGENT:
        return Priority.HIGH
    return Priority.NORMAL if urgency >= _USUAL else Priority.LOW


@dataclass(slots=True)
class SyncCounts:
    """What a sync did."""

    read: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    failed: int = 0
    conflicts: int = 0
    gone: int = 0
    orders: int = 0
    stock: int = 0
    sent: int = 0

    def to_data(self) -> dict[str, int]:
        """Return the counts as data."""
        return {name: getattr(self, name) for name in self.__slots__}

    def plus(self, before: Mapping[str, int]) -> dict[str, int]:
        """Return the sum with counts as data."""
        return {name: before.get(name, 0) + value for name, value in self.to_data().items()}


@dataclass(frozen=True, slots=True)
class PageReading:
    """When a page was read: values that a job of Fleet wrote after `began` are newer than the page."""

    began: datetime
    sweep: datetime | None = None
    """The start of the complete sweep to which it belongs."""


def now_of(tx: Tx) -> datetime:
    """Return the database's time."""
    found: datetime = tx.now()
    return found


def context_for(
    deps: Deps, tx: Tx, row: StoreRow, *, requested_by: str | None = None, run_id: uuid.UUID | None = None,
    direction: Direction | None = None, urgency: int = 0,
) -> StoreContext:  # fmt: skip
    """Return the context of a store. Raises NotFound for one whose adapter this process does not have."""
    account = accounts.get(tx, row.account_id)
    settings = deps.settings_of(None, row.account_id, None, row.organisation_id).of(StoresSettings)
    return StoreContext(
        deps=deps, account_id=row.account_id, name=account.name, organisation_id=row.organisation_id,
        agent_id=row.agent_id, adapter=account.adapter, currency=row.currency, traits=traits_of(account.adapter),
        settings=settings, direction=direction or Direction(settings.store_direction),
        places={there: uuid.UUID(here) for there, here in row.location_ids.items()},
        main=stock.default_location(tx, row.organisation_id), run_id=run_id, requested_by=requested_by,
        priority=priority_of(urgency),
    )  # fmt: skip
