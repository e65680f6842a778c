"""`fleet secrets`: the encrypted key store. Values come by a hidden prompt or standard input and are never shown."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click
from rich.text import Text

from fleet.cli.frame import render
from fleet.cli.frame.command import FleetGroup
from fleet.cli.frame.context import Door, is_terminal, pass_door
from fleet.cli.frame.options import json_option, yes_option
from fleet.core import clock
from fleet.engine import registry

if TYPE_CHECKING:
    from fleet.accounts.keys import ListedSecret
    from fleet.core.db import Database

_MOST_BYTES = 65_536
_STYLES = {"ok": "green", "old key": "yellow", "lost": "bold red"}


@click.group(cls=FleetGroup)
def secrets() -> None:
    """Manage the keys of models and surfaces, encrypted in the database.

    Environment variables take precedence. All workers read a new value within half a minute. Manage
    secrets on the fleet's own machine: the API has no access to their values.
    """


@secrets.command()
@pass_door
def init(door: Door, /) -> None:
    """Create the key file in the fleet's home, if there is none; `fleet up` does so, too."""
    from fleet.accounts import keys
    from fleet.cli.frame import paths as homes

    door.refuse_server()
    settings = homes.given(door.home)
    made = keys.make_ring(settings)
    if made is not None:
        door.say(f"Made {made}. Keep a copy elsewhere: without it nothing in the key store can be read.")
    else:
        keys.ring(settings)
        door.say("There are keys already; nothing was changed.")


@secrets.command("set")
@click.argument("name")
@pass_door
def set_(door: Door, /, *, name: str) -> None:
    """Store a secret, e.g. anthropic_api_key. Asks for the value, or reads it from standard input."""
    from fleet.accounts import keys

    door.refuse_server()
    name = keys.name_of(door.settings, name)
    value = _value(door, name)
    database = _database(door)
    keys.put(database, door.settings, name, value, by=door.by)
    if name == "service_token":
        _resume_gallery(database, by=door.by)
    door.say(f"{name} is kept.")
    if name in door.settings.model_fields_set:
        door.note(f"The environment sets FLEET_{name.upper()} too, and wins where it does.")


def _resume_gallery(database: Database, *, by: str) -> None:
    """Let the settings' account go on if the token before was refused."""
    from fleet.accounts.models import SETTINGS_ACCOUNT
    from fleet.engine import controls
    from fleet.engine.jobs import snooze

    with database.transaction() as tx:
        snooze.free_held(tx)  # jobs first: ends of attempts lock them first, too
        controls.resume_refused(tx, SETTINGS_ACCOUNT, by=by)


def _value(door: Door, name: str) -> str:
    """Return what a person types unseen, or all of standard input."""
    if is_terminal(sys.stdin):
        return str(click.prompt(f"Value of {name}", hide_input=True, err=True))
    return door.piped(_MOST_BYTES + 1)


@secrets.command("list")
@json_option
@pass_door
def list_(door: Door, /, *, as_json: bool) -> None:
    """List names, times and whether each secret can be opened; never a value."""
    from fleet.accounts import keys

    found = keys.listed(_database(door), door.settings)
    if as_json:
        door.json({"items": [_data(one) for one in found]})
        return
    if not found:
        door.note("The key store is empty. `fleet secrets set anthropic_api_key` keeps one.")
        return
    now = clock.now()
    table = render.table("Name", "State", "Changed", "Last used", "Key", "")
    for one in found:
        used = render.when(one.last_used_at, now) if one.last_used_at else "never"
        render.row(table, one.name, Text(one.state, style=_STYLES[one.state]), render.when(one.updated_at, now), used,
                   one.key_id, "the environment's wins" if one.in_environment else "")  # fmt: skip
    door.show(table)
    for why in sorted({one.why for one in found if one.why}):
        door.note(why)


def _data(one: ListedSecret) -> dict[str, Any]:
    return {name: getattr(one, name) for name in type(one).__slots__}


@secrets.command()
@click.argument("name")
@yes_option
@pass_door
def remove(door: Door, /, *, name: str, yes: bool) -> None:
    """Delete a secret (asks)."""
    from fleet.accounts import keys

    door.refuse_server()
    door.confirm(f"Forget {name}?", yes=yes)
    door.say(f"{keys.remove(_database(door), name, by=door.by)} is forgotten.")


@secrets.command("new-key")
@click.option("--print", "for_environment", is_flag=True, help="Print it, for FLEET_SECRET_KEYS.")
@pass_door
def new_key(door: Door, /, *, for_environment: bool) -> None:
    """Create a new sealing key; older keys still decrypt.

    It goes into the home's file. Where FLEET_SECRET_KEYS holds the keys, or with --print, it is printed instead.
    """
    from fleet.accounts import keys
    from fleet.cli.frame import paths as homes

    door.refuse_server()
    made = keys.add_key(homes.given(door.home), for_environment=for_environment)
    if made.file is not None:
        door.say(f"A new key is the first one in {made.file}. `fleet secrets rotate` seals everything with it.")
        return
    click.echo(made.written)
    door.note("Put it first in FLEET_SECRET_KEYS everywhere, before a comma; then `fleet secrets rotate`.")


@secrets.command()
@pass_door
def rotate(door: Door) -> None:
    """Seal all secrets with the first key, in one transaction."""
    from fleet.accounts import keys

    done = keys.rotate(_database(door), door.settings, by=door.by, resealers=registry.current().parts("resealers"))
    if done:
        door.say(f"Sealed anew: {', '.join(done)}. Older keys are needed for older backups only.")
    else:
        door.say("Everything is sealed with the first key already.")


def _database(door: Door) -> Database:
    """Return the database alone: what is wrong with a model's settings must not stand between a person and its key."""
    from fleet.core.db import Database

    door.refuse_server()
    database = Database(door.settings.database_url, pool_size=1)
    door.act()
    click.get_current_context().call_on_close(database.close)
    return database
