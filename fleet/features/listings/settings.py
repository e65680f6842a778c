"""Settings of this feature, for the fleet, an organisation or one store (the account)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from fleet.core.settings import AtRunTime, SettingScope

_STORE = AtRunTime((SettingScope.FLEET, SettingScope.ORGANISATION, SettingScope.ACCOUNT))


class ListingsSettings(BaseModel):
    """How products are published to stores. The tempo of the fleet scales the time."""

    listing_verify_s: Annotated[float, _STORE] = Field(
        60, ge=0, le=86_400, allow_inf_nan=False, description="seconds between a publication and its verification"
    )
    listing_delist: Annotated[Literal["archive", "remove"], _STORE] = Field(
        "archive", description="what delisting does at the store: archive hides the product, remove deletes it there"
    )
    listing_price_percent: Annotated[float, _STORE] = Field(
        50, ge=0, le=1000, allow_inf_nan=False,
        description="how far a price of one store may be from the catalogue's, in percent",
    )  # fmt: skip
    listing_stock: Annotated[bool, _STORE] = Field(
        False, description="whether publishing a product that the store has also writes its stock; syncs do it else"
    )
    listing_extension_percent: Annotated[float, _STORE] = Field(
        50, ge=1, le=1000, allow_inf_nan=False,
        description="what an approved budget_override adds to the budget of a store for its period, in percent of it",
    )  # fmt: skip
