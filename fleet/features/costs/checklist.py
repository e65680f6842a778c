"""The first step about budgets."""

from __future__ import annotations

from fleet.access import Permission
from fleet.core.db import Tx
from fleet.engine.deps import Deps
from fleet.spending import ledger
from fleet.web.points.checklist import ChecklistStep


def _is_done(_: Deps, tx: Tx) -> bool:
    return bool(ledger.list_budgets(tx))


STEP = ChecklistStep(
    "Set a budget", "Without one, spending on language models is not limited.", "/controls#budgets",
    Permission.BUDGETS_EDIT, _is_done,
)  # fmt: skip
