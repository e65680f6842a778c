"""`fleet tokens`: keys with which programs use the API."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import TYPE_CHECKING

import click
from rich.table import Table

from fleet.cli.frame import render
from fleet.cli.frame.command import FleetCommand, FleetGroup
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import SPAN, TextType, json_option, yes_option

if TYPE_CHECKING:
    from fleet.access.tokens import Token

_ALL = "all"


@click.group(cls=FleetGroup)
def tokens() -> None:
    """Create, list and revoke API tokens.

    A token may do what its scopes say, as far as its user's role goes. Scopes are the permissions of docs/access.md.
    """


@tokens.command(cls=FleetCommand)
@click.argument("name", type=TextType(60))
@click.option("--user", required=True, help="User whose role it has.")
@click.option("--scope", "scopes", multiple=True, required=True,
              help=f"Permission, e.g. agents.view; may be repeated. {_ALL}: all of the role.")  # fmt: skip
@click.option("--expires", type=SPAN, default="90d", show_default=True, help="How long it is valid.")
@click.option("--no-expiry", is_flag=True, help="Valid until it is revoked.")
@json_option
@pass_door
def create(door: Door, /, *, name: str, user: str, scopes: tuple[str, ...], expires: timedelta, no_expiry: bool,
           as_json: bool) -> None:  # fmt: skip
    """Create and print a token. It is shown only once."""
    from fleet.access import Permission
    from fleet.cli.frame import json_output
    from fleet.features.users import service as accounts

    wanted = tuple(Permission) if _ALL in scopes else scopes
    token = accounts.issue_token(door.deps, user.lower(), name, wanted, None if no_expiry else expires)
    if as_json:
        door.json({"token": json_output.Unmasked(token), "user": user.lower(), "name": name, "scopes": sorted(wanted)})
        return
    click.echo(token)
    door.note("Copy it now: it is not shown again. Programs send `Authorization: Bearer <token>`.")


@tokens.command("list", cls=FleetCommand)
@click.option("--user", help="Only tokens of this user.")
@json_option
@pass_door
def list_(door: Door, /, *, user: str | None, as_json: bool) -> None:
    """List tokens: user, scopes, expiry and last use; never their text."""
    from fleet.core import clock
    from fleet.features.users import service as accounts

    found = accounts.list_tokens(door.deps, None if user is None else user.lower())
    if as_json:
        door.json({"items": [{name: getattr(one, name) for name in one.__slots__} for one in found]})
        return
    if not found:
        door.show("There are no tokens; `fleet tokens create NAME --user USER --scope agents.view` makes one.")
        return
    now = clock.now()
    table: Table = render.table(("Id", {"min_width": 36}), "User", "Name", "Begins with", "May", "Last used", "State")
    for one in found:
        used = render.when(one.last_used_at, now) if one.last_used_at else "never"
        render.row(table, str(one.id), one.user, one.name, one.hint, _scopes(one), used, _state(one))
    door.show(table)


def _scopes(token: Token) -> str:
    from fleet.access import Permission

    return _ALL if set(token.scopes) == set(Permission) else ", ".join(token.scopes)


def _state(token: Token) -> str:
    from fleet.core import clock

    if token.revoked_at is not None:
        return "revoked"
    if token.expires_at is None:
        return "works"
    return "expired" if token.expires_at <= clock.now() else f"until {token.expires_at:%Y-%m-%d}"


@tokens.command(cls=FleetCommand)
@click.argument("token_id", type=click.UUID, metavar="ID")
@yes_option
@pass_door
def revoke(door: Door, /, *, token_id: uuid.UUID, yes: bool) -> None:
    """Revoke a token and those created with it (asks). `fleet tokens list` shows the ids."""
    from fleet.features.users import service as accounts

    door.confirm("Lock out whatever uses this token, or one that it made?", yes=yes)
    accounts.revoke_token(door.deps, token_id)
    door.say("The token opens nothing any more.")
