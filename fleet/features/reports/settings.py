"""Settings of this feature: which reports are built, and when."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field, field_validator

from fleet.core.settings import AtRunTime, CommaSeparated, SettingScope
from fleet.features.reports import kpis

_OWN = AtRunTime((SettingScope.FLEET, SettingScope.ORGANISATION))


class ReportsSettings(BaseModel):
    """Reports of an organisation."""

    report_daily: Annotated[bool, _OWN] = Field(True, description="build a report of each day")
    report_weekly: Annotated[bool, _OWN] = Field(True, description="build a report of each week, on Mondays")
    report_monthly: Annotated[bool, _OWN] = Field(True, description="build a report of each month, on the first")
    report_hour: Annotated[int, _OWN] = Field(
        9, ge=0, le=23, description="hour of `report_zone` at which reports are due"
    )
    report_zone: Annotated[str, _OWN] = Field(
        "UTC",
        max_length=60,
        description="time zone of reports, such as Europe/Berlin: their days begin at its midnight",
    )

    report_kpis: Annotated[CommaSeparated, _OWN] = Field(
        (),
        examples=["engagement = interactions / posts >= 5,dead = dead_letters <= 0"],
        description="own figures of reports as NAME = FORMULA, with a goal (>= or <=) if there is one, "
        "separated by commas",
    )

    @field_validator("report_kpis")
    @classmethod
    def _are_kpis(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        kpis.parse_all(value)
        return value

    @field_validator("report_zone")
    @classmethod
    def _is_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(f"{value[:60]!r} is no time zone; write one such as Europe/Berlin") from error
        return value
