"""The verb of subscriptions that people may have to approve: delete."""

from __future__ import annotations

import uuid

from fleet.access import Permission, Principal
from fleet.core.db import Tx
from fleet.engine.deps import Deps
from fleet.engine.points.verbs import Verb, VerbArguments, VerbPreview
from fleet.features.webhooks import commands
from fleet.features.webhooks.outbound import subscriptions


class HookArguments(VerbArguments):
    """Which subscription."""

    hook: uuid.UUID


def _of_hook(deps: Deps, tx: Tx, given: HookArguments) -> VerbPreview:  # noqa: ARG001 - the shape of all previews
    found = subscriptions.get(tx, given.hook)  # its address may hold a token, so only the host is stored
    before = {"name": found.name, "host": found.host, "subjects": list(found.subjects)}
    return VerbPreview(
        resource_id=str(found.id), summary=f"Delete the webhook {found.name}", before=before, facts=before
    )  # fmt: skip


def _delete_hook(deps: Deps, given: HookArguments, who: Principal) -> None:
    commands.remove(deps, given.hook, by=who.by)


HOOK = Verb(
    resource="webhook", action="delete", help="Delete a webhook and its list of deliveries.",
    permission=Permission.HOOKS_EDIT, arguments=HookArguments,
    example={"hook": "019a0000-0000-7000-8000-000000000000"}, preview=_of_hook, run=_delete_hook,
)  # fmt: skip
