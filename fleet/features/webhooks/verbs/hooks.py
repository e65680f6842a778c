"""The verbs of subscriptions that people may have to approve: delete, send failed deliveries again."""

from __future__ import annotations

import uuid

from pydantic import Field

from fleet.access import Permission, Principal
from fleet.core.db import Tx
from fleet.core.errors import NotFound
from fleet.engine.deps import Deps
from fleet.engine.points.verbs import Verb, VerbArguments, VerbPreview
from fleet.features.webhooks import commands
from fleet.features.webhooks.outbound import deliveries, subscriptions


class HookArguments(VerbArguments):
    """Which subscription."""

    hook: uuid.UUID


class DeliveriesArguments(HookArguments):
    """Which deliveries: exactly those that had failed when the person asked, unless they are named."""

    deliveries: tuple[uuid.UUID, ...] = Field((), max_length=1000, description="their jobs; empty: all that failed")


def _of_hook(deps: Deps, tx: Tx, given: HookArguments) -> VerbPreview:  # noqa: ARG001 - the shape of all previews
    found = subscriptions.get(tx, given.hook)  # its address may hold a token, so only the host is stored
    before = {"name": found.name, "host": found.host, "subjects": list(found.subjects)}
    return VerbPreview(
        resource_id=str(found.id), summary=f"Delete the webhook {found.name}", before=before, facts=before
    )  # fmt: skip


def _of_replay(deps: Deps, tx: Tx, given: DeliveriesArguments) -> VerbPreview:  # noqa: ARG001 - the shape of all previews
    found = subscriptions.get(tx, given.hook)
    failed = [one for one in deliveries.failed(tx, found.id) if not given.deliveries or one in given.deliveries]
    if not failed:
        raise NotFound("None of these deliveries has failed.", fix="Nothing is left to do.")
    number, about = len(failed), {"name": found.name, "host": found.host}
    return VerbPreview(
        resource_id=str(found.id),
        summary=f"Send {number} failed {'delivery' if number == 1 else 'deliveries'} of {found.name} again",
        before={**about, "failed": number}, after={**about, "sent again": number}, facts={**about, "number": number},
        arguments={"hook": str(found.id), "deliveries": [str(one) for one in failed]},
    )  # fmt: skip


def _replay(deps: Deps, given: DeliveriesArguments, who: Principal) -> int:
    return commands.replay_failed(deps, given.hook, only=given.deliveries, by=who.by)


def _delete_hook(deps: Deps, given: HookArguments, who: Principal) -> None:
    commands.remove(deps, given.hook, by=who.by)


HOOK = Verb(
    resource="webhook", action="delete", help="Delete a webhook and its list of deliveries.",
    permission=Permission.HOOKS_EDIT, arguments=HookArguments,
    example={"hook": "019a0000-0000-7000-8000-000000000000"}, preview=_of_hook, run=_delete_hook,
)  # fmt: skip
REPLAY = Verb(
    resource="webhook", action="replay", help="Send failed deliveries of a webhook again.",
    permission=Permission.JOBS_CONTROL, arguments=DeliveriesArguments,
    example={"hook": "019a0000-0000-7000-8000-000000000000"}, preview=_of_replay, run=_replay,
)  # fmt: skip
