"""How the fleet is set, for programs: each value and where it came from, secrets masked."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from fleet.access import Permission
from fleet.features.settings import configuration
from fleet.features.settings.configuration import SettingSource
from fleet.web.auth import TheDeps, needs
from fleet.web.requests.fields import taken

router = APIRouter(prefix="/settings", tags=["settings"])


class SettingOut(BaseModel):
    """One setting as it counts now."""

    name: str = Field(examples=["recent_texts"])
    variable: str = Field(examples=["FLEET_RECENT_TEXTS"])
    value: str | int | float | bool | list[str] | None = Field(description="*** stands for a secret that is set")
    group: str = Field(description="the heading that it stands under", examples=["Publishing"])
    source: SettingSource
    description: str
    is_secret: bool


class SettingsOut(BaseModel):
    """Every setting: the fleet's own, then those of each feature."""

    items: list[SettingOut]


@router.get("", dependencies=[needs(Permission.SETTINGS_VIEW)])
def settings(deps: TheDeps) -> SettingsOut:
    """Return the settings of this process."""
    return SettingsOut(items=[taken(SettingOut, one) for one in configuration.look(deps)])
