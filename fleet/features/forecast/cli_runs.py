"""`fleet forecast run, show, proposals, accept, dismiss`: rows over the API."""

from __future__ import annotations

import uuid
from typing import Any

import click

from fleet.cli.frame import render
from fleet.cli.frame.api import at
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import TextType, json_option, list_options
from fleet.features.forecast.cli import forecast

_RIGHT: dict[str, Any] = {"justify": "right"}
_STATES = ("open", "accepted", "dismissed", "outdated")
_proposal = click.argument("proposal", type=click.UUID)
_note = click.option("--note", type=TextType(300), default="", help="Why.")


@forecast.command("run")
@click.option("--organisation", type=TextType(60), default="", help="Name or id; your own without it.")
@json_option
@pass_door
def run_forecast(door: Door, /, *, organisation: str, as_json: bool) -> None:
    """Forecast the demand of the fleet's own variants now, from its orders and stock."""
    made = door.api.post("/forecasts", {"organisation": organisation})
    if as_json:
        door.json(made)
        return
    door.say(f"The forecast {made['job_id']} is being made; `fleet forecast show` shows it.")


@forecast.command()
@click.argument("run", type=click.UUID, required=False)
@click.option("--sku", type=TextType(100), default="", help="Only of this variant.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="Number of rows.")
@json_option
@pass_door
def show(door: Door, /, *, run: uuid.UUID | None, sku: str, limit: int, as_json: bool) -> None:
    """Show a forecast, the newest one without RUN, with its quality and what was sold since."""
    found = door.api.get(at("forecasts", str(run or "newest")), sku=sku or None, limit=limit)
    if as_json:
        door.json(found)
        return
    door.say(f"Forecast {found['id']} from orders until {found['until']}: the next {found['days']} days")
    table = render.table("SKU", "Location", "Method", ("Expected", _RIGHT), ("80 % interval", _RIGHT),
                         ("RMSSE", _RIGHT), ("Naive", _RIGHT), ("Zero", _RIGHT), ("Sold", _RIGHT))  # fmt: skip
    for one in found["items"]:
        interval = "unknown" if one["low"] is None else f"{one['low']:,.0f} to {one['high']:,.0f}"
        figures = [_figure(one["scores"], name) for name in ("fleet", "seasonal naive", "zero")]
        sold = "not yet" if one["actual"] is None else f"{one['actual']:,}"
        render.row(table, one["sku"] or one["title"], one["location"], one["method"], f"{one['total']:,.1f}", interval,
                   *figures, sold)  # fmt: skip
    door.show(table)
    if found["with_interval"]:
        door.note(f"{found['inside']} of {found['with_interval']} totals were in their interval of 80 %.")


@forecast.command()
@click.option("--state", type=click.Choice(_STATES), default="open", show_default=True, help="State of the proposal.")
@list_options()
@json_option
@pass_door
def proposals(door: Door, /, *, state: str, limit: int, cursor: str | None, as_json: bool) -> None:
    """List proposals to reorder, newest first."""
    found = door.api.list("/reorder-proposals", limit=limit, cursor=cursor, state=state)
    if as_json:
        door.json(found.data())
        return
    table = render.table("SKU", "Location", ("Order", _RIGHT), "Reason", "State", "Id")
    for one in found.items:
        render.row(table, one["sku"] or one["title"], one["location"], f"{one['units']:,}", one["reason"],
                   one["state"], one["id"])  # fmt: skip
    door.show(table)
    door.note(render.below(found, "proposals"))


@forecast.command()
@_proposal
@_note
@json_option
@pass_door
def accept(door: Door, /, *, proposal: uuid.UUID, note: str, as_json: bool) -> None:
    """Accept a proposal: you order the units. They count as on order until their lead time is over."""
    _decide(door, proposal, "accept", note, as_json)


@forecast.command()
@_proposal
@_note
@json_option
@pass_door
def dismiss(door: Door, /, *, proposal: uuid.UUID, note: str, as_json: bool) -> None:
    """Dismiss a proposal."""
    _decide(door, proposal, "dismiss", note, as_json)


def _decide(door: Door, proposal: uuid.UUID, verb: str, note: str, as_json: bool) -> None:
    one = door.api.post(at("reorder-proposals", str(proposal), verb), {"note": note})
    if as_json:
        door.json(one)
        return
    door.say(f"The order of {one['units']:,} {one['sku'] or one['title']} is {one['state']}.")


def _figure(scores: Any, name: str) -> str:
    value = scores.get(name, {}).get("rmsse")
    return "–" if value is None else f"{value:.2f}"


__all__ = ["forecast"]
