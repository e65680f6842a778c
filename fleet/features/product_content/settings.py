"""Settings of this feature, for the fleet, an organisation or one store (the account)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from fleet.core.settings import AtRunTime, SettingScope

_STORE = AtRunTime((SettingScope.FLEET, SettingScope.ORGANISATION, SettingScope.ACCOUNT))


class ProductContentSettings(BaseModel):
    """How texts of products are proposed."""

    product_content_mode: Annotated[Literal["off", "ask", "propose"], _STORE] = Field(
        "ask", description="texts of products: none, those that people ask for, or also for gaps found after a sync"
    )
    product_content_a_day: Annotated[int, _STORE] = Field(
        20, ge=0, le=10_000, description="texts of products that a store's syncs have written in a day, at most"
    )
    product_content_shortest: Annotated[int, _STORE] = Field(
        80, ge=0, le=5_000, description="characters below which a description is a gap"
    )
