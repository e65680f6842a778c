"""Budget guard: reserve money before each call to a model, and settle it after.

Called by the handlers; `policy` says how a job waits for a budget. Reserve and settle are transactions of their own,
with the call between them: the sweep charges what a killed process had reserved. A spent budget stops the calls that it
covers, and nothing else.
"""

from __future__ import annotations

import shlex
import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from fleet.access import organisations
from fleet.core import events, logs
from fleet.core.db import Tx
from fleet.core.errors import Unavailable
from fleet.core.failpoints import Point, reach
from fleet.engine.agents import queries as agents
from fleet.engine.attempts.error_policy import AttemptResult
from fleet.engine.attempts.work import Work
from fleet.engine.deps import Deps
from fleet.engine.jobs.outcomes import Held
from fleet.features.costs.commands import about
from fleet.features.notices import service as operator_notices
from fleet.llm.base import Usage
from fleet.llm.errors import NotPaidFor
from fleet.llm.provider import Words
from fleet.spending import ledger
from fleet.spending.budgets import Budget, BudgetSpent, Period, Scope, Spender, dollars, whose
from fleet.spending.ledger import Reservation

log = logs.get(__name__)
MODERATION = "moderation"
"""The purpose of calls that check texts instead of writing them."""
_MOST_ABANDONED = 500


class Unpaid(NotPaidFor):
    """A call that does not fit into a budget, with the budget and its scope."""

    def __init__(self, spent: BudgetSpent, spender: Spender, provider: str, microusd: int) -> None:
        super().__init__(spent.message, spent.until, fix=spent.fix)
        self.spender = spender
        self.provider = provider
        self.microusd = microusd


@dataclass(frozen=True, slots=True)
class Purse:
    """The money for one errand of one agent; a `fleet.llm.provider.Till`."""

    deps: Deps
    spender: Spender

    def reserve(self, provider: str, microusd: int, *, for_s: float | None = None) -> Reservation:
        """Reserve the maximum cost of a call, for a lease's time or as long as the caller says.

        Raises Unpaid when a budget is in the way. Another provider may be cheaper, free, or have a budget of its own.
        """
        lease_s = self.deps.settings.lease_s if for_s is None else for_s
        try:
            with self.deps.db.transaction() as tx:
                reservation = ledger.reserve(tx, self.spender, provider, microusd, lease_s=lease_s)
        except BudgetSpent as spent:
            if not spent.is_passing and spent.budget.spent_at is None:
                self._report(spent, microusd)
            raise Unpaid(spent, self.spender, provider, microusd) from spent
        reach(Point.CALL_RESERVED)
        return reservation

    def settle(self, reserved: Reservation, calls: Iterable[Usage]) -> None:
        """Charge the actual cost of the call.

        While the database is down this is left to the sweep, which charges the whole reservation.
        """
        try:
            with self.deps.db.transaction() as tx:
                ledger.settle(tx, reserved, calls)
        except Unavailable as error:
            log.warning("call_not_settled", provider=reserved.provider, reason=str(error))
        reach(Point.CALL_SETTLED)

    def _report(self, spent: BudgetSpent, microusd: int) -> None:
        """Record that a budget is spent and notify operators: once a period, whichever process is first."""
        budget = spent.budget
        with self.deps.db.transaction() as tx:
            if not ledger.mark_spent(tx, budget, microusd):
                return
            events.emit(
                tx, "budget.spent", scope=budget.scope, key=budget.key, period=budget.period, reason=str(spent),
                until=spent.until.isoformat(), **about(tx, budget.scope, budget.key),
            )  # fmt: skip
            name = _name(tx, budget)
            title = f"The {budget.period.each} budget of {name} is spent"
            operator_notices.add(self.deps, tx, "budget.spent", title, self._consequence(spent, name))

    def _consequence(self, spent: BudgetSpent, name: str) -> str:
        """Return what follows from a spent budget, for operators."""
        settings, budget = self.deps.settings, spent.budget
        words = "wait for the budget" if settings.llm_when_spent == "wait" else "come from the personas' grammar"
        if budget.scope is Scope.PROVIDER:
            words = f"come from the next model; without one they {words}"
        limit = budget.limit_microusd + budget.allowance_microusd
        scope = "" if budget.scope is Scope.FLEET else f" --{budget.scope} {shlex.quote(name.partition(' ')[2])}"
        period = "" if budget.period is Period.DAY else f" --period {budget.period}"
        return (
            f"{dollars(budget.spent_microusd)} of {dollars(limit)} is spent, and a call did not fit."
            f" Until {spent.until:%Y-%m-%d %H:%M} UTC words {words}; everything else continues."
            f" `fleet budgets allow AMOUNT{scope}{period}` ends this."
        )


def words_of(work: Work) -> Words:
    """Return the language model for an agent, whose calls are charged to the agent's budgets."""
    return work.deps.words(work.settings).paid_by(purse_of(work))


def purse_of(work: Work, *, for_what: str = "") -> Purse:
    """Return the money for an agent's job; its calls are recorded under the job's kind, or `for_what`."""
    claim, agent = work.claim, work.agent
    return Purse(
        work.deps, Spender(agent.id, agent.persona_id, claim.job_id, for_what or claim.kind, agent.organisation_id)
    )


def policy(error: Exception) -> AttemptResult | None:
    """Let a job wait for a budget that is spent; it holds back nothing but itself."""
    if not isinstance(error, Unpaid):
        return None
    return AttemptResult(Held(str(error), error.until), still_held=lambda tx: still_unpaid(tx, error))


def still_unpaid(tx: Tx, error: Unpaid) -> bool:
    """Say whether a call still does not fit: a budget may have been raised after the call was refused."""
    return not ledger.fits(tx, error.spender, error.provider, error.microusd)


def _name(tx: Tx, budget: Budget) -> str:
    """Return the name of a budget's scope, an agent's username."""
    if budget.scope is Scope.ORGANISATION:
        return whose(budget.scope, organisations.names(tx).get(budget.key, budget.key))
    if budget.scope is not Scope.AGENT:
        return whose(budget.scope, budget.key)
    return whose(budget.scope, agents.get(tx, uuid.UUID(budget.key)).username)


def charge_abandoned(deps: Deps) -> int:
    """Charge the reservations of processes that died before they settled; return how many."""
    for charged in range(_MOST_ABANDONED):
        with deps.db.transaction() as tx:
            if not ledger.charge_abandoned(tx):
                return charged
    return _MOST_ABANDONED
