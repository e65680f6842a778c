"""Which versions run: of Fleet and of what it stands on. Called by doors that show it."""

from __future__ import annotations

import platform
from collections.abc import Mapping

import sqlalchemy as sa

from fleet import __version__
from fleet.core.errors import Unavailable
from fleet.engine.deps import Deps


def versions(deps: Deps) -> Mapping[str, str | None]:
    """Return the versions by name; None for a broker that is away or does not say. Raises Unavailable."""
    with deps.db.transaction() as tx:
        postgres = str(tx.scalar(sa.text("SHOW server_version"))).split(" ", 1)[0]
    try:
        broker = deps.publisher.version()
    except Unavailable:
        broker = None
    return {"Fleet": __version__, "Postgres": postgres, "Broker": broker, "Python": platform.python_version()}
