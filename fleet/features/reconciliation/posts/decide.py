"""What people decide about discrepancies of posts. Nothing is written to a network."""

from __future__ import annotations

from fleet.access import audit
from fleet.accounts.models import AccountRow
from fleet.core import events
from fleet.core.db import Tx
from fleet.core.errors import Conflict, InvalidInput
from fleet.features.reconciliation.models import DiscrepancyRow
from fleet.features.reconciliation.rules import Remedy


def accept(tx: Tx, row: DiscrepancyRow, *, by: str, action: Remedy | None = None) -> None:
    """Accept what a network shows of a post: a later comparison finds it again only if the network's side changes.

    Raises Conflict, InvalidInput for the fix of a store.
    """
    if row.state not in ("open", "proposed", "dismissed", "undone"):
        raise Conflict(f"The discrepancy of {row.about} is {row.state}.")
    if action not in (None, Remedy.ACCEPT):
        raise InvalidInput(
            f"{row.about} is a post: Fleet writes nothing to its network.", fix="Accept it, or dismiss it."
        )
    _move(tx, row, "fixed", by)
    row.undo = {"action": Remedy.ACCEPT.value}
    tx.session.flush()
    audit.note(tx, "discrepancy.accepted", f"discrepancy:{row.id}", before={"text": row.local},
               after={"text": row.remote, "about": row.about, "type": row.type})  # fmt: skip
    tell(tx, row, "discrepancy.accepted", by)


def undo(tx: Tx, row: DiscrepancyRow, *, by: str) -> None:
    """Take an acceptance back: the discrepancy is open again. Raises Conflict."""
    if row.state != "fixed":
        raise Conflict(f"The discrepancy of {row.about} is {row.state}: there is nothing to take back.")
    _move(tx, row, "open", by)
    row.undo = {}
    tx.session.flush()
    audit.note(tx, "discrepancy.undone", f"discrepancy:{row.id}", after={"about": row.about, "type": row.type})
    tell(tx, row, "discrepancy.undone", by)


def _move(tx: Tx, row: DiscrepancyRow, state: str, by: str) -> None:
    row.state, row.changed_at, row.changed_by, row.problem = state, tx.now(), by[:100], ""


def tell(tx: Tx, row: DiscrepancyRow, subject: str, by: str) -> None:
    """Emit an event about a discrepancy of a post."""
    account = tx.session.get(AccountRow, row.account_id)
    events.emit(tx, subject, store="" if account is None else account.name, about=row.about, field=row.field, by=by,
                organisation=str(row.organisation_id), page=f"/reconciliation/{row.id}")  # fmt: skip
