"""The verb of sources that people may have to approve: delete."""

from __future__ import annotations

from pydantic import Field

from fleet.access import Permission, Principal
from fleet.core.db import Tx
from fleet.engine.deps import Deps
from fleet.engine.points.verbs import Verb, VerbArguments, VerbPreview
from fleet.features.webhooks import sources
from fleet.features.webhooks.inbound import service


class SourceArguments(VerbArguments):
    """Which source."""

    source: str = Field(min_length=1, max_length=100, description="its name")


def _of_source(deps: Deps, tx: Tx, given: SourceArguments) -> VerbPreview:  # noqa: ARG001 - the shape of all previews
    found = sources.get(tx, given.source)
    before = {"name": found.name}
    summary = f"Delete the source {found.name} with its received events"
    return VerbPreview(resource_id=str(found.id), summary=summary, before=before, facts=before)


def _delete_source(deps: Deps, given: SourceArguments, who: Principal) -> None:
    service.remove(deps, given.source, by=who.by)


SOURCE = Verb(
    resource="webhook_source", action="delete", help="Delete a source of incoming events, with what it sent.",
    permission=Permission.HOOKS_EDIT, arguments=SourceArguments, example={"source": "shop"}, preview=_of_source,
    run=_delete_source,
)  # fmt: skip
