"""Who pays for an agent's words: sets money aside before each call to a model, and settles it after.

Called by the handlers; `consequences` says what follows when nobody may pay. Reserve and settle are transactions of
their own, with the call between them: what a killed process had set aside is charged by the sweep.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fleet.core import events, logs
from fleet.core.db import Tx
from fleet.core.errors import Unavailable
from fleet.core.failpoints import Point, reach
from fleet.llm.base import Usage, Words
from fleet.llm.errors import NotPaidFor
from fleet.runtime.deps import Deps
from fleet.runtime.work import Work
from fleet.spending import ledger
from fleet.spending.budgets import BudgetSpent, Scope, Spender
from fleet.spending.ledger import Reservation

log = logs.get(__name__)
MODERATION = "moderation"
"""What calls are recorded for that do not write words but judge them."""
_MOST_ABANDONED = 500


@dataclass(frozen=True, slots=True)
class Purse:
    """The money for one errand of one agent; a `fleet.llm.base.Till`."""

    deps: Deps
    spender: Spender

    def reserve(self, provider: str, microusd: int, *, for_s: float | None = None) -> Reservation:
        """Set aside the most that a call can cost, for a lease's time or as long as its maker says.

        Raises NotPaidFor when only the provider's own budget is spent, BudgetSpent when the agent's, its persona's or
        the fleet's is: then no other provider is a way out.
        """
        lease_s = self.deps.settings.lease_s if for_s is None else for_s
        try:
            with self.deps.db.transaction() as tx:
                reservation = ledger.reserve(tx, self.spender, provider, microusd, lease_s=lease_s)
        except BudgetSpent as spent:
            if spent.budget.scope is not Scope.PROVIDER:
                raise
            self._tell(spent)
            raise NotPaidFor(str(spent)) from spent
        reach(Point.CALL_RESERVED)
        return reservation

    def settle(self, reserved: Reservation, calls: Iterable[Usage]) -> None:
        """Charge what the call took. While the database is away that is left to the sweep, which charges it all."""
        try:
            with self.deps.db.transaction() as tx:
                ledger.settle(tx, reserved, calls)
        except Unavailable as error:
            log.warning("call_not_settled", provider=reserved.provider, reason=str(error))
        reach(Point.CALL_SETTLED)

    def _tell(self, spent: BudgetSpent) -> None:
        """Record once a period that a provider is passed over; each process does."""
        told = (spent.budget.key, spent.until)
        if told not in self.deps.passed_over:
            self.deps.passed_over.add(told)
            with self.deps.db.transaction() as tx:
                tell(tx, spent)


def words_of(work: Work) -> Words:
    """Return who writes an agent's words, paid by whom they concern."""
    return work.deps.words.paid_by(purse_of(work))


def purse_of(work: Work, *, for_what: str = "") -> Purse:
    """Return the money for an agent's job; its calls are recorded under the job's kind, or `for_what`."""
    claim, agent = work.claim, work.agent
    return Purse(work.deps, Spender(agent.id, agent.persona_id, claim.job_id, for_what or claim.kind))


def tell(tx: Tx, spent: BudgetSpent) -> None:
    """Record that a budget is spent."""
    budget = spent.budget
    events.emit(
        tx, "budget.spent", scope=budget.scope, key=budget.key, period=budget.period, reason=str(spent),
        until=spent.until.isoformat(),
    )  # fmt: skip


def charge_abandoned(deps: Deps) -> int:
    """Charge what processes had set aside that died before they settled; return how many amounts."""
    for charged in range(_MOST_ABANDONED):
        with deps.db.transaction() as tx:
            if not ledger.charge_abandoned(tx):
                return charged
    return _MOST_ABANDONED
