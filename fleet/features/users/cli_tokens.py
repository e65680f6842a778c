"""`fleet tokens`: keys with which programs use the API."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import click

from fleet.cli.frame import json_output, render
from fleet.cli.frame.api import Answer, at
from fleet.cli.frame.command import FleetCommand, FleetGroup
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import SPAN, TextType, json_option, yes_option
from fleet.core import clock
from fleet.features.users.cli import UserName

_ALL = "all"


@click.group(cls=FleetGroup)
def tokens() -> None:
    """Create, list and revoke API tokens.

    A token may do what both its scopes and its user's role allow. Scopes are the permissions of docs/access.md.
    """


@tokens.command(cls=FleetCommand)
@click.argument("name", type=TextType(60))
@click.option("--user", type=UserName("user"), help="User whose role it has; with --server it is your own.")
@click.option("--scope", "scopes", multiple=True,
              help=f"Permission, e.g. agents.view; may be repeated. {_ALL}, or none: all that you may.")  # fmt: skip
@click.option("--preset", type=TextType(20),
              help="Usual scopes instead, as far as yours go: read-only, say. A wrong one lists them all.")  # fmt: skip
@click.option("--expires", type=SPAN, help="How long it is valid; 90d, or as long as the token that asks.")
@click.option("--no-expiry", is_flag=True, help="Valid until it is revoked.")
@json_option
@pass_door
def create(door: Door, /, *, name: str, user: str | None, scopes: tuple[str, ...], preset: str | None,
           expires: timedelta | None, no_expiry: bool, as_json: bool) -> None:  # fmt: skip
    """Create and print a token. It is shown only once."""
    body: dict[str, Any] = {"name": name}
    if user is not None:
        body["user"] = user
    if scopes and _ALL not in scopes:
        body["scopes"] = list(dict.fromkeys(scopes))
    if preset is not None:
        body["preset"] = preset
    if no_expiry:
        body["expires_in_days"] = None
    elif expires is not None:
        body["expires_in_s"] = round(expires.total_seconds())
    made = door.api.post("/tokens", body)
    if as_json:
        door.json({**made, "token": json_output.Unmasked(made["token"])})
        return
    click.echo(made["token"])
    door.note("Copy it now: it is not shown again. Programs send `Authorization: Bearer <token>`.")


@tokens.command("list", cls=FleetCommand)
@click.option("--user", type=UserName("user"), help="Only tokens of this user; with --server yours if left out.")
@json_option
@pass_door
def list_(door: Door, /, *, user: str | None, as_json: bool) -> None:
    """List tokens: user, scopes, expiry and last use; never their text."""
    found = door.api.get("/tokens", user=user)
    if as_json:
        door.json(found)
        return
    if not found["items"]:
        door.show("There are no tokens; `fleet tokens create NAME --user USER --scope agents.view` makes one.")
        return
    table = render.table(("Id", {"min_width": 36}), "User", "Name", "Begins with", "May", "Last used", "State")
    for one in found["items"]:
        used = render.when(one["last_used_at"]) if one["last_used_at"] else "never"
        may = _ALL if one["has_all_scopes"] else ", ".join(one["scopes"])
        render.row(table, one["id"], one["user"], one["name"], one["hint"], may, used, _state(one))
    door.show(table)


def _state(token: Answer) -> str:
    if token["revoked_at"] is not None:
        return "revoked"
    if token["expires_at"] is None:
        return "works"
    ends = datetime.fromisoformat(token["expires_at"])
    return "expired" if ends <= clock.now() else f"until {ends:%Y-%m-%d}"


@tokens.command(cls=FleetCommand)
@click.argument("token_id", metavar="ID")
@yes_option
@pass_door
def revoke(door: Door, /, *, token_id: str, yes: bool) -> None:
    """Revoke a token and those created with it (asks). `fleet tokens list` shows the ids."""
    door.confirm("Revoke this token, and those created with it?", yes=yes)
    door.api.delete(at("tokens", token_id))
    door.say("The token is revoked.")
