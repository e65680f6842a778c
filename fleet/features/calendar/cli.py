"""`fleet calendar`: list entries; move, cancel and duplicate one. Rows over the API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from fleet.cli.frame import render
from fleet.cli.frame.api import Answer, at
from fleet.cli.frame.command import FleetGroup
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import AGENT, MOMENT, TextType, json_option, list_options

F = TypeVar("F", bound=Callable[..., Any])
_LAYERS = click.Choice(["past", "planned", "proposed"])
_STYLES = {"past": "green", "planned": "blue", "proposed": "yellow"}


def _named(command: F) -> F:
    """Add the arguments that name an entry."""
    named = click.argument("entry_id", metavar="ID", type=click.UUID)(command)
    return click.argument("source", metavar="SOURCE", type=TextType(40))(named)


@click.group(cls=FleetGroup, invoke_without_command=True)
@click.pass_context
def calendar(ctx: click.Context) -> None:
    """Show what is published, planned and proposed; without a command, list the next 31 days.

    An entry is named by its source and its id, as `list` shows them.
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_entries)


@calendar.command("list")
@click.option("--from", "start", type=MOMENT, help="Entries of that time or later; now by default.")
@click.option("--before", "end", type=MOMENT, help="Entries before that time; 31 days later by default.")
@click.option("--layer", type=_LAYERS, multiple=True, help="Only past, planned or proposed ones; may be repeated.")
@click.option("--network", "surface", type=TextType(40), default="", help="Only of this network (adapter).")
@click.option("--account", type=TextType(60), default="", help="Only of this account (name or id).")
@click.option("--agent", type=AGENT, help="Only of this agent (username or id).")
@click.option("--all-kinds", is_flag=True, help="Also comments, likes and other public actions.")
@list_options()
@json_option
@pass_door
def list_entries(door: Door, /, *, as_json: bool, all_kinds: bool = False, **query: Any) -> None:
    """List entries in the order of their times."""
    wanted = {name: value for name, value in query.items() if value not in ("", ())}
    found = door.api.list("/calendar", all_kinds="true" if all_kinds else None, **wanted)
    if as_json:
        door.json(found.data())
        return
    table = render.table("Time", "Source", "Id", "Kind", "State", "Agent", "Network", ("Text", render.ABOUT))
    for one in found.items:
        render.row(table, one["at"][:16].replace("T", " "), one["source"], one["id"], one["kind"],
                   render.words(one["state"], _STYLES[one["layer"]]), one["agent"] or "–", one["surface"],
                   render.clip(one["note"] or one["title"], 80))  # fmt: skip
    door.show(table)
    door.note(render.below(found, "entries"))


@calendar.command()
@_named
@json_option
@pass_door
def show(door: Door, /, *, source: str, entry_id: object, as_json: bool) -> None:
    """Show one entry."""
    one = door.api.get(_path(source, entry_id))
    if as_json:
        door.json(one)
        return
    door.show(render.facts([
        ("Time", one["at"]), ("Kind", one["kind"]), ("State", f"{one['state']} ({one['layer']})"),
        ("Agent", one["agent"] or "–"), ("Network", one["surface"]), ("Account", one["account"] or "–"),
        ("Text", one["title"] or "–"), ("Note", one["note"] or "–"), ("You can", ", ".join(one["verbs"]) or "nothing"),
    ]))  # fmt: skip


@calendar.command()
@_named
@click.option("--at", "at_", type=MOMENT, help="The new time.")
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="A day on which it keeps its time of day.")
@click.option("--hour", type=click.IntRange(0, 23), help="An hour of that day.")
@click.option("--zone", type=TextType(60), default="UTC", show_default=True, help="The zone of --day and --hour.")
@json_option
@pass_door
def move(door: Door, /, *, source: str, entry_id: object, at_: str | None, day: Any, as_json: bool, **to: Any) -> None:
    """Have an entry happen at another time."""
    wanted = {"at": at_} if at_ else {"day": f"{day:%Y-%m-%d}" if day else None, **to}
    told = door.api.post(_path(source, entry_id, "move"), wanted)
    if as_json:
        door.json(told)
        return
    door.say(f"It is at {told['entry']['at']} now. {told['note']}".rstrip())


@calendar.command()
@_named
@pass_door
def cancel(door: Door, /, *, source: str, entry_id: object) -> None:
    """Have an entry not happen."""
    one = door.api.post(_path(source, entry_id, "cancel"), {})
    door.say(f"The {one['kind']} is cancelled.")


@calendar.command()
@_named
@click.option("--at", "at_", type=MOMENT, required=True, help="The time of the copy.")
@json_option
@pass_door
def duplicate(door: Door, /, *, source: str, entry_id: object, at_: str, as_json: bool) -> None:
    """Make another entry with the same content."""
    one: Answer = door.api.post(_path(source, entry_id, "duplicate"), {"at": at_})
    if as_json:
        door.json(one)
        return
    door.say(f"{one['id']} is planned for {one['at']}.")


def _path(source: str, entry_id: object, *verb: str) -> str:
    return at("calendar", "entries", source, str(entry_id), *verb)
