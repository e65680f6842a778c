"""`fleet users`: who may come in at the dashboard and the API."""

from __future__ import annotations

import sys

import click
from rich.table import Table

from fleet.cli import render
from fleet.cli.command import Command, Group
from fleet.cli.door import Door, pass_door
from fleet.cli.options import json_option
from fleet.core.errors import InvalidInput

_ROLES = ("owner", "admin", "operator", "reviewer", "viewer")


@click.group(cls=Group)
def users() -> None:
    """Create, list, change and remove users of the dashboard and the API."""


@users.command(cls=Command)
@click.argument("name")
@click.option("--role", type=click.Choice(_ROLES), default="viewer", show_default=True, help="What they may do.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@pass_door
def create(door: Door, /, *, name: str, role: str, password_stdin: bool) -> None:
    """Make a user. The password is asked for, or read from standard input; never a word of the command line."""
    from fleet.access import Role
    from fleet.runtime import accounts

    user = accounts.create_user(door.deps, name.lower(), Role(role), _password(password_stdin))
    door.say(f"{user.name} may log in as {user.role}.")


@users.command("list", cls=Command)
@json_option
@pass_door
def list_(door: Door, /, *, as_json: bool) -> None:
    """List the users and their roles."""
    from fleet.runtime import accounts

    found = accounts.list_users(door.deps)
    if as_json:
        door.json([
            {"name": one.name, "role": one.role, "created_at": one.created_at, "last_login_at": one.last_login_at}
            for one in found
        ])  # fmt: skip
        return
    if not found:
        door.show("Nobody may log in yet; `fleet users create NAME --role owner` makes the first one.")
        return
    from fleet.core import clock

    now = clock.now()
    table: Table = render.table("Name", "Role", "Last login")
    for one in found:
        render.row(table, one.name, one.role, render.when(one.last_login_at, now) if one.last_login_at else "never")
    door.show(table)


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise InvalidInput("Nobody is here to type a password.", fix="Use --password-stdin.")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
