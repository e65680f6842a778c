"""`fleet events`: code that hears of events through the entry point group `fleet.events`, and how far it has come."""

from __future__ import annotations

import click
from rich.table import Table

from fleet.cli.frame import render
from fleet.cli.frame.command import FleetGroup
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import json_option, yes_option
from fleet.core import clock
from fleet.engine.events import positions
from fleet.features.webhooks.subscribers import in_code as bus


@click.group(cls=FleetGroup)
def events() -> None:
    """Show event subscribers, and replay events to them."""


@events.command()
@json_option
@pass_door
def subscribers(door: Door, /, *, as_json: bool) -> None:
    """List subscribers with their positions."""
    found = bus.listed(door.deps)
    if as_json:
        items = [
            {"name": one.name, "subjects": one.subjects,
             "position": positions.written(one.reader.at) if one.reader else None,
             "moved_at": one.reader.moved_at if one.reader else None, "parked": one.reader.parked if one.reader else 0,
             "last_error": one.reader.last_error if one.reader else None}
            for one in found
        ]  # fmt: skip
        door.json({"items": items})
        return
    if not found:
        door.show("There are no subscribers; docs/webhooks.md explains how to write one.")
        return
    now = clock.now()
    table: Table = render.table("Subscriber", "Subjects", "Position", "Moved", "Parked")
    for one in found:
        reader = one.reader
        subjects = "not installed here" if one.subjects is None else ", ".join(one.subjects)
        stands = ("", "never", 0) if reader is None else (
            positions.written(reader.at), render.when(reader.moved_at, now), reader.parked
        )  # fmt: skip
        render.row(table, one.name, subjects, *stands)
    door.show(table)


@events.command()
@click.option("--subscriber", required=True, metavar="NAME", help="Subscriber.")
@click.option("--from", "position", required=True, metavar="TXID-ID",
              help="Position; 0-0 is before all events.")  # fmt: skip
@yes_option
@pass_door
def replay(door: Door, /, *, subscriber: str, position: str, yes: bool) -> None:
    """Replay events after a position to a subscriber. It must accept repeats."""
    to = positions.read(position)
    door.confirm(f"Let {subscriber} hear again of everything after {positions.written(to)}?", yes=yes)
    stood = bus.replay(door.deps, subscriber, to, by=door.by)
    door.say(f"{subscriber} stood at {positions.written(stood)} and begins again after {positions.written(to)}.")
