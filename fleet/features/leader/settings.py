"""Settings of this feature: how often the team leader coordinates, and over which period it compares."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from fleet.core.settings import AtRunTime, SettingScope

_TEAM = AtRunTime((SettingScope.FLEET, SettingScope.ORGANISATION))


class LeaderSettings(BaseModel):
    """When and over what the team leader works. The tempo of the fleet scales all of them."""

    team_interval_h: Annotated[float, _TEAM] = Field(
        6, ge=0.1, le=168, allow_inf_nan=False, description="hours between two coordinations of a team"
    )
    team_answer_min: Annotated[float, _TEAM] = Field(
        10, ge=0.1, le=1440, allow_inf_nan=False,
        description="minutes that agents have to answer the team leader before it scores without them",
    )  # fmt: skip
    team_period_days: Annotated[float, _TEAM] = Field(
        7, ge=0.1, le=90, allow_inf_nan=False, description="days over which the team leader compares networks"
    )
