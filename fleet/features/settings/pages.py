"""The page of settings: values in force, their sources, and the running versions. Secrets are never shown."""

from __future__ import annotations

import platform
from collections.abc import Mapping

import sqlalchemy as sa
from fastapi import APIRouter, Request
from fastapi.responses import Response

from fleet import __version__
from fleet.access import Permission
from fleet.core.errors import Unavailable
from fleet.engine.deps import Deps
from fleet.features.settings import configuration
from fleet.features.settings.configuration import SettingSource
from fleet.web.auth import TheDeps, needs
from fleet.web.rendering import render
from fleet.web.requests.form_types import Maybe, Name

router = APIRouter()


@router.get("/settings", dependencies=[needs(Permission.SETTINGS_VIEW)])
def settings(request: Request, deps: TheDeps, *, source: Maybe[SettingSource] = None, q: Name = "",
             group: Name = "") -> Response:  # fmt: skip
    """Show every setting as it counts now."""
    every = configuration.look(deps)
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
                  sources=SettingSource)  # fmt: skip


def _versions(deps: Deps) -> Mapping[str, str | None]:
    """Return the versions by name; None for a broker that is down or gives none. Raises Unavailable."""
    with deps.db.transaction() as tx:
        postgres = str(tx.scalar(sa.text("SHOW server_version"))).split(" ", 1)[0]
    try:
        broker = deps.publisher.version()
    except Unavailable:
        broker = None
    return {"Fleet": __version__, "Postgres": postgres, "Broker": broker, "Python": platform.python_version()}
