"""`fleet lamp`: the latest changes of lamps."""

from __future__ import annotations

import click

from fleet.cli.frame import render
from fleet.cli.frame.command import FleetCommand
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import json_option
from fleet.cli.frame.remote_call import Call
from fleet.core import clock
from fleet_lamp import queries

_COLUMNS = ("lamp", "colour", "why", "changed_at")


@click.command(cls=FleetCommand, remote=Call("GET", "/lamp/changes", {"limit": "limit"}, columns=_COLUMNS))
@click.option("--limit", type=click.IntRange(1, 200), default=20, show_default=True, help="Show so many.")
@json_option
@pass_door
def lamp(door: Door, /, *, limit: int, as_json: bool) -> None:
    """List the latest changes of all lamps."""
    with door.deps.db.transaction() as tx:
        found = queries.changes(tx, limit=limit)
    if as_json:
        from fleet_lamp.api import view  # loads a web framework

        door.json({"items": [view(row).model_dump(mode="json") for row in found]})
        return
    now = clock.now()
    table = render.table("Lamp", "Colour", "Because", "When")
    for row in found:
        render.row(table, row.lamp, row.colour, row.why, render.when(row.changed_at, now))
    door.show(table)
