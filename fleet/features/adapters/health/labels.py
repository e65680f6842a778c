"""Accounts whose system does not show that they are automated, as warnings. Registered as "overview.health"."""

from __future__ import annotations

from collections.abc import Iterator

from fleet.accounts import service
from fleet.adapters import registry as adapters
from fleet.core.db import Tx
from fleet.engine.deps import Deps
from fleet.engine.points.health import Level, PartHealth
from fleet.features.adapters.health import checks


def look(deps: Deps, tx: Tx) -> Iterator[PartHealth]:  # noqa: ARG001 - the shape of the point
    """Return a warning for each account without the label of its system."""
    rows = {row.id: row for row in service.listed(tx)}
    for account_id, last in checks.newest(tx, list(rows)).items():
        row = rows[account_id]
        kind = adapters.get(row.adapter) if row.adapter in adapters.names() else None
        if last.is_labelled is False and kind is not None and kind.labels is not None and kind.labels.account:
            words = f"it is not marked as automated: set {kind.labels.account} on {row.adapter}"
            yield PartHealth(
                f"label:{row.id}", f"Label of {row.name}", Level.WARN, words, href=f"/adapters/{row.adapter}"
            )
