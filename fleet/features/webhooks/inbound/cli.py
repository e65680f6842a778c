"""`fleet hooks sources`: who may tell the fleet something. A secret goes to standard output once, when it is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import click
from rich.table import Table

from fleet.cli.frame import render
from fleet.cli.frame.command import FleetGroup
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import TextType, json_option, yes_option
from fleet.core import clock
from fleet.core.errors import InvalidInput
from fleet.features.webhooks.inbound import service as receiving

if TYPE_CHECKING:
    from fleet.features.webhooks.sources import InboundSource, ReceivedItem

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
    found = receiving.listed(door.deps)
    if as_json:
        door.json({"items": [_data(one) for one in found]})
        return
    if not found:
        door.show("There are no sources; `fleet hooks sources add NAME` creates one.")
        return
    table: Table = render.table("Source", "Signature in", "State", "Description")
    for one in found:
        render.row(table, one.name, one.scheme.header, _state(one), one.description)
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
def add(door: Door, /, *, name: str, header: str, form: Literal["plain", "stamped"],
        encoding: Literal["hex", "base64"], prefix: str, timestamp_header: str, tolerance_s: int, id_header: str,
        id_path: str, description: str, secret_stdin: bool) -> None:  # fmt: skip
    """Create a source. NAME is part of the address that senders call."""
    from fleet.features.webhooks.signatures import Scheme

    scheme = Scheme(form, header, encoding, prefix, timestamp_header, tolerance_s)
    wanted = receiving.SourceFields(name, scheme, description, id_header, id_path, _secret(door, secret_stdin))
    _tell(door, receiving.create(door.deps, wanted, by=door.by), f"{name} may call /hooks/in/{name}.", secret_stdin)


@sources.command()
@_name
@json_option
@pass_door
def show(door: Door, /, *, name: str, as_json: bool) -> None:
    """Show a source with its latest events."""
    found = receiving.get(door.deps, name)
    told = receiving.history(door.deps, name, limit=_SHOWN)
    if as_json:
        door.json({**_data(found), "received": [_received(one) for one in told]})
        return
    now, scheme = clock.now(), found.scheme
    door.show(render.facts([
        ("Name", found.name), ("Calls", f"/hooks/in/{found.name}"), ("State", _state(found)),
        ("Signature", f"{scheme.form}, {scheme.encoding}, in {scheme.header}"),
        ("Sender's id", found.id_header or found.id_path or "the body itself"),
        ("Made", f"{render.when(found.created_at, now)}, by {found.created_by}"),
    ]))  # fmt: skip
    table: Table = render.table("Id", "Sender's id", "When", "State", "Bytes", "Why")
    for one in told:
        render.row(table, str(one.id)[:8], render.clip(one.external_id, 40), render.when(one.received_at, now),
                   one.state, one.size_bytes, render.clip(one.error or "", 80))  # fmt: skip
    door.show(table if told else "It has sent nothing yet.")


@sources.command()
@_name
@_given
@yes_option
@pass_door
def rotate(door: Door, /, *, name: str, secret_stdin: bool, yes: bool) -> None:
    """Rotate the secret; the old one is refused at once."""
    receiving.get(door.deps, name)
    given = _secret(door, secret_stdin)
    door.confirm(f"Keep another secret for {name}?", yes=yes)
    _tell(door, receiving.change_secret(door.deps, name, given, by=door.by), f"{name} has another secret.",
          secret_stdin)  # fmt: skip


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
    receiving.get(door.deps, name)
    door.confirm(f"Remove the source {name} and all its received events?", yes=yes)
    receiving.remove(door.deps, name, by=door.by)
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
    changed = receiving.switch(door.deps, name, on=on, by=door.by)
    word = "on" if on else "off"
    door.say(f"{name} is {word}." if changed else f"{name} was {word} already.")


def _state(one: InboundSource) -> str:
    return "on" if one.active else "off"


def _data(one: InboundSource) -> dict[str, Any]:
    scheme = one.scheme
    return {
        "name": one.name, "description": one.description, "active": one.active, "form": scheme.form,
        "header": scheme.header, "encoding": scheme.encoding, "prefix": scheme.prefix,
        "timestamp_header": scheme.timestamp_header, "tolerance_s": scheme.tolerance_s, "id_header": one.id_header,
        "id_path": one.id_path, "created_by": one.created_by, "created_at": one.created_at,
    }  # fmt: skip


def _received(one: ReceivedItem) -> dict[str, Any]:
    return {
        "id": one.id, "external_id": one.external_id, "state": one.state, "content_type": one.content_type,
        "bytes": one.size_bytes, "received_at": one.received_at, "processed_at": one.processed_at, "error": one.error,
    }  # fmt: skip
