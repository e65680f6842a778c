"""Settings of forecasts from orders and stock. The tempo of the fleet scales the time between two."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from fleet.core.settings import AtRunTime, SettingScope

_SHOP = AtRunTime((SettingScope.FLEET, SettingScope.ORGANISATION))


class ForecastSettings(BaseModel):
    """How demand is forecast, and how reorders are proposed."""

    forecast_enabled: Annotated[bool, _SHOP] = Field(
        True, description="whether the forecast agent makes forecasts and proposes reorders by itself"
    )
    forecast_every_h: Annotated[float, _SHOP] = Field(
        24, ge=1, le=720, allow_inf_nan=False, description="hours between two forecasts"
    )
    forecast_days: Annotated[int, _SHOP] = Field(28, ge=1, le=180, description="days that are forecast")
    forecast_lead_days: Annotated[int, _SHOP] = Field(
        7, ge=0, le=180, description="days from an order at a supplier to its arrival; the attribute `Lead days` of a "
        "product goes before",
    )  # fmt: skip
    forecast_review_days: Annotated[int, _SHOP] = Field(7, ge=1, le=180, description="days between two reorders")
    forecast_pack: Annotated[int, _SHOP] = Field(
        1, ge=1, le=100_000, description="units of which reorders are multiples; the attribute `Pack` of a product "
        "goes before",
    )  # fmt: skip
    forecast_service: Annotated[float, _SHOP] = Field(
        0.95, ge=0.5, le=0.999, allow_inf_nan=False, description="share of cases in which stock is to last"
    )
