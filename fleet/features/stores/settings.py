"""Settings of this feature, for the fleet, an organisation or one store (the account)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

from fleet.adapters.shops import PRODUCT_FIELDS, VARIANT_FIELDS
from fleet.core.settings import AtRunTime, SettingScope
from fleet.features.stores import rules
from fleet.features.stores.rules import ConflictRule

_STORE = AtRunTime((SettingScope.FLEET, SettingScope.ORGANISATION, SettingScope.ACCOUNT))
_FIELDS = "|".join(dict.fromkeys((*PRODUCT_FIELDS, *VARIANT_FIELDS, "stock")))
_PAIR = rf"({_FIELDS}):(manual|source|target|newest)"


class StoresSettings(BaseModel):
    """How stores are synced. The tempo of the fleet scales the times."""

    store_interval: Annotated[Literal["5m", "15m", "30m", "1h", "6h", "24h"], _STORE] = Field(
        "15m", description="time between two syncs of a store"
    )
    store_full_h: Annotated[float, _STORE] = Field(
        24, ge=0.1, le=720, allow_inf_nan=False, description="hours between two syncs that read all of a store"
    )
    store_stock_min: Annotated[float, _STORE] = Field(
        60, ge=1, le=10_080, allow_inf_nan=False, description="minutes between two readings of all stock of a store"
    )
    store_direction: Annotated[Literal["pull", "push", "both"], _STORE] = Field(
        "pull", description="where changes go: pull from the store to the catalogue, push to the store, or both"
    )
    store_conflicts: Annotated[Literal["manual", "source", "target", "newest"], _STORE] = Field(
        "manual", description="winner of a field that both sides changed: source is the store, target the catalogue"
    )
    store_conflicts_by_field: Annotated[
        str, StringConstraints(pattern=rf"^({_PAIR}(,{_PAIR})*)?$", max_length=300), _STORE
    ] = Field(
        "", examples=["price:target,description:source"],
        description="winners of single fields, as FIELD:RULE, separated by commas; others follow the general rule",
    )  # fmt: skip
    store_batch: Annotated[int, _STORE] = Field(
        100, ge=1, le=1000, description="products and stock levels that a sync reads and stores at once, at most"
    )
    store_timeout_min: Annotated[float, _STORE] = Field(
        120, ge=1, le=10_080, allow_inf_nan=False, description="minutes after which a sync of a store is given up"
    )
    store_buffer: Annotated[int, _STORE] = Field(
        0, ge=0, le=1_000_000, description="units of each variant that are kept back from a store"
    )
    store_creates: Annotated[bool, _STORE] = Field(
        False, description="whether a push creates active products of the catalogue that the store lacks"
    )

    @property
    def interval(self) -> timedelta:
        """The time between two syncs."""
        return rules.INTERVALS[self.store_interval]

    def rule_of(self, field: str) -> ConflictRule:
        """Return the rule of a field, such as "title" or "variant.price"."""
        own = rules_by_field(self.store_conflicts_by_field)
        return own.get(field.removeprefix("variant."), ConflictRule(self.store_conflicts))


def rules_by_field(written: str) -> Mapping[str, ConflictRule]:
    """Return the rules in a setting such as "price:target,description:source"."""
    pairs = (one.partition(":") for one in written.split(",") if one)
    return {name: ConflictRule(rule) for name, _, rule in pairs}
