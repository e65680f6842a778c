"""The lamp's settings. The field `lamp_red_from` is FLEET_LAMP_RED_FROM."""

from __future__ import annotations

from pydantic import BaseModel, Field


class LampSettings(BaseModel):
    """When lamps turn red."""

    lamp_red_from: int = Field(5, ge=2, description="dead letters in an hour that turn a lamp red; fewer: amber")
