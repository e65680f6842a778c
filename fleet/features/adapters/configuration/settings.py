"""Settings of this feature: own values of adapters. `fleet adapters configure` writes them."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field, field_validator

from fleet.core.settings import AtRunTime, CommaSeparated, SettingScope
from fleet.features.adapters.configuration import rules

_SCOPES = AtRunTime((SettingScope.FLEET, SettingScope.ORGANISATION, SettingScope.ACCOUNT))


class AdaptersSettings(BaseModel):
    """Adapters."""

    adapter_limits: Annotated[CommaSeparated, _SCOPES] = Field(
        (),
        examples=["x/posts=20"],
        description="own sizes of limits in place of those of the systems, as ADAPTER/LIMIT=UNITS, separated by commas",
    )
    adapter_timeouts: Annotated[CommaSeparated, _SCOPES] = Field(
        (),
        examples=["mastodon=20"],
        description="time limits of calls, as ADAPTER=SECONDS, separated by commas; by default FLEET_HTTP_TIMEOUT_S",
    )
    adapter_checks: Annotated[CommaSeparated, _SCOPES] = Field(
        (),
        examples=["x=900"],
        description="seconds between checks of accounts, as ADAPTER=SECONDS, separated by commas; by default 300",
    )

    @field_validator("adapter_limits")
    @classmethod
    def _are_limits(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        rules.limits(value)
        return value

    @field_validator("adapter_timeouts")
    @classmethod
    def _are_timeouts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        rules.seconds(value, least=rules.LEAST_TIMEOUT_S, most=rules.MOST_TIMEOUT_S)
        return value

    @field_validator("adapter_checks")
    @classmethod
    def _are_checks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        rules.seconds(value, least=rules.LEAST_CHECK_S, most=rules.MOST_CHECK_S)
        return value
