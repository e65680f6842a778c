"""Decide what follows from findings: a fix by itself, a question to people, or nothing until somebody looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fleet.core.db import Tx
from fleet.core.errors import FleetError
from fleet.features.reconciliation import rules
from fleet.features.reconciliation.fixes import apply, approval
from fleet.features.reconciliation.models import DiscrepancyRow
from fleet.features.reconciliation.rules import DiscrepancySeverity, DiscrepancyType, FixPermission, FixPolicy, Remedy
from fleet.features.stores.state.context import StoreContext

BY = "reconciler"


@dataclass(slots=True)
class DecidedFindings:
    """How many findings are being fixed, and about how many people are asked."""

    fixed: int = 0
    proposed: int = 0


def decide(
    tx: Tx, context: StoreContext, policy: FixPolicy, rows: Sequence[DiscrepancyRow], *, left: int
) -> DecidedFindings:  # fmt: skip
    """Fix and propose findings, in the transaction in which they were compared. At most `left` fixes."""
    done = DecidedFindings()
    for row in rows:
        permitted = rules.may_fix(
            kind=DiscrepancyType(row.type), severity=DiscrepancySeverity(row.severity), action=Remedy(row.action),
            confidence=row.confidence, policy=policy,
        )  # fmt: skip
        if permitted is FixPermission.FIX and done.fixed < left and row.state == "open":
            try:
                with tx.savepoint():
                    apply.fix(tx, context, row, by=BY)
                done.fixed += 1
            except FleetError as error:
                tx.session.refresh(row)
                row.problem = error.plain[:300]
        elif permitted is FixPermission.ASK and row.state == "open" and row.action != Remedy.NONE:
            approval.propose(tx, context, row)
            done.proposed += 1
    tx.session.flush()
    return done
