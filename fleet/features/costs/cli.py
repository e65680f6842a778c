"""`fleet costs` and `fleet budgets`: what calls to models cost, and how much they may cost."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

import click
from rich.text import Text

from fleet.cli.frame import render
from fleet.cli.frame.api import Answer, at
from fleet.cli.frame.command import FleetCommand, FleetGroup
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import AGENT, PERSONA, REASON, SPAN, NameType, TextType, json_option, yes_option
from fleet.core.errors import InvalidInput
from fleet.spending.budgets import ALL, Period, Scope, dollars, microusd, whose
from fleet.spending.groups import SpendingBy

_BAR_CHARS = 24
_LARGEST_PAGE = 200


class Amount(click.ParamType[int]):
    """An amount in dollars, kept in microusd."""

    name = "dollars"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the amount in microusd; fails for what is none."""
        try:
            return microusd(str(value))
        except InvalidInput as error:
            self.fail(str(error), param, ctx)


class AmountCommand(FleetCommand):
    """A command about an amount: a negative one is an amount, and not an option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the line. Raises BadParameter for a negative amount."""
        for arg in args:
            if re.fullmatch(r"-\$?\.?[0-9].*", arg):
                Amount().convert(arg, next(param for param in self.params if param.name == "amount"), ctx)
        return super().parse_args(ctx, args)


F = TypeVar("F", bound=Callable[..., Any])


def _whom(command: F) -> F:
    """Add the options that say whom a budget covers; without one it is the fleet's."""
    for option in (
        click.option("--provider", type=NameType("provider"), help="Budget of this model provider, e.g. anthropic."),
        click.option("--persona", type=PERSONA, help="Budget of all agents with this persona."),
        click.option("--organisation", type=TextType(60), help="Budget of all agents of this organisation."),
        click.option("--agent", type=AGENT, help="Budget of this agent (username or id)."),
    ):
        command = option(command)
    return command


def _scope(whom: dict[str, str | None]) -> tuple[Scope, str]:
    """Return the one scope that the options name, and its key in the API. Raises InvalidInput for two."""
    named = [(Scope(scope), name) for scope, name in whom.items() if name is not None]
    if len(named) > 1:
        raise InvalidInput(
            f"A budget is for one of {', '.join(scope for scope, _ in named)}.", fix="Give only one of them."
        )
    return named[0] if named else (Scope.FLEET, ALL)


_PERIOD = click.option("--period", type=click.Choice([str(period) for period in Period]), default="day",
                       show_default=True, help="Per day or per month (UTC).")  # fmt: skip


@click.command(cls=FleetCommand)
@click.option(
    "--by", type=click.Choice([str(by) for by in SpendingBy]), default="day", show_default=True, help="Group by."
)
@click.option("--since", type=SPAN, default="7d", show_default=True, help="Period up to now.")
@click.option("--limit", type=click.IntRange(1, _LARGEST_PAGE), default=31, show_default=True, help="Number of rows.")
@json_option
@pass_door
def costs(door: Door, /, *, by: str, since: timedelta, limit: int, as_json: bool) -> None:
    """Show the costs of model calls, a forecast for today, and the budgets.

    Every call counts, failed ones too. Texts from the personas' grammar cost nothing and are not listed.
    """
    found = door.api.get("/costs", by=by, since=since, limit=limit)
    if as_json:
        door.json(found)
        return
    if found["sums"]:
        door.show(_table(by, found["sums"]))
    door.note(
        f"{dollars(found['total_microusd'])} in {render.span(since.total_seconds())}; today"
        f" {dollars(found['today_microusd'])}, about {dollars(found['forecast_today_microusd'])} by midnight UTC."
    )
    _show_budgets(door, found["budgets"])


