"""The verbs of budgets that people may have to approve: raise a limit, add to it for its period, remove it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pydantic import Field

from fleet.access import Permission, Principal
from fleet.core.db import Tx
from fleet.core.errors import NotFound
from fleet.engine.deps import Deps
from fleet.engine.points import verbs
from fleet.engine.points.verbs import Verb, VerbArguments, VerbPreview
from fleet.features.costs import commands
from fleet.spending import ledger
from fleet.spending.budgets import Budget, Period, Scope, dollars

_MOST_MICROUSD = 10**12
_EXAMPLE = {"scope": "fleet", "name": None, "period": "day"}


class BudgetArguments(VerbArguments):
    """Which budget."""

    scope: Scope
    name: str | None = Field(
        None, max_length=100, description="username, organisation, persona or provider; null for the fleet"
    )
    period: Period


class LimitArguments(BudgetArguments):
    """Its new limit."""

    microusd: int = Field(ge=0, le=_MOST_MICROUSD)


class AllowanceArguments(BudgetArguments):
    """What is added in its current period; `had_microusd` is what had been added before, if the person saw that."""

    microusd: int = Field(ge=0, le=_MOST_MICROUSD)
    reason: str = Field("", max_length=300)
    had_microusd: int | None = None


def set_limit(deps: Deps, who: Principal, scope: Scope, name: str | None, *, period: Period, microusd: int) -> bool:
    """Set a limit; False if it is set already. Raises NeedsApproval for a higher one that people have to approve."""
    found = commands.find(deps, scope, name, period)
    if found is not None and microusd > found.limit_microusd:
        given = {"scope": scope, "name": name, "period": period, "microusd": microusd}
        return bool(verbs.perform(deps, who, "budget", "raise", **given))
    return commands.set_budget(deps, scope, name, period, microusd, by=who.by)


def _preview(deps: Deps, given: BudgetArguments, words: str, usd: float | None, **after: Any) -> VerbPreview:
    budget = commands.find(deps, given.scope, given.name, given.period)
    if budget is None:
        raise NotFound(
            f"There is no {given.period.each} budget of that {given.scope}.", fix="`fleet budgets list` shows them."
        )
    before = {"limit": dollars(budget.limit_microusd), "added": dollars(budget.allowance_microusd)}
    whose = "the fleet" if given.name is None else f"{given.scope} {given.name}"
    return VerbPreview(
        resource_id=f"{budget.scope}:{budget.key}:{budget.period}",
        summary=f"{words} the {given.period.each} budget of {whose}", before=before,
        after={name: value(budget) for name, value in after.items()},
        facts={"scope": str(given.scope), "name": given.name, "period": str(given.period), "usd": usd,
               "limit_usd": budget.limit_microusd / 1e6, "spent_usd": budget.spent_microusd / 1e6},
    )  # fmt: skip


def _of_raise(deps: Deps, tx: Tx, given: LimitArguments) -> VerbPreview:
    with deps.db.joined(tx):
        limit = dollars(given.microusd)
        return _preview(deps, given, f"Raise to {limit}", given.microusd / 1e6, limit=lambda _: limit, added=_added)


def _of_override(deps: Deps, tx: Tx, given: AllowanceArguments) -> VerbPreview:
    commands.refuse_nothing(given.microusd)
    with deps.db.joined(tx):
        found = _preview(
            deps, given, f"Add {dollars(given.microusd)} to", given.microusd / 1e6, limit=_limit,
            added=lambda budget: dollars(budget.allowance_microusd + given.microusd),
        )  # fmt: skip
    # The approver sees what had been added, and the preview is compared again: the amount of the asker does not count.
    return replace(found, arguments=given.model_copy(update={"had_microusd": None}).model_dump(mode="json"))


def _check_override(deps: Deps, tx: Tx, given: AllowanceArguments, who: Principal) -> None:  # noqa: ARG001
    """Raise Conflict if the person saw another amount than is added now."""
    with deps.db.joined(tx):
        budget = commands.find(deps, given.scope, given.name, given.period)
    if budget is not None:
        ledger.refuse_unseen(given.had_microusd, budget.allowance_microusd)


def _of_delete(deps: Deps, tx: Tx, given: BudgetArguments) -> VerbPreview:
    with deps.db.joined(tx):
        return _preview(deps, given, "Remove", None)


def _limit(budget: Budget) -> str:
    return dollars(budget.limit_microusd)


def _added(budget: Budget) -> str:
    return dollars(budget.allowance_microusd)


def _raise(deps: Deps, given: LimitArguments, who: Principal) -> bool:
    return commands.set_budget(deps, given.scope, given.name, given.period, given.microusd, by=who.by)


def _override(deps: Deps, given: AllowanceArguments, who: Principal) -> Budget:
    return commands.allow(
        deps, given.scope, given.name, given.period, given.microusd, by=who.by, reason=given.reason,
        had_microusd=given.had_microusd,
    )  # fmt: skip


def _delete(deps: Deps, given: BudgetArguments, who: Principal) -> None:
    commands.remove_budget(deps, given.scope, given.name, given.period, by=who.by)


RAISE = Verb(
    resource="budget", action="raise", help="Raise the limit of a budget.", permission=Permission.BUDGETS_EDIT,
    arguments=LimitArguments, example={**_EXAMPLE, "microusd": 20_000_000}, preview=_of_raise, run=_raise,
)  # fmt: skip
OVERRIDE = Verb(
    resource="budget", action="override", help="Add to a budget for its current period.",
    permission=Permission.BUDGETS_EDIT, arguments=AllowanceArguments,
    example={**_EXAMPLE, "microusd": 5_000_000, "reason": "launch day"}, preview=_of_override, check=_check_override,
    run=_override,
)  # fmt: skip
DELETE = Verb(
    resource="budget", action="delete", help="Remove a budget.", permission=Permission.BUDGETS_EDIT,
    arguments=BudgetArguments, example=_EXAMPLE, preview=_of_delete, run=_delete,
)  # fmt: skip
