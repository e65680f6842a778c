"""The verbs of accounts that people may have to approve: remove one, and let a stopped one go on."""

from __future__ import annotations

from pydantic import Field

from fleet.access import Permission, Principal
from fleet.accounts import service
from fleet.core.db import Tx
from fleet.core.errors import NotFound
from fleet.engine import controls
from fleet.engine.deps import Deps
from fleet.engine.points.verbs import Verb, VerbArguments, VerbPreview
from fleet.features.accounts import commands


class AccountArguments(VerbArguments):
    """Which account."""

    account: str = Field(min_length=1, max_length=60, description="name or id")


def _of_delete(deps: Deps, tx: Tx, given: AccountArguments) -> VerbPreview:  # noqa: ARG001 - the shape of all previews
    row = service.changeable(tx, given.account)
    facts = {"account": row.name, "adapter": row.adapter, "address": row.address}
    return VerbPreview(
        arguments={"account": str(row.id)}, resource_id=str(row.id),
        summary=f"Remove the account {row.name} and its credentials", before=facts,
        facts=facts,
    )  # fmt: skip


def _of_resume(deps: Deps, tx: Tx, given: AccountArguments) -> VerbPreview:  # noqa: ARG001 - the shape of all previews
    row = service.changeable(tx, given.account)
    held = next((one for one in controls.in_force(tx) if (one.scope, one.key) == ("account", str(row.id))), None)
    if held is None:
        raise NotFound(f"The account {row.name} is not stopped.", fix="Nothing is left to do.")
    stopped = {"state": "stopped", "by": held.set_by, "reason": held.reason}
    return VerbPreview(
        arguments={"account": str(row.id)}, resource_id=str(row.id),
        summary=f"Resume the account {row.name}", before=stopped, after={"state": "active"},
        facts={"account": row.name, "adapter": row.adapter, **stopped},
    )  # fmt: skip


def _delete(deps: Deps, given: AccountArguments, who: Principal) -> None:
    commands.remove(deps, given.account, by=who.by)


def _resume(deps: Deps, given: AccountArguments, who: Principal) -> bool:
    return commands.resume(deps, given.account, by=who.by)


DELETE = Verb(
    resource="account", action="delete", help="Remove an account and its credentials.",
    permission=Permission.AGENTS_EDIT, arguments=AccountArguments, example={"account": "gallery-two"},
    preview=_of_delete, run=_delete,
)  # fmt: skip
RESUME = Verb(
    resource="account", action="resume", help="Let a stopped account go on, and the jobs that wait for it.",
    permission=Permission.CONTROLS_PAUSE, arguments=AccountArguments, example={"account": "gallery-two"},
    preview=_of_resume, run=_resume,
)  # fmt: skip
