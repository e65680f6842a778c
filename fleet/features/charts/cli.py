"""`fleet stats`: actions, failures, lateness, queue and cost over time."""

from __future__ import annotations

from datetime import datetime

import click
from rich.text import Text

from fleet.cli.frame import render
from fleet.cli.frame.api import Answer
from fleet.cli.frame.command import FleetCommand
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import json_option
from fleet.spending.budgets import dollars

RANGES = ("1h", "24h", "7d", "30d")
_RIGHT = {"justify": "right"}


@click.command(cls=FleetCommand)
@click.option("--range", "range_", type=click.Choice(RANGES), default="24h", show_default=True, help="How far back.")
@json_option
@pass_door
def stats(door: Door, /, *, range_: str, as_json: bool) -> None:
    """Show actions, failures, lateness, queue and cost over time.

    Times are UTC. The last row is under way.
    """
    found = door.api.get("/stats", range=range_)
    if as_json:
        door.json(found)
        return
    names = ("Actions", "Failing", "Given up", "Late p50", "Late p95", "Queue", "Cost")
    table = render.table("From", *((name, _RIGHT) for name in names))
    for one in found["buckets"]:
        render.row(table, _moment(one["start"]), *_cells(one["measures"], one["queue_most"]))
    most = max((one["queue_most"] for one in found["buckets"] if one["queue_most"] is not None), default=None)
    render.row(table, Text("All", "bold"), *_cells(found["sums"], most))
    door.show(table)


def _cells(one: Answer | None, queue: int | None) -> list[object]:
    waiting = "–" if queue is None else f"{queue:,}"
    if one is None:
        return [*("–" for _ in range(5)), waiting, "–"]
    return [
        f"{one['actions']:,}", _count(one["failing"], "yellow"), _count(one["given_up"], "bold red"),
        _late(one["late_p50_s"]), _late(one["late_p95_s"]), waiting, _cost(one["microusd"]),
    ]  # fmt: skip


def _moment(written: str) -> str:
    return f"{datetime.fromisoformat(written):%Y-%m-%d %H:%M}"


def _count(number: int, style: str) -> Text:
    return Text(f"{number:,}", style) if number else Text("·", "dim")


def _cost(microusd: int | None) -> str:
    return "–" if microusd is None else dollars(microusd)


def _late(seconds: float | None) -> str:
    return "–" if seconds is None else render.span(seconds)
