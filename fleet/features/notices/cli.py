"""`fleet notify`: addresses of users, a test message, what users are told and when."""

from __future__ import annotations

import sys
from typing import Any

import click

from fleet.cli.frame import render
from fleet.cli.frame.api import at
from fleet.cli.frame.command import FleetCommand, FleetGroup
from fleet.cli.frame.context import Door, is_terminal, pass_door
from fleet.cli.frame.options import TextType, json_option, yes_option
from fleet.features.notices.topics import Topic

_MOST_BYTES = 2_000
_TOPICS = click.Choice([str(one) for one in Topic])
_USER = click.option("--user", type=TextType(60), help="User; with --server always you.")
_HOUR = click.IntRange(0, 23)
_ID = click.argument("address_id", metavar="ID", type=click.UUID)


@click.group(cls=FleetGroup)
def notify() -> None:
    """Add, test and remove addresses of users, and choose the topics of their notices."""


@notify.command("list", cls=FleetCommand)
@_USER
@json_option
@pass_door
def list_(door: Door, /, *, user: str | None, as_json: bool) -> None:
    """List a user's addresses and choices; an address is shown in part."""
    found = door.api.get("/notify", user=user)
    if as_json:
        door.json(found)
        return
    quiet = "none" if found["quiet_from"] is None else f"{found['quiet_from']}:00 to {found['quiet_until']}:00"
    door.show(
        render.facts(
            [
                ("User", found["user"]),
                ("Told of", ", ".join(found["topics"]) or "nothing"),
                ("Zone", found["zone"]),
                ("Quiet hours", quiet),
                ("Digest at", f"{found['digest_hour']}:00" if "digest" in found["topics"] else None),
            ]
        )
    )
    if not found["addresses"]:
        door.note("No address: nothing is sent. `fleet notify add` adds one.")
        return
    table = render.table(("Id", {"min_width": 36}), "Address", "Last message")
    for one in found["addresses"]:
        render.row(table, one["id"], one["shown"], render.when(one["last_sent_at"]) if one["last_sent_at"] else "never")
    door.show(table)


@notify.command(cls=FleetCommand)
@_USER
@pass_door
def add(door: Door, /, *, user: str | None) -> None:
    """Add an address. Asks for it, or reads it from standard input: it may hold a secret."""
    typed = click.prompt("Address", err=True) if is_terminal(sys.stdin) else door.piped(_MOST_BYTES)
    made = door.api.post("/notify/addresses", {"address": str(typed).strip()}, user=user)
    door.say(f"{made['shown']} is added as {made['id']}.")
    door.note(f"`fleet notify test {made['id']}` sends a test message.")


@notify.command(cls=FleetCommand)
@_ID
@_USER
@pass_door
def test(door: Door, /, *, address_id: object, user: str | None) -> None:
    """Send a test message to an address."""
    job = door.api.post(at("notify", "addresses", address_id, "test"), user=user)["job_id"]
    door.say(f"A test message is on its way: `fleet jobs show {job}`.")


@notify.command(cls=FleetCommand)
@_ID
@_USER
@yes_option
@pass_door
def remove(door: Door, /, *, address_id: object, user: str | None, yes: bool) -> None:
    """Remove an address (asks)."""
    door.confirm("Remove this address? Nothing is sent there any more.", yes=yes)
    door.api.delete(at("notify", "addresses", address_id), user=user)
    door.say("The address is removed.")


@notify.command(cls=FleetCommand)
@_USER
@click.option("--topic", "topics", type=_TOPICS, multiple=True, help="Topic of notices; may be repeated.")
@click.option("--no-topics", is_flag=True, help="No topics.")
@click.option("--zone", type=TextType(60), help="Time zone, e.g. Europe/Zurich.")
@click.option(
    "--quiet-hours", "hours", type=(_HOUR, _HOUR), metavar="FROM UNTIL", help="Hours in which messages wait, e.g. 22 7."
)
@click.option("--no-quiet-hours", "no_hours", is_flag=True, help="Messages wait at no hour.")
@click.option("--digest-hour", type=_HOUR, help="The hour of the daily digest.")
@pass_door
def choose(door: Door, /, *, user: str | None, topics: tuple[str, ...], no_topics: bool,
           hours: tuple[int, int] | None, no_hours: bool, **given: Any) -> None:  # fmt: skip
    """Choose the topics and hours of a user's notices."""
    body: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if topics or no_topics:
        body["topics"] = [] if no_topics else list(dict.fromkeys(topics))
    if hours or no_hours:
        body["quiet_from"], body["quiet_until"] = (None, None) if no_hours or hours is None else hours
    if not body:
        raise click.UsageError("Name at least one thing to change.")
    door.api.patch("/notify", body, user=user)
    door.say("The choice is saved.")


@notify.command(cls=FleetCommand)
@json_option
@pass_door
def users(door: Door, /, *, as_json: bool) -> None:
    """List how many addresses each user has; the addresses are shown to their users only."""
    found = door.api.get("/notify/users")
    if as_json:
        door.json(found)
        return
    table = render.table("User", "Addresses")
    for one in found["items"]:
        render.row(table, one["user"], str(one["addresses"]))
    door.show(table)
