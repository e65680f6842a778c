"""Settings of this feature, for the fleet, an organisation or one store (the account)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from fleet.core.settings import AtRunTime, SettingScope
from fleet.features.fraud.scoring import HOLD, MOST

_STORE = AtRunTime((SettingScope.FLEET, SettingScope.ORGANISATION, SettingScope.ACCOUNT))


class FraudSettings(BaseModel):
    """How orders of stores are scored."""

    fraud_mode: Annotated[Literal["off", "score", "hold"], _STORE] = Field(
        "hold", description="what is done with open orders: nothing, a score, or a score and a hold from the bar up"
    )
    fraud_bar: Annotated[int, _STORE] = Field(
        HOLD, ge=1, le=MOST, description="points from which an order is held for a person"
    )
    fraud_most_held: Annotated[int, _STORE] = Field(
        100, ge=0, le=100_000, description="orders of a store that may be held at a time; others are scored only"
    )
