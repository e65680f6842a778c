"""The first step about agents."""

from __future__ import annotations

import sqlalchemy as sa

from fleet.access import Permission
from fleet.core.db import Tx
from fleet.engine.agents.models import NOWHERE, AgentRow
from fleet.engine.deps import Deps
from fleet.web.points.checklist import ChecklistStep


def _is_done(_: Deps, tx: Tx) -> bool:
    return bool(tx.scalar(sa.select(sa.exists().where(AgentRow.deleted_at.is_(None), AgentRow.surface != NOWHERE))))


STEP = ChecklistStep(
    "Create an agent", "It wakes, decides and acts by itself, and stays idle until you start it.", "/agents/new",
    Permission.AGENTS_EDIT, _is_done,
)  # fmt: skip
