"""Settings of this feature: how many webhooks there may be, and how many deliveries at a time."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from fleet.core.settings import FLEET_ONLY, CommaSeparatedHosts


class WebhooksSettings(BaseModel):
    """Limits of webhooks and their deliveries."""

    hooks_limit: Annotated[int, FLEET_ONLY] = Field(
        50, ge=1, le=1000, description="maximum number of webhooks, on or off"
    )
    hooks_waiting: Annotated[int, FLEET_ONLY] = Field(
        500, ge=10, le=100_000, description="maximum waiting deliveries of one webhook"
    )
    hooks_at_once: Annotated[int, FLEET_ONLY] = Field(
        8, ge=2, le=1000, description="concurrent deliveries, of all webhooks together"
    )
    hooks_allow: CommaSeparatedHosts = Field(
        (),
        examples=["HOST:PORT"],
        description="HOST:PORT of this machine that webhooks may be sent to; for tests and sandboxes only",
    )
