"""The verbs of webhooks that people may have to approve: delete a subscription, delete a source."""

from __future__ import annotations

import uuid

from pydantic import Field

from fleet.access import Permission, Principal
from fleet.core.db import Tx
from fleet.engine.deps import Deps
from fleet.engine.verbs import Verb, VerbArguments, VerbPreview
from fleet.features.webhooks import commands, sources
from fleet.features.webhooks.inbound import service
from fleet.features.webhooks.outbound import subscriptions


class HookArguments(VerbArguments):
    """Which subscription."""

    hook: uuid.UUID


class SourceArguments(VerbArguments):
    """Which source."""

    source: str = Field(min_length=1, max_length=100, description="its name")


def _of_hook(deps: Deps, tx: Tx, given: HookArguments) -> VerbPreview:  # noqa: ARG001 - the shape of all previews
    found = subscriptions.get(tx, given.hook)  # its address may hold a token, so only the host is stored
    before = {"name": found.name, "host": found.host, "subjects": list(found.subjects)}
    return VerbPreview(
        resource_id=str(found.id), summary=f"Delete the webhook {found.name}", before=before, facts=before
    )  # fmt: skip


def _of_source(deps: Deps, tx: Tx, given: SourceArguments) -> VerbPreview:  # noqa: ARG001 - the shape of all previews
    found = sources.get(tx, given.source)
    before = {"name": found.name}
    summary = f"Delete the source {found.name} with its received events"
    return VerbPreview(resource_id=str(found.id), summary=summary, before=before, facts=before)


def _delete_hook(deps: Deps, given: HookArguments, who: Principal) -> None:
    commands.remove(deps, given.hook, by=who.by)


def _delete_source(deps: Deps, given: SourceArguments, who: Principal) -> None:
    service.remove(deps, given.source, by=who.by)


HOOK = Verb(
    resource="webhook", action="delete", help="Delete a webhook and its list of deliveries.",
    permission=Permission.HOOKS_EDIT, arguments=HookArguments,
    example={"hook": "019a0000-0000-7000-8000-000000000000"}, preview=_of_hook, run=_delete_hook,
)  # fmt: skip
SOURCE = Verb(
    resource="webhook_source", action="delete", help="Delete a source of incoming events, with what it sent.",
    permission=Permission.HOOKS_EDIT, arguments=SourceArguments, example={"source": "shop"}, preview=_of_source,
    run=_delete_source,
)  # fmt: skip
