"""`fleet costs` and `fleet budgets`: what words cost, and how much they may."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import click
from rich.text import Text

from fleet.cli.frame import render
from fleet.cli.frame.command import FleetCommand, FleetGroup
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import AGENT, PERSONA, REASON, SPAN, json_option, yes_option
from fleet.cli.frame.remote_call import Call
from fleet.core.errors import InvalidInput
from fleet.engine.agents import lookup
from fleet.features.costs import commands as cost_commands
from fleet.spending.budgets import Budget, Period, Scope, dollars, microusd, whose
from fleet.spending.queries import CallSum, SpendingBy

_BAR_CHARS = 24


class Amount(click.ParamType[int]):
    """An amount in dollars, kept in microusd."""

    name = "dollars"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the amount in microusd; fails for what is none."""
        try:
            return microusd(str(value))
        except InvalidInput as error:
            self.fail(str(error), param, ctx)


F = TypeVar("F", bound=Callable[..., Any])


def _whom(command: F) -> F:
    """Add the options that say whom a budget covers; without one it is the fleet's."""
    for option in (
        click.option("--provider", metavar="NAME", help="Budget of this model provider, e.g. anthropic."),
        click.option("--persona", type=PERSONA, help="Budget of all agents with this persona."),
        click.option("--agent", type=AGENT, help="Budget of this agent (username or id)."),
    ):
        command = option(command)
    return command


def _scope(whom: dict[str, str | None]) -> tuple[Scope, str | None]:
    """Return the one scope that the options name. Raises InvalidInput for two."""
    named = [(Scope(scope), name) for scope, name in whom.items() if name is not None]
    if len(named) > 1:
        raise InvalidInput("A budget is for one agent, one persona or one provider.", fix="Give only one of them.")
    return named[0] if named else (Scope.FLEET, None)


_PERIOD = click.option("--period", type=click.Choice([str(period) for period in Period]), default="day",
                       show_default=True, help="Per day or per month (UTC).")  # fmt: skip


@click.command(cls=FleetCommand)
@click.option(
    "--by", type=click.Choice([str(by) for by in SpendingBy]), default="day", show_default=True, help="Group by."
)
@click.option("--since", type=SPAN, default="7d", show_default=True, help="Period up to now.")
@click.option("--limit", type=click.IntRange(1, 1000), default=31, show_default=True, help="Number of rows.")
@json_option
@pass_door
def costs(door: Door, /, *, by: str, since: timedelta, limit: int, as_json: bool) -> None:
    """Show the costs of model calls, a forecast for today, and the budgets.

    Every call counts, failed ones too. Words of Fleet's own grammar cost nothing and are not listed.
    """
    found = cost_commands.costs(door.deps, SpendingBy(by), for_=since, limit=limit)
    names = _names(door, [one.key for one in found.sums]) if by == SpendingBy.AGENT else {}
    if as_json:
        door.json({
            "since": found.since, "by": by, "total_microusd": found.total, "today_microusd": found.today,
            "forecast_today_microusd": found.forecast_today, "items": [_sum(one, names) for one in found.sums],
            "budgets": [_budget(one) for one in found.budgets],
        })  # fmt: skip
        return
    if found.sums:
        door.show(_table(by, found.sums, names))
    door.note(
        f"{dollars(found.total)} in {render.span(since.total_seconds())}; today {dollars(found.today)},"
        f" about {dollars(found.forecast_today)} by midnight UTC."
    )
    _show_budgets(door, found.budgets)


def _names(door: Door, agent_ids: Iterable[str | None]) -> dict[str, str]:
    return lookup.usernames(door.deps.db, agent_ids)


def _table(by: str, sums: Sequence[CallSum], names: dict[str, str]) -> Any:
    most = max(one.microusd for one in sums) or 1
    right = {"justify": "right"}
    table = render.table(by.capitalize(), ("Cost", right), render.DRAWING, ("Calls", right), ("Failed", right),
                         ("Input", right), ("Cached", right), ("Output", right), ("Mean", right))  # fmt: skip
    for one in sums:
        bar = "█" * round(one.microusd / most * _BAR_CHARS)
        failed = Text(str(one.failed), style="red" if one.failed else "bright_black")
        cached = one.cache_read_tokens / max(1, one.input_tokens + one.cache_read_tokens + one.cache_write_tokens)
        render.row(
            table, names.get(one.key or "", one.key or "–"), dollars(one.microusd), Text(bar, style="green"),
            f"{one.calls:,}", failed, f"{one.input_tokens + one.cache_read_tokens + one.cache_write_tokens:,}",
            f"{cached:.0%}", f"{one.output_tokens:,}", f"{one.latency_ms / max(1, one.calls) / 1000:.1f} s",
        )  # fmt: skip
    return table


