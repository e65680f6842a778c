"""`fleet search`: agents, jobs, accounts and pages by name or text."""

from __future__ import annotations

import click

from fleet.cli.frame import render
from fleet.cli.frame.command import FleetCommand
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import json_option


@click.command(cls=FleetCommand)
@click.argument("words", nargs=-1, required=True)
@json_option
@pass_door
def search(door: Door, /, *, words: tuple[str, ...], as_json: bool) -> None:
    """Find agents, jobs, accounts and pages.

    WORDS are a name, a text of a job, or the beginning of a job's id.
    """
    found = door.api.get("/search", q=" ".join(words))
    if as_json:
        door.json(found)
        return
    table = render.table("Kind", "Name", ("About", render.ABOUT), "Page")
    for group in found["groups"]:
        for hit in group["hits"]:
            render.row(table, group["name"], hit["label"], hit["note"], hit["href"])
    if found["groups"]:
        door.show(table)
    else:
        door.note("Nothing matches.")
