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
    team_adjusts: Annotated[bool, _TEAM] = Field(
        False,
        description="whether the team leader changes hours, frequency, formats and topics of posts within the bounds",
    )
    team_posts_least: Annotated[int, _TEAM] = Field(
        1, ge=1, le=24, description="posts a day of an agent below which the team leader does not go"
    )
    team_posts_most: Annotated[int, _TEAM] = Field(
        6, ge=1, le=24, description="posts a day of an agent above which the team leader does not go"
    )
    team_hours_from: Annotated[int, _TEAM] = Field(
        7, ge=0, le=23, description="first local hour that the team leader may choose for posts"
    )
    team_hours_to: Annotated[int, _TEAM] = Field(
        22, ge=0, le=23, description="last local hour that the team leader may choose for posts"
    )
    team_format_weight: Annotated[int, _TEAM] = Field(
        0, ge=0, le=100, description="the most that the team leader lets a format weigh; 0: formats stay as they are"
    )
    team_topic_weight: Annotated[int, _TEAM] = Field(
        0, ge=0, le=100, description="the most that the team leader lets a topic weigh; 0: topics stay as they are"
    )
    team_sample: Annotated[int, _TEAM] = Field(
        10, ge=2, le=10_000, description="measured posts from which on the team leader takes figures as evidence"
    )
    team_cooldown_days: Annotated[float, _TEAM] = Field(
        7, ge=0.1, le=365, allow_inf_nan=False, description="days between two changes of one agent's strategy"
    )
    team_period_days: Annotated[float, _TEAM] = Field(
        7, ge=0.1, le=90, allow_inf_nan=False, description="days over which the team leader compares networks"
    )
