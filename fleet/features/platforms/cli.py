"""`fleet inbox` and `fleet opt-outs`: rows over the API."""

from __future__ import annotations

import click

from fleet.cli.frame import render
from fleet.cli.frame.api import at
from fleet.cli.frame.command import FleetGroup
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import REASON, TextType, json_option, list_options

_STATES = ("open", "answered", "proposed", "ignored", "noted", "opted_out")
_STYLES = {"open": "yellow", "answered": "green", "proposed": "cyan", "opted_out": "red"}
_id = click.argument("item_id", metavar="ID", type=click.UUID)


@click.group(cls=FleetGroup, invoke_without_command=True)
@click.pass_context
def inbox(ctx: click.Context) -> None:
    """Show mentions and replies to agents of platforms; without a command, list them."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_inbox)


@inbox.command("list")
@click.option("--agent", type=TextType(60), help="Username of the agent.")
@click.option("--state", type=click.Choice(_STATES), help="What became of it.")
@click.option("--search", type=TextType(100), default="", help="Words of the text, or its author.")
@list_options()
@json_option
@pass_door
def list_inbox(
    door: Door, /, *, agent: str | None, state: str | None, search: str, limit: int, cursor: str | None, as_json: bool
) -> None:
    """List notifications, newest first."""
    found = door.api.list("/inbox", limit=limit, cursor=cursor, agent=agent, state=state, search=search or None)
    if as_json:
        door.json(found.data())
        return
    table = render.table("Id", "Agent", "Author", "Kind", "Text", "State", "When")
    for one in found.items:
        state_words = one["state"].replace("_", " ") + (f": {one['reason']}" if one["reason"] else "")
        render.row(table, one["id"][:8], one["agent"], render.clip(one["author"], 30), one["kind"],
                   render.clip(one["text"], 60), render.words(state_words, _STYLES.get(one["state"], "dim")),
                   render.when(one["said_at"]))  # fmt: skip
    door.show(table)
    door.note(render.below(found, "notifications"))


@inbox.command()
@_id
@json_option
@pass_door
def show(door: Door, /, *, item_id: object, as_json: bool) -> None:
    """Show one notification and its answer."""
    one = door.api.get(at("inbox", str(item_id)))
    if as_json:
        door.json(one)
        return
    door.show(render.facts([
        ("Agent", f"{one['agent']} on {one['surface']}"), ("Author", one["author"]), ("Kind", one["kind"]),
        ("Text", one["text"]), ("Address", one["url"] or "none"), ("When", render.when(one["said_at"])),
        ("State", one["state"].replace("_", " ")), ("Reason", one["reason"] or "none"),
        ("Job", f"{one['job_id']} ({one['job_state']})" if one["job_id"] else "none"),
        ("Answer", one["answer"] or "none"),
    ]))  # fmt: skip


@inbox.command()
@_id
@pass_door
def ignore(door: Door, /, *, item_id: object) -> None:
    """Close an open notification without an answer."""
    door.api.post(at("inbox", str(item_id), "ignore"), {})
    door.say("It is not answered.")


@click.group("opt-outs", cls=FleetGroup, invoke_without_command=True)
@click.pass_context
def opt_outs(ctx: click.Context) -> None:
    """Manage the people who want to be left alone; without a command, list them.

    Agents add people who ask for it themselves.
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_opt_outs)


@opt_outs.command("list")
@click.option("--search", type=TextType(100), default="", help="Part of a username.")
@list_options()
@json_option
@pass_door
def list_opt_outs(door: Door, /, *, search: str, limit: int, cursor: str | None, as_json: bool) -> None:
    """List the people whom no agent approaches, newest first."""
    found = door.api.list("/opt-outs", limit=limit, cursor=cursor, search=search or None)
    if as_json:
        door.json(found.data())
        return
    table = render.table("Id", "Surface", "User", "Since", "Added by", "Reason")
    for one in found.items:
        render.row(table, one["id"], one["surface"], render.clip(one["username"], 40), render.when(one["since"]),
                   one["added_by"], render.clip(one["reason"], 60))  # fmt: skip
    door.show(table)
    door.note(render.below(found, "opt-outs"))


@opt_outs.command()
@click.argument("surface", type=TextType(40))
@click.argument("username", type=TextType(200))
@click.option("--reason", type=REASON, default="", help="Reason; kept with the entry.")
@pass_door
def add(door: Door, /, *, surface: str, username: str, reason: str) -> None:
    """Have the whole fleet leave USERNAME of SURFACE alone, at once."""
    added = door.api.post("/opt-outs", {"surface": surface, "username": username, "reason": reason})["added"]
    door.say(f"No agent approaches {username}." if added else f"{username} is on the list already.")


@opt_outs.command()
@_id
@pass_door
def remove(door: Door, /, *, item_id: object) -> None:
    """Remove a person from the list."""
    door.api.delete(at("opt-outs", str(item_id)))
    door.say("Agents may approach them again.")
