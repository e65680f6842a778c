"""The settings of the fleet for programs: each value, the layer it comes from, and how to change it. Secrets masked."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Path, Query, Response
from pydantic import BaseModel, Field

from fleet.access import Permission, Principal
from fleet.core.settings import SettingScope
from fleet.features.settings import commands, queries
from fleet.features.settings.configuration import SettingSource
from fleet.features.settings.queries import SettingDetail, Target
from fleet.web.auth import TheDeps, needs
from fleet.web.middleware import etags
from fleet.web.requests.fields import Body, Told, line, prose, taken

router = APIRouter(prefix="/settings", tags=["settings"])
Editor = Annotated[Principal, needs(Permission.SETTINGS_EDIT)]
Name = Annotated[str, Path(max_length=100, examples=["caps.post.per_day"])]
Value = str | int | float | bool | list[str] | None
IfMatch = Annotated[str | None, Header(max_length=1000, description="the ETag of the setting as it was read")]
_NAMED = line(60)


class TargetQuery(BaseModel):
    """For whom: an agent, account, persona or organisation by its name; the whole fleet without one."""

    agent: Annotated[str, _NAMED] = ""
    account: Annotated[str, _NAMED] = ""
    persona: Annotated[str, _NAMED] = ""
    organisation: Annotated[str, _NAMED] = ""

    def target(self) -> Target:
        """Return the target."""
        return Target(self.agent, self.account, self.persona, self.organisation)


class SettingOut(BaseModel):
    """One setting as it counts now."""

    name: str = Field(examples=["recent_texts"])
    variable: str = Field(examples=["FLEET_RECENT_TEXTS"])
    value: Value = Field(description="*** stands for a secret that is set")
    group: str = Field(description="the heading that it stands under", examples=["Publishing"])
    source: SettingSource = Field(description="the layer from which the value comes")
    description: str
    is_secret: bool
    scopes: list[SettingScope] = Field(description="where it can be set at run time; empty: read at the start alone")
    is_pinned: bool = Field(description="FLEET_PINNED names it: it cannot be set at run time")
    set_by: str | None
    set_at: datetime | None
    reason: str


class SettingsOut(BaseModel):
    """Every setting: the fleet's own, then those of each feature."""

    items: list[SettingOut]


class LayerOut(BaseModel):
    """The value in one layer; `whose` names the organisation, persona, account or agent."""

    source: SettingSource
    whose: str
    value: Value
    set_by: str | None
    set_at: datetime | None
    reason: str
    is_in_force: bool


class BoundsOut(BaseModel):
    """How a value is written."""

    kind: Literal["flag", "choice", "integer", "number", "list", "text"]
    least: float | None
    most: float | None
    choices: list[str]
    example: str


class SettingChange(BaseModel):
    """One change, from the audit log."""

    at: datetime
    by: str
    action: str = Field(examples=["setting.set"])
    before: Told
    after: Told


class SettingDetailOut(SettingOut):
    """One setting with its layers, weakest first, and its latest changes, newest first."""

    bounds: BoundsOut
    layers: list[LayerOut]
    changes: list[SettingChange]


class SettingIn(Body):
    """A value for the fleet, an agent, an account, a persona or an organisation."""

    value: Any = Field(description="JSON of the setting's type, or text as in its variable", examples=[12])
    reason: Annotated[str, prose(300)] = ""
    agent: Annotated[str, _NAMED] = ""
    account: Annotated[str, _NAMED] = ""
    persona: Annotated[str, _NAMED] = ""
    organisation: Annotated[str, _NAMED] = ""


class UnsetQuery(TargetQuery):
    """Whose value to remove, and why."""

    reason: Annotated[str, prose(300)] = ""


@router.get("", dependencies=[needs(Permission.SETTINGS_VIEW)])
def list_settings(deps: TheDeps, *, whose: Annotated[TargetQuery, Query()]) -> SettingsOut:
    """Return every setting as it counts for the fleet, an agent, an account, a persona or an organisation."""
    found = queries.listed(deps, whose.target())
    return SettingsOut(items=[taken(SettingOut, one, scopes=list(one.scopes)) for one in found])


@router.get("/{name}", dependencies=[needs(Permission.SETTINGS_VIEW)])
def show_setting(
    deps: TheDeps, response: Response, *, name: Name, whose: Annotated[TargetQuery, Query()]
) -> SettingDetailOut:
    """Return one setting with all its layers. Send its `ETag` as `If-Match` to change it."""
    return _answer(response, queries.detail(deps, name, whose.target()))


@router.put("/{name}")
def set_setting(
    deps: TheDeps, response: Response, *, name: Name, body: SettingIn, who: Editor, if_match: IfMatch = None
) -> SettingDetailOut:
    """Set a setting. Every process reads it within seconds."""
    target = Target(body.agent, body.account, body.persona, body.organisation)
    commands.put(deps, name, body.value, target, by=who.by, reason=body.reason, seen=etags.versions(if_match))
    return _answer(response, queries.detail(deps, name, target))


@router.delete("/{name}")
def unset_setting(
    deps: TheDeps, response: Response, *, name: Name, whose: Annotated[UnsetQuery, Query()], who: Editor,
    if_match: IfMatch = None,
) -> SettingDetailOut:  # fmt: skip
    """Remove what is set, so that the layer below counts."""
    target = whose.target()
    commands.unset(deps, name, target, by=who.by, reason=whose.reason, seen=etags.versions(if_match))
    return _answer(response, queries.detail(deps, name, target))


def _answer(response: Response, found: SettingDetail) -> SettingDetailOut:
    response.headers["etag"] = f'"{found.version}"'
    return taken(
        SettingDetailOut, found.setting, scopes=list(found.setting.scopes),
        bounds=taken(BoundsOut, found.bounds, choices=list(found.bounds.choices)),
        layers=[taken(LayerOut, one) for one in found.layers],
        changes=[taken(SettingChange, one, by=one.actor) for one in found.changes],
    )  # fmt: skip
