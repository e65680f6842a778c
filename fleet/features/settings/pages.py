"""The pages of settings: values in force, with layers and a form for each; running versions. Secrets are hidden."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated
from urllib.parse import quote, urlencode

import sqlalchemy as sa
from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from fleet import __version__
from fleet.access import Permission
from fleet.core.errors import FleetError, Unavailable
from fleet.engine.agents import lookup
from fleet.engine.deps import Deps
from fleet.features.settings import commands, queries
from fleet.features.settings.api import Editor, TargetQuery
from fleet.features.settings.api import Name as SettingName
from fleet.features.settings.configuration import SettingSource
from fleet.features.settings.queries import Target
from fleet.web.auth import TheDeps, needs
from fleet.web.problems import status_of
from fleet.web.rendering import go, render
from fleet.web.requests.form_types import Maybe, Name, Words

router = APIRouter()


@router.get("/settings", dependencies=[needs(Permission.SETTINGS_VIEW)])
def settings(request: Request, deps: TheDeps, *, source: Maybe[SettingSource] = None, q: Name = "",
             group: Name = "") -> Response:  # fmt: skip
    """Show every setting as it counts now."""
    every = queries.listed(deps, Target())
    are_named = bool(queries.organisations_to_choose(deps))
    word = q.lower()
    found = [
        one
        for one in every
        if source in (None, one.source)
        and group in ("", one.group)
        and (word in one.variable.lower() or word in one.description.lower())
    ]
    return render(request, "settings/settings.html", settings=found, group=group,
                  groups=list(dict.fromkeys(one.group for one in every)), every=every, versions=_versions(deps),
                  source=source, q=q,
                  sources=[one for one in SettingSource if one != "organisation" or are_named])  # fmt: skip


@router.get("/settings/{name}", dependencies=[needs(Permission.SETTINGS_VIEW)])
def setting(request: Request, deps: TheDeps, name: SettingName, whose: Annotated[TargetQuery, Query()]) -> Response:
    """Show a setting with all its layers, its history and a form."""
    return _page(request, deps, name, whose.target())


class FilledSetting(BaseModel):
    """The typed values in the form of a setting. `version` is that of the value for `seen`, as the page showed it."""

    value: str = Field("", max_length=8_000)
    agent: Name = ""
    account: Name = ""
    persona: Name = ""
    organisation: Name = ""
    reason: Words = ""
    version: str = Field("", max_length=20)
    seen: str = Field("", max_length=250)

    @property
    def target(self) -> Target:
        """For whom the value is."""
        return Target(self.agent, self.account, self.persona, self.organisation)


@router.post("/settings/{name}")
def change(
    request: Request, deps: TheDeps, name: SettingName, who: Editor, filled: Annotated[FilledSetting, Form()]
) -> Response:  # fmt: skip
    """Set a setting."""
    target = filled.target
    seen = {filled.version} if filled.version and filled.seen == _query(target) else None
    try:
        changed = commands.put(deps, name, filled.value, target, by=who.by, reason=filled.reason, seen=seen)
    except FleetError as error:
        return _page(request, deps, name, Target(), filled=filled, problem=error)
    said = "It is set. Every process uses it within seconds." if changed else "It had this value already."
    return go(request, _at(name, target), said)


@router.post("/settings/{name}/unset")
def unset(
    request: Request, deps: TheDeps, name: SettingName, who: Editor, filled: Annotated[FilledSetting, Form()]
) -> Response:  # fmt: skip
    """Remove what is set, so that the layer below counts."""
    try:
        changed = commands.unset(deps, name, filled.target, by=who.by, reason=filled.reason)
    except FleetError as error:
        return go(request, _at(name, Target()), str(error), wrong=True)
    return go(request, _at(name, Target()), "It is unset: the layer below counts." if changed else "Nothing was set.")


def _page(
    request: Request, deps: Deps, name: str, target: Target, *, filled: FilledSetting | None = None,
    problem: FleetError | None = None,
) -> Response:  # fmt: skip
    found = queries.detail(deps, name, target)
    if filled is None:
        value = found.setting.value
        written = (
            ""
            if found.setting.is_secret or value is None
            else ", ".join(value)
            if isinstance(value, list)
            else str(value).lower()
            if isinstance(value, bool)
            else str(value)
        )
        filled = FilledSetting(value=written, **asdict(target))
    return render(
        request, "settings/setting.html", code=200 if problem is None else status_of(problem), found=found,
        setting=found.setting, target=target, filled=filled, problem=problem, seen=_query(target),
        agents=lookup.suggestions(deps.db), accounts=[one.key.name for one in deps.accounts.all()],
        organisations=queries.organisations_to_choose(deps),
    )  # fmt: skip


def _query(target: Target) -> str:
    return urlencode({name: value for name, value in asdict(target).items() if value})


def _at(name: str, target: Target) -> str:
    return f"/settings/{quote(name, safe='')}{'?' * bool(_query(target))}{_query(target)}"


def _versions(deps: Deps) -> Mapping[str, str | None]:
    """Return the versions by name; None for a broker that is down or gives none. Raises Unavailable."""
    with deps.db.transaction() as tx:
        postgres = str(tx.scalar(sa.text("SHOW server_version"))).split(" ", 1)[0]
    try:
        broker = deps.publisher.version()
    except Unavailable:
        broker = None
    return {"Fleet": __version__, "Postgres": postgres, "Broker": broker, "Python": platform.python_version()}
