"""`fleet users`: who may come in at the dashboard and the API."""

from __future__ import annotations

import sys
from datetime import timedelta

import click
from rich.table import Table

from fleet.cli.frame import render
from fleet.cli.frame.command import FleetCommand, FleetGroup
from fleet.cli.frame.context import Door, is_terminal, pass_door
from fleet.cli.frame.options import SPAN, json_option, yes_option
from fleet.core.errors import InvalidInput

_ROLES = ("owner", "admin", "operator", "reviewer", "viewer")
_MOST_BYTES = 5_000
_ROLE = click.Choice(_ROLES)
_STDIN = click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
_REVOKE = click.option("--revoke-tokens", is_flag=True, help="Revoke the user's tokens and open invitations too.")


@click.group(cls=FleetGroup)
def users() -> None:
    """Create, invite, list, change and delete users of the dashboard and the API."""


@users.command(cls=FleetCommand)
@click.argument("name")
@click.option("--role", type=_ROLE, default="viewer", show_default=True, help="What they may do.")
@_STDIN
@pass_door
def create(door: Door, /, *, name: str, role: str, password_stdin: bool) -> None:
    """Create a user. Asks for the password, or reads it from standard input."""
    from fleet.access import Role
    from fleet.features.users import service as accounts

    user = accounts.create_user(door.deps, name.lower(), Role(role), _password(door, password_stdin))
    door.say(f"{user.name} may log in as {user.role}.")


@users.command(cls=FleetCommand)
@click.option("--role", type=_ROLE, default="viewer", show_default=True, help="What they may do.")
@click.option("--expires", type=SPAN, default="24h", show_default=True, help="How long the link is valid; at most 7d.")
@json_option
@pass_door
def invite(door: Door, /, *, role: str, expires: timedelta, as_json: bool) -> None:
    """Print an invitation link: one person chooses a name and a password. It works once."""
    from fleet.access import Role
    from fleet.cli.frame import json_output, paths
    from fleet.features.users import invite as inviting

    key, made = inviting.invite(door.deps, Role(role), terminal=door.by, for_=expires)
    link = inviting.link(paths.dashboard(door.settings), key)
    if as_json:
        door.json({"link": json_output.Unmasked(link), "role": made.role, "expires_at": made.expires_at})
        return
    click.echo(link)
    door.note(f"It makes one {role}, until {made.expires_at:%Y-%m-%d %H:%M} UTC. Pass it on by a way that you trust.")


@users.command("list", cls=FleetCommand)
@json_option
@pass_door
def list_(door: Door, /, *, as_json: bool) -> None:
    """List the users and their roles."""
    from fleet.features.users import service as accounts

    found = accounts.list_users(door.deps)
    if as_json:
        same = ("name", "role", "created_at", "last_login_at")
        door.json({"items": [{field: getattr(one, field) for field in same} for one in found]})
        return
    if not found:
        door.show("There are no users yet; `fleet users create NAME --role owner` creates the first one.")
        return
    from fleet.core import clock

    now = clock.now()
    table: Table = render.table("Name", "Role", "Last login")
    for one in found:
        render.row(table, one.name, one.role, render.when(one.last_login_at, now) if one.last_login_at else "never")
    door.show(table)


@users.command("role", cls=FleetCommand)
@click.argument("name")
@click.argument("role", type=_ROLE)
@pass_door
def role_(door: Door, /, *, name: str, role: str) -> None:
    """Change a user's role. Sessions end; tokens stay, with the permissions of the new role."""
    from fleet.access import Role
    from fleet.features.users import service as accounts

    changed = accounts.change_role(door.deps, name.lower(), Role(role))
    door.say(f"{name.lower()} is {role} now." if changed else f"{name.lower()} was {role} already.")


@users.command(cls=FleetCommand)
@click.argument("name")
@_STDIN
@_REVOKE
@pass_door
def password(door: Door, /, *, name: str, password_stdin: bool, revoke_tokens: bool) -> None:
    """Change a user's password; asks for it, or reads it from standard input. All sessions end."""
    from fleet.features.users import service as accounts

    accounts.get_user(door.deps, name.lower())
    given = _password(door, password_stdin)
    revoked = accounts.set_password(door.deps, name.lower(), given, revoke_tokens=revoke_tokens)
    door.say(f"{name.lower()} has a new password and is logged out everywhere. {_of_tokens(revoke_tokens, revoked)}")


@users.command(cls=FleetCommand)
@click.argument("name")
@_REVOKE
@pass_door
def logout(door: Door, /, *, name: str, revoke_tokens: bool) -> None:
    """End every session of a user."""
    from fleet.features.users import service as accounts

    number, revoked = accounts.log_out_user(door.deps, name.lower(), revoke_tokens=revoke_tokens)
    sessions = f"{number} session{'' if number == 1 else 's'} of {name.lower()} ended."
    door.say(f"{sessions} {_of_tokens(revoke_tokens, revoked)}")


@users.command(cls=FleetCommand)
@click.argument("name")
@yes_option
@pass_door
def remove(door: Door, /, *, name: str, yes: bool) -> None:
    """Delete a user (asks). Sessions and tokens end at once; the name cannot be used again."""
    from fleet.features.users import service as accounts

    accounts.get_user(door.deps, name.lower())
    door.confirm(f"Let {name.lower()} in no more?", yes=yes)
    accounts.remove_user(door.deps, name.lower())
    door.say(f"{name.lower()} may not come in any more.")


def _of_tokens(revoke_tokens: bool, revoked: int) -> str:
    return f"Tokens revoked: {revoked}." if revoke_tokens else "Tokens stay valid; --revoke-tokens revokes them."


def _password(door: Door, from_stdin: bool) -> str:
    if from_stdin:
        return door.piped(_MOST_BYTES, line=True).rstrip("\r\n")
    if not is_terminal(sys.stdin):
        raise InvalidInput("There is no terminal to type a password in.", fix="Use --password-stdin.")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
