"""`fleet competitors`: figures of competitors over the API."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from fleet.cli.frame import render
from fleet.cli.frame.command import FleetGroup
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import PathType, TextType, json_option, list_options
from fleet.core.errors import InvalidInput, NotFound

_MOST_BYTES = 900_000
_organisation = click.option("--organisation", type=TextType(60), default="", help="Name or id; by default your own.")
_network = click.option("--network", type=TextType(40), default="", help="Only on this network.")
_RIGHT = {"justify": "right"}


@click.group(cls=FleetGroup, invoke_without_command=True)
@click.pass_context
def competitors(ctx: click.Context) -> None:
    """Compare own figures with those of competitors, and import them; without a command, compare them."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_competitors)


@competitors.command("list")
@click.option("--days", type=click.IntRange(1, 800), default=30, show_default=True, help="Length of the period.")
@_network
@_organisation
@json_option
@pass_door
def list_competitors(door: Door, /, *, days: int, network: str, organisation: str, as_json: bool) -> None:
    """Show own figures beside those of competitors, by network."""
    found = door.api.get(
        "/competitors", days=days, network=network or None, organisation=organisation or None
    )  # fmt: skip
    if as_json:
        door.json(found)
        return
    table = render.table("Network", "Name", *((name, _RIGHT) for name in ("Followers", "Gained", "Growth %", "Posts",
                                                                          "Interactions", "A post")))  # fmt: skip
    for one in found["items"]:
        percent, per_post = (None if one[name] is None else f"{one[name]:.1f}" for name in ("growth", "per_post"))
        render.row(table, one["network"], render.clip(one["name"], 40), one["followers"], one["gained"], percent,
                   one["posts"], one["interactions"], per_post)  # fmt: skip
    door.show(table)
    if not found["stored"]:
        door.note("No figures of competitors are imported yet: `fleet competitors import FILE`.")


@competitors.command("days")
@click.option("--competitor", type=TextType(100), default="", help="Only of this competitor.")
@_network
@_organisation
@list_options()
@json_option
@pass_door
def list_days(
    door: Door, /, *, competitor: str, network: str, organisation: str, limit: int, cursor: str | None, as_json: bool
) -> None:
    """List the imported figures by day, newest first."""
    found = door.api.list(
        "/competitors/days", limit=limit, cursor=cursor, competitor=competitor or None, network=network or None,
        organisation=organisation or None,
    )  # fmt: skip
    if as_json:
        door.json(found.data())
        return
    table = render.table("Day", "Competitor", "Network", ("Followers", _RIGHT), ("Posts", _RIGHT),
                         ("Interactions", _RIGHT))  # fmt: skip
    for one in found.items:
        counts = (one[name] for name in ("followers", "posts", "interactions"))
        render.row(table, one["day"], render.clip(one["competitor"], 40), one["network"], *counts)
    door.show(table)
    door.note(render.below(found, "days"))


@competitors.command("import")
@click.argument("file", type=PathType(path_type=Path))
@click.option("--preview", is_flag=True, help="Store nothing; show the problems of all lines.")
@_organisation
@json_option
@pass_door
def import_file(door: Door, /, *, file: Path, preview: bool, organisation: str, as_json: bool) -> None:
    """Import the figures of FILE, a CSV, all lines or none.

    Its first line names competitor, network, date, and at least one of followers, posts and interactions.
    """
    body = {"csv": _read(file), "preview": preview, "organisation": organisation}
    made = door.api.post("/competitors/imports", body)
    if as_json:
        door.json(made)
        return
    for one in made["problems"]:
        door.say(f"Line {one['line']}: {one['why']}")
    if made["problems"]:
        door.say("Nothing would be imported.")
        return
    verb = "would be " if preview else ""
    door.say(f"{made['new']} days {verb}new, {made['replaced']} {verb}replaced, {made['unchanged']} unchanged.")


@competitors.command()
@click.argument("competitor", type=TextType(100))
@_network
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="Only of this day.")
@_organisation
@json_option
@pass_door
def remove(
    door: Door, /, *, competitor: str, network: str, day: datetime | None, organisation: str, as_json: bool
) -> None:
    """Delete the figures of COMPETITOR."""
    made = door.api.delete(
        "/competitors", competitor=competitor, network=network or None, organisation=organisation or None,
        day=None if day is None else day.date().isoformat(),
    )  # fmt: skip
    if as_json:
        door.json(made)
        return
    door.say(f"{made['removed']} days of {competitor} are removed.")


def _read(file: Path) -> str:
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        raise NotFound(f"There is no file {file}.", fix="Name a CSV file.") from None
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read: {error.strerror}", fix="Name a CSV file of yours.") from error
    if len(data) > _MOST_BYTES:
        raise InvalidInput(f"{file.name} has more than {_MOST_BYTES:,} bytes.", fix="Split it.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{file.name} is no CSV in UTF-8: {error}", fix="Save it as CSV, UTF-8.") from error
