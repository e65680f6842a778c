"""`fleet organisations`: brands or clients, their members, and what belongs to them."""

from __future__ import annotations

from typing import Any

import click

from fleet.cli.frame import render
from fleet.cli.frame.api import at
from fleet.cli.frame.command import FleetGroup
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import TextType, json_option, yes_option

_name = click.argument("name", type=TextType(60))
_user = click.argument("user", type=TextType(60))
_voice = click.option("--voice", type=TextType(2000), help="Added to the character of its agents in prompts.")


@click.group(cls=FleetGroup)
def organisations() -> None:
    """Manage organisations: brands or clients with their own agents, accounts and members.

    Everything belongs to the default organisation until there is another one. The role of a member holds in the
    member's organisations alone; all other users have theirs everywhere.
    """


@organisations.command("list")
@json_option
@pass_door
def list_(door: Door, /, *, as_json: bool) -> None:
    """List the organisations with their members."""
    found = door.api.get("/organisations")
    if as_json:
        door.json(found)
        return
    table = render.table("Organisation", "Agents", "Accounts", "Members", "")
    for one in found["items"]:
        members = render.clip(", ".join(one["members"]), 80) or "-"
        render.row(table, one["name"], one["agents"], one["accounts"], members, "default" if one["is_default"] else "")
    door.show(table)


@organisations.command()
@_name
@json_option
@pass_door
def show(door: Door, /, *, name: str, as_json: bool) -> None:
    """Show an organisation."""
    found = door.api.get(at("organisations", name))
    if as_json:
        door.json(found)
        return
    door.show(render.facts([
        ("Name", found["name"]), ("Id", found["id"]), ("Default", "yes" if found["is_default"] else "no"),
        ("Voice", found["voice"] or "none"), ("Agents", found["agents"]), ("Accounts", found["accounts"]),
        ("Members", ", ".join(found["members"]) or "none"),
    ]))  # fmt: skip


@organisations.command()
@_name
@_voice
@pass_door
def create(door: Door, /, *, name: str, voice: str | None) -> None:
    """Create an organisation."""
    made = door.api.post("/organisations", {"name": name, "voice": voice or ""})
    door.say(f"The organisation {made['name']} is created. `fleet organisations add-member` lets users in.")


@organisations.command()
@_name
@click.option("--rename", type=TextType(60), help="Its new name.")
@_voice
@pass_door
def change(door: Door, /, *, name: str, rename: str | None, voice: str | None) -> None:
    """Rename an organisation, or change its voice."""
    body: dict[str, Any] = {} if rename is None else {"name": rename}
    if voice is not None:
        body["voice"] = voice
    changed = door.api.patch(at("organisations", name), body)
    door.say(f"The organisation {changed['name']} is {'changed' if body else 'as it was: give --rename or --voice'}.")


@organisations.command()
@_name
@yes_option
@pass_door
def remove(door: Door, /, *, name: str, yes: bool) -> None:
    """Remove an organisation without agents, accounts and members."""
    door.confirm(f"Remove the organisation {name}?", yes=yes)
    door.api.delete(at("organisations", name))
    door.say(f"The organisation {name} is removed.")


@organisations.command("add-member")
@_name
@_user
@pass_door
def add_member(door: Door, /, *, name: str, user: str) -> None:
    """Let a user's role hold in an organisation, and no longer everywhere."""
    done = door.api.put(at("organisations", name, "members", user))
    door.say(f"{user} is {'now' if done['changed'] else 'already'} a member of {name}.")


@organisations.command("remove-member")
@_name
@_user
@click.option("--everywhere", is_flag=True, help="For the last membership: the role then holds everywhere.")
@pass_door
def remove_member(door: Door, /, *, name: str, user: str, everywhere: bool) -> None:
    """End a membership."""
    done = door.api.delete(at("organisations", name, "members", user), everywhere=everywhere)
    door.say(f"{user} is {'no longer' if done['changed'] else 'not'} a member of {name}.")


@organisations.command("move-agent")
@_name
@click.argument("agent", type=TextType(60))
@pass_door
def move_agent(door: Door, /, *, name: str, agent: str) -> None:
    """Move an agent to an organisation, with all that it did."""
    _move(door, name, "agents", agent)


@organisations.command("move-account")
@_name
@click.argument("account", type=TextType(60))
@pass_door
def move_account(door: Door, /, *, name: str, account: str) -> None:
    """Move an account that no agent uses to an organisation."""
    _move(door, name, "accounts", account)


def _move(door: Door, name: str, kind: str, moved: str) -> None:
    changed = door.api.put(at("organisations", name, kind, moved))["changed"]
    door.say(f"{moved} belongs {'now' if changed else 'already'} to {name}.")
