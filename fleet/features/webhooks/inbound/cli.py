"""`fleet hooks sources`: who may tell the fleet something. A secret goes to standard output once, when it is made."""

from __future__ import annotations

from typing import Any

import click

from fleet.cli.frame import render
from fleet.cli.frame.api import Answer, at
from fleet.cli.frame.command import FleetGroup
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import TextType, json_option, yes_option
from fleet.core.errors import InvalidInput

_SHOWN = 20
_MOST_BYTES = 5_000
_NOT_AGAIN = "It is stored sealed and is not shown again."
_name = click.argument("name")
_given = click.option(
    "--secret-stdin", is_flag=True, help="Read the secret from standard input; otherwise one is created."
)


@click.group(cls=FleetGroup)
def sources() -> None:
    """Manage incoming webhooks: signed events sent to /hooks/in/NAME, each stored once."""


@sources.command("list")
@json_option
@pass_door
def list_(door: Door, /, *, as_json: bool) -> None:
    """List the sources."""
    found = door.api.get("/hooks/sources")
    if as_json:
        door.json(found)
        return
    if not found["items"]:
        door.show("There are no sources; `fleet hooks sources add NAME` creates one.")
        return
    table = render.table("Source", "Signature in", "State", "Description")
    for one in found["items"]:
        render.row(table, one["name"], one["header"], _state(one), one["description"])
    door.show(table)


@sources.command()
@_name
@click.option("--header", type=TextType(100), default="Fleet-Signature", show_default=True, help="Signature header.")
@click.option("--form", type=click.Choice(["plain", "stamped"]), default="plain", show_default=True,
              help="plain: the signature alone; stamped: `t=...,v1=...`, as Fleet's own.")  # fmt: skip
@click.option("--encoding", type=click.Choice(["hex", "base64"]), default="hex", show_default=True,
              help="Encoding of the signature.")  # fmt: skip
@click.option("--prefix", type=TextType(20), default="", help="Prefix of the signature, e.g. sha256=.")
@click.option("--timestamp-header", type=TextType(100), default="", help="Header of the signed timestamp.")
@click.option("--tolerance", "tolerance_s", type=click.IntRange(1, 86_400), default=300, show_default=True,
              help="Tolerance of the timestamp, in seconds.")  # fmt: skip
@click.option("--id-header", type=TextType(100), default="", help="Header of the message id.")
@click.option("--id-path", type=TextType(200), default="", help="Path of the message id in the JSON, e.g. data.id.")
@click.option("--description", type=TextType(200), default="", help="Description in lists.")
@_given
@pass_door
def add(door: Door, /, *, name: str, secret_stdin: bool, **fields: Any) -> None:
    """Create a source. NAME is part of the address that senders call."""
    made = door.api.post("/hooks/sources", {"name": name, **fields, "secret": _secret(door, secret_stdin)})
    _tell(door, made["secret"], f"{name} may call /hooks/in/{name}.", secret_stdin)


@sources.command()
@_name
@json_option
@pass_door
def show(door: Door, /, *, name: str, as_json: bool) -> None:
    """Show a source with its latest events."""
    found = door.api.get(at("hooks", "sources", name))
    received = door.api.list(at("hooks", "sources", name, "received"), limit=_SHOWN).items
    if as_json:
        door.json({**found, "received": received})
        return
    door.show(render.facts([
        ("Name", found["name"]), ("Calls", f"/hooks/in/{found['name']}"), ("State", _state(found)),
        ("Signature", f"{found['form']}, {found['encoding']}, in {found['header']}"),
        ("Sender's id", found["id_header"] or found["id_path"] or "the body itself"),
        ("Created", f"{render.when(found['created_at'])}, by {found['created_by']}"),
    ]))  # fmt: skip
    table = render.table("Id", "Sender's id", "When", "State", "Bytes", "Why")
    for one in received:
        render.row(table, one["id"][:8], render.clip(one["external_id"], 40), render.when(one["received_at"]),
                   one["state"], one["bytes"], render.clip(one["error"] or "", 80))  # fmt: skip
    door.show(table if received else "It has sent nothing yet.")


@sources.command()
@_name
@_given
@yes_option
@pass_door
def rotate(door: Door, /, *, name: str, secret_stdin: bool, yes: bool) -> None:
    """Rotate the secret; the old one is refused at once."""
    door.api.get(at("hooks", "sources", name))
    given = _secret(door, secret_stdin)
    door.confirm(f"Replace the secret of {name}?", yes=yes)
    made = door.api.post(at("hooks", "sources", name, "rotate"), {"secret": given})
    _tell(door, made["secret"], f"{name} has another secret.", secret_stdin)


@sources.command()
@_name
@pass_door
def on(door: Door, /, *, name: str) -> None:
    """Enable a source."""
    _switch(door, name, on=True)


@sources.command()
@_name
@pass_door
def off(door: Door, /, *, name: str) -> None:
    """Disable a source; its calls are refused."""
    _switch(door, name, on=False)


@sources.command()
@_name
@yes_option
@pass_door
def remove(door: Door, /, *, name: str, yes: bool) -> None:
    """Delete a source and all its received events."""
    door.api.get(at("hooks", "sources", name))
    door.confirm(f"Remove the source {name} and all its received events?", yes=yes)
    door.api.delete(at("hooks", "sources", name))
    door.say(f"{name} is removed.")


def _secret(door: Door, from_stdin: bool) -> str:
    """Return what stands on standard input, or nothing: then one is made."""
    if not from_stdin:
        return ""
    given = door.piped(_MOST_BYTES).strip()
    if not given:
        raise InvalidInput("Standard input holds no secret.", fix="Leave --secret-stdin away to have one made.")
    return given


def _tell(door: Door, secret: str, done: str, is_theirs: bool) -> None:
    if is_theirs:
        door.say(done)
        return
    door.note(f"{done} This is its secret. {_NOT_AGAIN}")
    click.echo(secret)


def _switch(door: Door, name: str, *, on: bool) -> None:
    changed = door.api.put(at("hooks", "sources", name, "active"), {"active": on})["changed"]
    word = "on" if on else "off"
    door.say(f"{name} is {word}." if changed else f"{name} was {word} already.")


def _state(one: Answer) -> str:
    return "on" if one["active"] else "off"
