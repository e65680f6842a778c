"""The lamp's settings. The field `lamp_url` is FLEET_LAMP_URL."""

from __future__ import annotations

from pydantic import BaseModel, Field


class LampSettings(BaseModel):
    """Where the lamp is."""

    lamp_url: str = Field("http://127.0.0.1:8480", pattern="^https?://", description="address of the status lamp")
