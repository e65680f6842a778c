"""`fleet pricing`: rows over the API."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import click

from fleet.cli.frame import render
from fleet.cli.frame.api import Answer, at
from fleet.cli.frame.command import FleetGroup
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import PathType, TextType, json_option, list_options
from fleet.core.errors import InvalidInput, NotFound

_RIGHT: dict[str, Any] = {"justify": "right"}
_STATES = ("open", "applied", "dismissed", "expired", "overtaken", "undone")
_proposal = click.argument("proposal", type=click.UUID)
_organisation = click.option(
    "--organisation", type=TextType(60), default="", help="Name or id; your own without it."
)  # fmt: skip


@click.group(cls=FleetGroup, invoke_without_command=True)
@click.pass_context
def pricing(ctx: click.Context) -> None:
    """Propose prices, accept, dismiss and undo them; without a command, list the open proposals."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_prices)


@pricing.command()
@_organisation
@json_option
@pass_door
def propose(door: Door, /, *, organisation: str, as_json: bool) -> None:
    """Look at all prices now, and propose changes."""
    made = door.api.post("/price-proposals", {"organisation": organisation})
    if as_json:
        door.json(made)
        return
    door.say("The pricing agent looks at all prices; `fleet pricing list` shows its proposals.")


@pricing.command("list")
@click.option("--state", type=click.Choice(_STATES), default="open", show_default=True, help="State of the proposal.")
@click.option("--sku", type=TextType(100), default="", help="Only of this variant.")
@list_options()
@json_option
@pass_door
def list_prices(
    door: Door, /, *, state: str = "open", sku: str = "", limit: int = 20, cursor: str | None = None,
    as_json: bool = False,
) -> None:  # fmt: skip
    """List proposals of prices, newest first."""
    found = door.api.list("/price-proposals", limit=limit, cursor=cursor, state=state, sku=sku or None)
    if as_json:
        door.json(found.data())
        return
    table = render.table("SKU", ("Now", _RIGHT), ("Proposed", _RIGHT), ("Profit a day (80 %)", _RIGHT), "Evidence",
                         "State", "Id")  # fmt: skip
    for one in found.items:
        render.row(table, one["sku"] or one["title"], one["before"], f"{one['after']} {one['currency']}",
                   _profit(one["expected"]), render.clip(one["words"], 80), one["state"], one["id"])  # fmt: skip
    door.show(table)
    door.note(render.below(found, "proposals"))


@pricing.command()
@_proposal
@json_option
@pass_door
def accept(door: Door, /, *, proposal: uuid.UUID, as_json: bool) -> None:
    """Approve a proposal; stores get the price by their next sync."""
    _shown(door, door.api.post(at("price-proposals", str(proposal), "accept")), as_json)


@pricing.command()
@_proposal
@click.option("--reason", type=TextType(300), default="not now", show_default=True, help="Why.")
@json_option
@pass_door
def dismiss(door: Door, /, *, proposal: uuid.UUID, reason: str, as_json: bool) -> None:
    """Reject a proposal. Its variant is left alone for a week."""
    _shown(door, door.api.post(at("price-proposals", str(proposal), "dismiss"), {"reason": reason}), as_json)


@pricing.command()
@_proposal
@json_option
@pass_door
def undo(door: Door, /, *, proposal: uuid.UUID, as_json: bool) -> None:
    """Restore the price before an applied proposal."""
    _shown(door, door.api.post(at("price-proposals", str(proposal), "undo")), as_json)


@pricing.command("import-competitors")
@click.argument("file", type=PathType(path_type=Path))
@_organisation
@json_option
@pass_door
def import_competitors(door: Door, /, *, file: Path, organisation: str, as_json: bool) -> None:
    """Import prices of competitors: a CSV with sku, competitor, price, and perhaps seen_at. All lines, or none."""
    try:
        content = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise NotFound(f"There is no file {file}.", fix="Name a CSV file.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{file} cannot be read as UTF-8.", fix="Save it as CSV, UTF-8.") from error
    made = door.api.post("/pricing/competitors", {"organisation": organisation, "content": content})
    if as_json:
        door.json(made)
        return
    door.say(f"{made['imported']:,} prices of competitors are imported.")


@pricing.command()
@json_option
@pass_door
def results(door: Door, /, *, as_json: bool) -> None:
    """Show what applied prices earned a day against what was expected."""
    found = door.api.get("/pricing/results")
    if as_json:
        door.json(found)
        return
    table = render.table("SKU", ("Before", _RIGHT), ("After", _RIGHT), ("Expected (80 %)", _RIGHT),
                         ("Earned (80 %)", _RIGHT), "State")  # fmt: skip
    for one in found["items"]:
        earned = _profit(one["earned"]) if one["earned"] else "not yet known"
        render.row(table, one["sku"] or one["title"], one["before"], f"{one['after']} {one['currency']}",
                   _profit(one["expected"]), earned, one["state"])  # fmt: skip
    door.show(table)
    for one in found["totals"]:
        door.say(f"{one['measured']} prices in {one['currency']}: earned {_profit(one['earned'])} a day, "
                 f"expected {_profit(one['expected'])}")  # fmt: skip


def _profit(one: Answer) -> str:
    return "unknown" if one["profit"] is None else f"{one['profit']} ({one['low']} to {one['high']})"


def _shown(door: Door, one: Answer, as_json: bool) -> None:
    if as_json:
        door.json(one)
        return
    door.say(f"The proposal for {one['sku'] or one['title']} ({one['before']} to {one['after']} {one['currency']}) "
             f"is {one['state']}.")  # fmt: skip
