"""`fleet events`: code that receives events through the entry point group `fleet.events`, and its positions."""

from __future__ import annotations

import click

from fleet.cli.frame import render
from fleet.cli.frame.api import at
from fleet.cli.frame.command import FleetGroup
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import json_option, yes_option


@click.group(cls=FleetGroup)
def events() -> None:
    """Show event subscribers, and replay events to them."""


@events.command()
@json_option
@pass_door
def subscribers(door: Door, /, *, as_json: bool) -> None:
    """List subscribers with their positions."""
    found = door.api.get("/subscribers")
    if as_json:
        door.json(found)
        return
    if not found["items"]:
        door.show("There are no subscribers; docs/webhooks.md explains how to write one.")
        return
    table = render.table("Subscriber", "Subjects", "Position", "Moved", "Parked")
    for one in found["items"]:
        subjects = "not installed here" if one["subjects"] is None else ", ".join(one["subjects"])
        moved = render.when(one["moved_at"]) if one["moved_at"] else "never"
        render.row(table, one["name"], subjects, one["position"] or "", moved, one["parked"])
    door.show(table)


@events.command()
@click.option("--subscriber", required=True, metavar="NAME", help="Subscriber.")
@click.option("--from", "position", required=True, metavar="TXID-ID",
              help="Position; 0-0 is before all events.")  # fmt: skip
@yes_option
@pass_door
def replay(door: Door, /, *, subscriber: str, position: str, yes: bool) -> None:
    """Replay events after a position to a subscriber. It must accept repeats."""
    door.confirm(f"Replay all events after {position} to {subscriber}?", yes=yes)
    done = door.api.post(at("subscribers", subscriber, "replay"), {"position": position})
    door.say(f"{subscriber} stood at {done['before']} and begins again after {done['position']}.")