def _table(by: str, sums: Sequence[Answer]) -> Any:
    most = max(one["microusd"] for one in sums) or 1
    right = {"justify": "right"}
    table = render.table(by.capitalize(), ("Cost", right), render.DRAWING, ("Calls", right), ("Failed", right),
                         ("Input", right), ("Cached", right), ("Output", right), ("Mean", right))  # fmt: skip
    for one in sums:
        bar = "█" * round(one["microusd"] / most * _BAR_CHARS)
        failed = Text(str(one["failed"]), style="red" if one["failed"] else "bright_black")
        tokens = one["input_tokens"] + one["cache_read_tokens"] + one["cache_write_tokens"]
        render.row(
            table, one["name"] or one["key"] or "–", dollars(one["microusd"]), Text(bar, style="green"),
            f"{one['calls']:,}", failed, f"{tokens:,}", f"{one['cache_read_tokens'] / max(1, tokens):.0%}",
            f"{one['output_tokens']:,}", f"{one['latency_ms'] / max(1, one['calls']) / 1000:.1f} s",
        )  # fmt: skip
    return table


@click.group(cls=FleetGroup)
def budgets() -> None:
    """List, set, raise and remove budgets.

    Fleet makes no call that might exceed a budget; agents go on. The next model whose call fits writes instead, else
    the personas' grammar. FLEET_LLM_WHEN_SPENT can make texts wait for the next period.
    """


@budgets.command("list")
@json_option
@pass_door
def list_(door: Door, /, *, as_json: bool) -> None:
    """List budgets with amounts spent, reserved and left."""
    found = door.api.get("/budgets")
    if as_json:
        door.json(found)
        return
    if not found["items"]:
        door.note("No budgets: spending is not limited. `fleet budgets set 5.00` limits it to $5 a day.")
    _show_budgets(door, found["items"])


@budgets.command("set", cls=AmountCommand)
@click.argument("amount", type=Amount())
@_whom
@_PERIOD
@pass_door
def set_(door: Door, /, *, amount: int, period: str, **whom: str | None) -> None:
    """Set a budget of the fleet, or of an agent, organisation, persona or provider, in dollars per period."""
    scope, key = _scope(whom)
    door.api.put(at("budgets", scope, key, period), {"microusd": amount})
    door.say(_sentence(f"{whose(scope, key)} may spend {dollars(amount)} a {period}."))


@budgets.command(cls=AmountCommand)
@click.argument("amount", type=Amount())
@_whom
@_PERIOD
@click.option("--reason", type=REASON, default="", help="Reason; kept with the decision.")
@yes_option
@pass_door
def allow(door: Door, /, *, amount: int, period: str, reason: str, yes: bool, **whom: str | None) -> None:
    """Raise a budget by AMOUNT dollars for its current period."""
    (scope, key), now = _scope(whom), Period(period).now
    door.confirm(f"Let {whose(scope, key)} spend {dollars(amount)} more {now}?", yes=yes)
    raised = door.api.post(at("budgets", scope, key, period, "allow"), {"microusd": amount, "reason": reason})
    left = dollars(raised["left_microusd"])
    door.say(_sentence(f"{whose(scope, key)} has {left} left {now}. Waiting jobs continue."))


@budgets.command()
@_whom
@_PERIOD
@pass_door
def remove(door: Door, /, *, period: str, **whom: str | None) -> None:
    """Remove a budget."""
    scope, key = _scope(whom)
    door.api.delete(at("budgets", scope, key, period))
    door.say(_sentence(f"{whose(scope, key)} has no {Period(period).each} limit any more."))


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


def _show_budgets(door: Door, found: Sequence[Answer]) -> None:
    if not found:
        return
    right = {"justify": "right"}
    table = render.table("Budget", "Period", ("Limit", right), ("Spent", right), ("Reserved", right), ("Left", right),
                         "Paid calls")  # fmt: skip
    for one in found:
        left = Text(dollars(one["left_microusd"]), style="red" if one["left_microusd"] == 0 else "")
        render.row(table, whose(Scope(one["scope"]), one["name"] or one["key"]), one["period"],
                   dollars(one["limit_microusd"] + one["allowance_microusd"]), dollars(one["spent_microusd"]),
                   dollars(one["reserved_microusd"]), left, _calls(one))  # fmt: skip
    door.show(table)


def _calls(one: Answer) -> Text:
    if one["spent_at"] is None:
        return Text("allowed")
    since = datetime.fromisoformat(one["spent_at"])
    return Text(f"stopped since {since:%Y-%m-%d %H:%M} UTC", style="red")