def _sum(one: CallSum, names: dict[str, str]) -> dict[str, Any]:
    fields = {name: getattr(one, name) for name in CallSum.__slots__}
    return {**fields, "name": names.get(one.key or "")} if names else fields


@click.group(cls=FleetGroup)
def budgets() -> None:
    """List, set, raise and remove budgets.

    A call that might not fit is not made; nothing else stops. The next model writes if its call fits, else the
    personas' grammar, or nobody until the period is over (FLEET_LLM_WHEN_SPENT).
    """


@budgets.command(
    "list", remote=Call("GET", "/budgets", columns=("scope", "key", "period", "limit_microusd", "spent_microusd"))
)
@json_option
@pass_door
def list_(door: Door, /, *, as_json: bool) -> None:
    """List budgets with amounts spent, reserved and left."""
    found = cost_commands.budgets(door.deps)
    if as_json:
        door.json({"items": [_budget(one) for one in found]})
        return
    if not found:
        door.note("No budgets: spending is not limited. `fleet budgets set 5.00` limits it to $5 a day.")
    _show_budgets(door, found)


@budgets.command("set")
@click.argument("amount", type=Amount())
@_whom
@_PERIOD
@pass_door
def set_(door: Door, /, *, amount: int, period: str, **whom: str | None) -> None:
    """Set a budget of the fleet, or of an agent, persona or provider, in dollars per period."""
    scope, name = _scope(whom)
    cost_commands.set_budget(door.deps, scope, name, Period(period), amount, by=door.by)
    door.say(_sentence(f"{whose(scope, name)} may spend {dollars(amount)} a {period}."))


@budgets.command()
@click.argument("amount", type=Amount())
@_whom
@_PERIOD
@click.option("--reason", type=REASON, default="", help="Reason; kept with the decision.")
@yes_option
@pass_door
def allow(door: Door, /, *, amount: int, period: str, reason: str, yes: bool, **whom: str | None) -> None:
    """Raise a budget by AMOUNT dollars for its current period."""
    (scope, name), span = _scope(whom), Period(period)
    door.confirm(f"Let {whose(scope, name)} spend {dollars(amount)} more {span.now}?", yes=yes)
    left = cost_commands.allow(door.deps, scope, name, span, amount, by=door.by, reason=reason).left_microusd
    door.say(_sentence(f"{whose(scope, name)} has {dollars(left)} left {span.now}. Words that waited are written now."))


@budgets.command()
@_whom
@_PERIOD
@pass_door
def remove(door: Door, /, *, period: str, **whom: str | None) -> None:
    """Remove a budget."""
    scope, name = _scope(whom)
    cost_commands.remove_budget(door.deps, scope, name, Period(period), by=door.by)
    door.say(_sentence(f"{whose(scope, name)} has no {Period(period).each} limit any more."))


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


def _show_budgets(door: Door, found: Sequence[Budget]) -> None:
    if not found:
        return
    right, names = {"justify": "right"}, _names(door, [one.key for one in found if one.scope is Scope.AGENT])
    table = render.table("Budget", "Period", ("Limit", right), ("Spent", right), ("Set aside", right), ("Left", right),
                         "Paid calls")  # fmt: skip
    for one in found:
        left = Text(dollars(one.left_microusd), style="red" if one.left_microusd == 0 else "")
        render.row(table, whose(one.scope, names.get(one.key, one.key)), one.period,
                   dollars(one.limit_microusd + one.allowance_microusd), dollars(one.spent_microusd),
                   dollars(one.reserved_microusd), left, _stopped(one))  # fmt: skip
    door.show(table)


def _stopped(one: Budget) -> Text:
    if one.spent_at is None:
        return Text("allowed")
    return Text(f"stopped since {one.spent_at:%Y-%m-%d %H:%M} UTC", style="red")


def _budget(one: Budget) -> dict[str, Any]:
    return {**{name: getattr(one, name) for name in Budget.__slots__}, "left_microusd": one.left_microusd}
