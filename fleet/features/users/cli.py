"""`fleet users`: users of the dashboard and the API.

Passwords are set on the fleet's own machine; elsewhere an invitation lets people choose theirs.
"""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from typing import Any

import click

from fleet.cli.frame import json_output, render
from fleet.cli.frame.api import at
from fleet.cli.frame.command import FleetCommand, FleetGroup
from fleet.cli.frame.context import Door, is_terminal, pass_door
from fleet.cli.frame.options import SPAN, NameType, TextType, json_option, yes_option
from fleet.core.errors import InvalidInput

_ROLES = ("owner", "admin", "operator", "reviewer", "viewer")
_MOST_BYTES = 5_000
_ROLE = click.Choice(_ROLES)


class UserName(NameType):
    """A user's name, in lower case as it is kept."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name in lower case; fails for an empty one."""
        return super().convert(value, param, ctx).lower()


_NAME = click.argument("name", type=UserName("user"))
_STDIN = click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
_REVOKE = click.option("--revoke-tokens", is_flag=True, help="Revoke the user's tokens and open invitations too.")


@click.group(cls=FleetGroup)
def users() -> None:
    """Create, invite, list, change and delete users of the dashboard and the API."""


@users.command(cls=FleetCommand)
@_NAME
@click.option("--role", type=_ROLE, default="viewer", show_default=True, help="What they may do.")
@_STDIN
@pass_door
def create(door: Door, /, *, name: str, role: str, password_stdin: bool) -> None:
    """Create a user. Asks for the password, or reads it from standard input."""
    door.refuse_server()
    from fleet.access import Role
    from fleet.features.users import service as accounts

    user = accounts.create_user(door.deps, name, Role(role), _password(door, password_stdin))
    door.say(f"{user.name} may log in as {user.role}.")


@users.command(cls=FleetCommand)
@click.option("--role", type=_ROLE, default="viewer", show_default=True, help="What they may do.")
@click.option("--expires", type=SPAN, default="24h", show_default=True, help="How long the link is valid; at most 7d.")
@click.option("--organisation", type=TextType(60), help="Where the role will hold; everywhere if left out.")
@json_option
@pass_door
def invite(door: Door, /, *, role: str, expires: timedelta, organisation: str | None, as_json: bool) -> None:
    """Print an invitation link: one person chooses a name and a password. It works once."""
    made = door.api.post(
        "/invitations", {"role": role, "hours": expires.total_seconds() / 3600, "organisation": organisation}
    )
    if as_json:
        door.json({**made, "link": json_output.Unmasked(made["link"])})
        return
    click.echo(made["link"])
    until = datetime.fromisoformat(made["expires_at"])
    door.note(f"It makes one {role}, until {until:%Y-%m-%d %H:%M} UTC. Pass it on in a way that you trust.")


@users.command("list", cls=FleetCommand)
@json_option
@pass_door
def list_(door: Door, /, *, as_json: bool) -> None:
    """List the users and their roles."""
    found = door.api.get("/users")
    if as_json:
        door.json(found)
        return
    if not found["items"]:
        door.show("There are no users yet; `fleet users create NAME --role owner` creates the first one.")
        return
    table = render.table("Name", "Role", "Last login")
    for one in found["items"]:
        last = render.when(one["last_login_at"]) if one["last_login_at"] else "never"
        render.row(table, one["name"], one["role"], last)
    door.show(table)


@users.command("role", cls=FleetCommand)
@_NAME
@click.argument("role", type=_ROLE)
@pass_door
def role_(door: Door, /, *, name: str, role: str) -> None:
    """Change a user's role. Sessions end; tokens stay, with the permissions of the new role."""
    changed = door.api.patch(at("users", name), {"role": role})["changed"]
    door.say(f"{name} is {role} now." if changed else f"{name} was {role} already.")


@users.command(cls=FleetCommand)
@_NAME
@_STDIN
@_REVOKE
@pass_door
def password(door: Door, /, *, name: str, password_stdin: bool, revoke_tokens: bool) -> None:
    """Change a user's password; asks for it, or reads it from standard input. All sessions end."""
    from fleet.features.users import service as accounts

    accounts.get_user(door.deps, name)
    given = _password(door, password_stdin)
    revoked = accounts.set_password(door.deps, name, given, revoke_tokens=revoke_tokens)
    door.say(f"{name} has a new password and is logged out everywhere. {_of_tokens(revoke_tokens, revoked)}")


@users.command(cls=FleetCommand)
@_NAME
@_REVOKE
@pass_door
def logout(door: Door, /, *, name: str, revoke_tokens: bool) -> None:
    """End every session of a user."""
    ended = door.api.post(at("users", name, "logout"), {"revoke_tokens": revoke_tokens})
    number = ended["count"]
    sessions = f"{number} session{'' if number == 1 else 's'} of {name} ended."
    door.say(f"{sessions} {_of_tokens(revoke_tokens, ended['tokens_revoked'])}")


@users.command(cls=FleetCommand)
@_NAME
@yes_option
@pass_door
def remove(door: Door, /, *, name: str, yes: bool) -> None:
    """Delete a user (asks). Sessions and tokens end at once; the name cannot be used again."""
    door.api.get(at("users", name))
    door.confirm(f"Remove the user {name}?", yes=yes)
    door.api.delete(at("users", name))
    door.say(f"{name} is removed.")


def _of_tokens(revoke_tokens: bool, revoked: int) -> str:
    return f"Tokens revoked: {revoked}." if revoke_tokens else "Tokens stay valid; --revoke-tokens revokes them."


def _password(door: Door, from_stdin: bool) -> str:
    if from_stdin:
        return door.piped(_MOST_BYTES, line=True).rstrip("\r\n")
    if not is_terminal(sys.stdin):
        raise InvalidInput("There is no terminal to type a password in.", fix="Use --password-stdin.")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
