"""The verb of adapters that people may have to approve: switch on what is off by the rules of a system."""

from __future__ import annotations

from pydantic import Field

from fleet.access import Permission, Principal
from fleet.accounts import service
from fleet.core.db import Tx
from fleet.engine.deps import Deps
from fleet.engine.points.verbs import Verb, VerbArguments, VerbPreview
from fleet.features.adapters import commands


class OperationArguments(VerbArguments):
    """Which operation of which account, and why."""

    account: str = Field(min_length=1, max_length=60, description="name or id")
    operation: str = Field(min_length=1, max_length=60)
    reason: str = Field(min_length=1, max_length=300)


def _preview(deps: Deps, tx: Tx, given: OperationArguments) -> VerbPreview:  # noqa: ARG001 - the shape of all previews
    row = service.changeable(tx, given.account)
    one = commands.switchable(row.adapter, given.operation)
    facts = {"account": row.name, "adapter": row.adapter, "operation": one.name, "rule": one.rule}
    return VerbPreview(
        arguments={"account": str(row.id), "operation": one.name, "reason": given.reason}, resource_id=str(row.id),
        summary=f"Let agents {one.name} through {row.name}: {given.reason}"[:200],
        before={"operation": one.name, "is_on": one.name in row.operations},
        after={"operation": one.name, "is_on": True, "reason": given.reason}, facts=facts,
    )  # fmt: skip


def _run(deps: Deps, given: OperationArguments, who: Principal) -> bool:
    return commands.allow(deps, given.account, given.operation, given.reason, by=who.by)


ALLOW = Verb(
    resource="account", action="allow", help="Switch on an operation that is off by the rules of an account's system.",
    permission=Permission.AGENTS_EDIT, arguments=OperationArguments,
    example={"account": "brand-two", "operation": "repost", "reason": "Enterprise access since May"},
    preview=_preview, run=_run,
)  # fmt: skip
