"""Settings of pricing: its switch, its pace and its bounds. The tempo of the fleet scales the time between two runs."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints

from fleet.core.settings import AtRunTime, SettingScope
from fleet.features.pricing.decisions.rules import PriceBounds

_SHOP = AtRunTime((SettingScope.FLEET, SettingScope.ORGANISATION))


class PricingSettings(BaseModel):
    """How prices are proposed, and the bounds that no proposal leaves."""

    pricing_enabled: Annotated[bool, _SHOP] = Field(
        True, description="whether the pricing agent proposes prices by itself; each waits for an approval"
    )
    pricing_every_h: Annotated[float, _SHOP] = Field(
        24, ge=1, le=720, allow_inf_nan=False, description="hours between two looks at all prices"
    )
    pricing_day_percent: Annotated[float, _SHOP] = Field(
        5, gt=0, le=50, allow_inf_nan=False, description="most percent that a price changes within a day"
    )
    pricing_week_percent: Annotated[float, _SHOP] = Field(
        10, gt=0, le=80, allow_inf_nan=False, description="most percent that a price changes within a week"
    )
    pricing_step_percent: Annotated[float, _SHOP] = Field(
        1, ge=0, le=50, allow_inf_nan=False, description="smallest change of a price that is proposed, in percent"
    )
    pricing_changes_per_day: Annotated[int, _SHOP] = Field(
        50, ge=0, le=100_000, description="most prices that change within a day"
    )
    pricing_margin_percent: Annotated[float, _SHOP] = Field(
        0, ge=0, le=500, allow_inf_nan=False, description="least percent of a variant's cost that its price is above it"
    )
    pricing_stores_percent: Annotated[float, _SHOP] = Field(
        10, ge=0, le=500, allow_inf_nan=False,
        description="most percent by which the price may differ from that of a store that keeps its own price",
    )  # fmt: skip
    pricing_ending: Annotated[str, StringConstraints(pattern=r"^(\.[0-9]{1,3})?$"), _SHOP] = Field(
        "", examples=[".99"], description="the end of every proposed price, such as .99; empty for any"
    )
    pricing_high_cover_days: Annotated[int, _SHOP] = Field(
        120, ge=1, le=3650, description="days that stock may last before a lower price is proposed"
    )
    pricing_low_cover_days: Annotated[int, _SHOP] = Field(
        10, ge=0, le=365, description="days of stock below which a higher price is proposed"
    )
    pricing_old_days: Annotated[int, _SHOP] = Field(
        60, ge=1, le=3650, description="age of a variant in days before stock alone lowers its price"
    )
    pricing_competitor_days: Annotated[int, _SHOP] = Field(
        14, ge=1, le=365, description="days for which a competitor's price is taken as current"
    )

    @property
    def bounds(self) -> PriceBounds:
        """The bounds as the decisions take them."""
        return PriceBounds(
            day_percent=self.pricing_day_percent, week_percent=self.pricing_week_percent,
            step_percent=self.pricing_step_percent, margin_percent=self.pricing_margin_percent,
            stores_percent=self.pricing_stores_percent, ending=self.pricing_ending,
            high_cover_days=self.pricing_high_cover_days, low_cover_days=self.pricing_low_cover_days,
            old_days=self.pricing_old_days,
        )  # fmt: skip
