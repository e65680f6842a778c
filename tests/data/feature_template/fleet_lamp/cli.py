"""`fleet lamp`: the latest changes of lamps."""

from __future__ import annotations

import click

from fleet.cli.frame import render
from fleet.cli.frame.command import FleetCommand
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import json_option, list_options


@click.command(cls=FleetCommand)
@list_options()
@json_option
@pass_door
def lamp(door: Door, /, *, limit: int, cursor: str | None, as_json: bool) -> None:
    """List the latest changes of all lamps."""
    found = door.api.list("/lamp/changes", limit=limit, cursor=cursor)
    if as_json:
        door.json(found.data())
        return
    table = render.table("Lamp", "Colour", "Because", "When")
    for one in found.items:
        render.row(table, one["lamp"], one["colour"], one["why"], render.when(one["changed_at"]))
    door.show(table)
    door.note(render.below(found, "changes"))
