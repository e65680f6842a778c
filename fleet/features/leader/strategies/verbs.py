"""The verb that undoes a change of a strategy; people may have to approve it."""

from __future__ import annotations

import uuid

from pydantic import Field

from fleet.access import Permission, Principal
from fleet.core.db import Tx
from fleet.engine.deps import Deps
from fleet.engine.points.verbs import Verb, VerbArguments, VerbPreview
from fleet.features.leader.strategies import service
from fleet.features.leader.strategies.service import StrategyView


class UndoArguments(VerbArguments):
    """Which change."""

    change: uuid.UUID = Field(description="id of the change")


def _preview(deps: Deps, tx: Tx, given: UndoArguments) -> VerbPreview:  # noqa: ARG001 - the shape of all previews
    found, agent_id = service.preview(tx, given.change)
    return VerbPreview(
        resource_id=str(found.id), summary=f"Undo a change of the strategy of {found.agent}: {found.words}"[:300],
        before={found.setting: found.after}, after={found.setting: found.before}, agent_id=agent_id,
        facts={"agent": found.agent, "network": found.network, "kind": found.kind},
        arguments={"change": str(found.id)},
    )  # fmt: skip


def _undo(deps: Deps, given: UndoArguments, who: Principal) -> StrategyView:
    return service.undo(deps, given.change, by=who.by)


UNDO = Verb(
    resource="strategy", action="undo", help="Undo a change of an agent's strategy by the team leader.",
    permission=Permission.AGENTS_CONTROL, arguments=UndoArguments,
    example={"change": "0b9e5c8a-3c1f-4f0e-9d1d-2f5f7c1a9b11"}, preview=_preview, run=_undo,
)  # fmt: skip
