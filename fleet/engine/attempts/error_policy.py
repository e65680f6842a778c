"""What follows when a surface or a rule refuses a call: the outcome of the attempt, and the other agents or accounts
affected.

One table for ticks and jobs. A budget of an outside system puts the agents that it covers to sleep until it resets. A
kill switch of the system, or refused credentials, pause that account alone, until a person resumes it. A job that waits
for one of Fleet's own budgets affects no other job.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.exc import DBAPIError

from fleet.accounts import service as accounts
from fleet.accounts.service import AccountKey
from fleet.adapters import base, gateway
from fleet.core import events, masking
from fleet.core.db import Also, Tx
from fleet.core.errors import FleetError, InvalidInput, NotFound, Unavailable
from fleet.engine import controls, registry
from fleet.engine.agents import commands, loop
from fleet.engine.jobs.outcomes import Dead, Held, Outcome, Retry, Skipped, Unknown
from fleet.engine.jobs.states import DeadReason
from fleet.images.credentials import NotSigned
from fleet.llm.moderation.base import Unanswered

_BUDGET_SLEEP = timedelta(hours=1)
_LONGEST_SLEEP = timedelta(hours=24)
_LOOK_AGAIN = timedelta(minutes=5)
_BREATHER_S = 30.0


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """How the attempt ended, and further writes of the same transaction."""

    outcome: Outcome
    also: Also | None = None
    still_held: Callable[[Tx], bool] | None = None
    """Returns whether the job must still wait; called in the transaction that snoozes the job."""
    failed_account: uuid.UUID | None = None
    """The account whose outside system did not answer, or broke; None if something else failed."""


def budget_reset(reset_at: datetime | None, now: datetime) -> datetime:
    """Return when to wake from a budget sleep: the time that the surface gave, between 1 s and 24 h; else 1 h."""
    if reset_at is None:
        return now + _BUDGET_SLEEP
    return min(max(reset_at, now + timedelta(seconds=1)), now + _LONGEST_SLEEP)


def judge(
    error: Exception, *, now: datetime, agent_id: uuid.UUID, account: AccountKey | None, sent: bool, settle: timedelta
) -> AttemptResult:
    """Return what follows from an error of a call through an account.

    `sent`: the write may have reached the surface.
    """
    account_id = None if account is None else account.id
    for policy in registry.current().parts("error_policies"):
        verdict: AttemptResult | None = policy(error)
        if verdict is not None:
            return verdict
    match error:
        case base.SurfaceBudgetSpent():
            until = budget_reset(error.reset_at, now)
            return AttemptResult(Held(f"budget: {error}", until), _sleep(agent_id, account, error, until))
        case base.SurfacePaused():
            return AttemptResult(
                Held(str(error), now + _LOOK_AGAIN), _pause_account(account, f"its kill switch is on: {error}")
            )
        case base.TokenRefused():
            return AttemptResult(Held(str(error), now + _LOOK_AGAIN), _stop_account(account, error))
        case base.LimitSpent():
            return AttemptResult(Held(str(error), now + timedelta(seconds=error.retry_after_s or 0.0), is_quiet=True))
        case base.Throttled():
            wait_s = error.retry_after_s if error.retry_after_s is not None else _BREATHER_S
            return AttemptResult(Held(str(error), now + timedelta(seconds=wait_s)))
        case base.AccountMissing():
            return AttemptResult(Retry(str(error)), _forget_identity(agent_id, account_id))
        case base.Vanished():
            return AttemptResult(Skipped(f"gone: {error}"))
        case base.Uncertain() if sent:
            return AttemptResult(Unknown(str(error), settle), failed_account=account_id)
        case base.Uncertain() | base.Unreachable():
            return AttemptResult(Retry(str(error)), failed_account=account_id)
        case _:
            return AttemptResult(_of_rules(error, now, sent=sent, settle=settle))


def _of_rules(error: Exception, now: datetime, *, sent: bool, settle: timedelta) -> Outcome:
    """Return what follows from errors of Fleet's own rules, servers and code."""
    match error:
        case gateway.DryRun():
            return Skipped("dry run: nothing was sent", {"draft": error.draft})
        case gateway.NotAllowed():
            return Dead(DeadReason.POLICY, str(error))
        case gateway.Stopped():
            return Held(str(error), now + _LOOK_AGAIN, by_people=True)
        case gateway.LeaseEnding():
            return Held(str(error), now)
        case Unanswered():
            return Held(str(error), now + timedelta(seconds=max(_BREATHER_S, error.retry_after_s or 0.0)))
        case NotSigned():
            return Held(str(error), now + _LOOK_AGAIN)
        case base.Refused() | InvalidInput() | NotFound():
            return Dead(DeadReason.PERMANENT, str(error))
        case Unavailable():
            return Retry(str(error))
        case FleetError():
            return Unknown(str(error), settle) if sent else Retry(str(error))
        case _:
            why = unexpected(error)
            return Unknown(why, settle) if sent else Retry(why)


def unexpected(error: Exception) -> str:
    """Return the message that pages show for an unexpected error; the log has the details.

    The error's first line alone: further lines of a database error contain values of rows.
    """
    first_line = str(error).strip().partition("\n")[0]
    return masking.mask(f"unexpected: {type(error).__name__}: {first_line}")[:1000]


def unrecorded(error: DBAPIError, *, may_be_out: bool) -> AttemptResult:
    """Return the outcome of a job whose result the ledger refuses, such as an id that is longer than its column."""
    why = masking.mask(f"what came of it cannot be written down: {error.orig}".splitlines()[0])[:1000]
    return AttemptResult(Dead(DeadReason.UNKNOWN_OUTCOME if may_be_out else DeadReason.PERMANENT, why))


def _sleep(agent_id: uuid.UUID, account: AccountKey | None, error: base.SurfaceBudgetSpent, until: datetime) -> Also:
    def write(tx: Tx) -> None:
        if error.whole_fleet and account is not None:
            reason = f"{account.name}: {error}"
            controls.pause(tx, "account", str(account.id), by=controls.BUDGET, reason=reason, until=until)
        else:
            commands.pause(tx, agent_id, reason=f"budget: {error}", until=until)

    return write


def _forget_identity(agent_id: uuid.UUID, account_id: uuid.UUID | None) -> Also:
    def write(tx: Tx) -> None:
        loop.set_identity(tx, agent_id, account_id, None)

    return write


def _pause_account(account: AccountKey | None, reason: str) -> Also:
    def write(tx: Tx) -> None:
        if account is not None:
            controls.pause(tx, "account", str(account.id), by="fleet", reason=f"{account.name}: {reason}")

    return write


def _stop_account(account: AccountKey | None, error: base.TokenRefused) -> Also:
    """Pause an account whose credentials were refused, unless a person has changed them since they were used."""

    def write(tx: Tx) -> None:
        if account is None or not accounts.is_version(tx, account):
            return
        reason = f"{account.name} refuses our token: {error}; {account.fix}"
        if controls.pause(tx, "account", str(account.id), by=controls.REFUSED, reason=reason):
            events.emit(tx, "account.refused", account=account.name, why=masking.mask(str(error))[:300])

    return write
