"""`fleet roles`: the database roles of a fleet, created by an administrator of the server, once and after changes.

The one command that connects as an administrator. `fleet up` does the same for its embedded server by itself.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import click
import psycopg
import sqlalchemy as sa

from fleet.cli.frame import paths
from fleet.cli.frame.command import FleetCommand
from fleet.cli.frame.context import Door, pass_door
from fleet.core import logs
from fleet.core.db import roles as db_roles
from fleet.core.db.roles import Connect, Login
from fleet.core.errors import InvalidInput, Unavailable

ADMIN_URL = "FLEET_DATABASE_ADMIN_URL"
"""Never an option, since process lists show those."""
_CONNECT_S = 10


@click.command(cls=FleetCommand)
@pass_door
def roles(door: Door, /) -> None:
    """Create the roles and databases that the settings name, or bring them up to date.

    FLEET_DATABASE_ADMIN_URL names a database of the server, as a user who may create roles and databases.
    FLEET_DATABASE_OWNER_URL and FLEET_DATABASE_URL name the owner and the app of the fleet's database,
    FLEET_GALLERY_DATABASE_URL the gallery's role and database. An existing database keeps its rows; what it contains
    is given to its owner. Run it again after a password has changed.
    """
    door.refuse_server()
    settings = paths.given(door.home)
    gallery_url = os.environ.get("FLEET_GALLERY_DATABASE_URL", "")
    if bool(settings.database_owner_url) != bool(settings.database_url) or not (settings.database_url or gallery_url):
        raise InvalidInput(
            "No roles are named.",
            fix="Set FLEET_DATABASE_OWNER_URL and FLEET_DATABASE_URL, or FLEET_GALLERY_DATABASE_URL.",
        )
    connect = _administrator(os.environ.get(ADMIN_URL, ""))
    if settings.database_url:
        owner, app = Login.of(settings.database_owner_url), Login.of(settings.database_url)
        if owner.name == app.name:
            raise InvalidInput(
                f"FLEET_DATABASE_OWNER_URL and FLEET_DATABASE_URL name the same role, {app.name}.",
                fix="Name two: the app's role must not own the tables.",
            )
        name = _database_of(settings.database_url)
        with _explained():
            db_roles.set_up(connect, name, owner=owner, app=app)
        door.say(f"Database {name}: owner {owner.name}, app {app.name}. Next: `fleet migrate`.")
    if gallery_url:
        name, gallery = _database_of(gallery_url), Login.of(gallery_url)
        with _explained():
            db_roles.set_up(connect, name, owner=gallery)
        door.say(f"Database {name}: owner {gallery.name}.")


def _administrator(url: str) -> Connect:
    """Return how to connect to any database of the server as its administrator."""
    try:
        address = sa.make_url(url).set(drivername="postgresql")
    except sa.exc.ArgumentError:
        raise InvalidInput(
            "FLEET_DATABASE_ADMIN_URL is no database address.",
            fix="Write it as postgresql://user:password@host:5432/postgres.",
        ) from None

    def connect(database: str) -> psycopg.Connection:
        plain = address.render_as_string(hide_password=False)
        return psycopg.connect(
            plain, dbname=database, autocommit=True, connect_timeout=_CONNECT_S, application_name="fleet-roles"
        )

    return connect


def _database_of(url: str) -> str:
    if name := sa.make_url(url).database:
        return name
    raise InvalidInput("A database address names no database.", fix="End it in the name, as in .../fleet.")


@contextmanager
def _explained() -> Iterator[None]:
    """Raise the server's refusals as ours."""
    try:
        yield
    except psycopg.errors.InsufficientPrivilege as error:
        raise InvalidInput(
            f"The administrator may not do this: {_first_line(error)}.",
            fix="Name a superuser, or a user with CREATEROLE and CREATEDB who owns the database.",
        ) from error
    except psycopg.OperationalError as error:
        raise Unavailable(
            f"The database cannot be reached: {_first_line(error)}.", fix="Check FLEET_DATABASE_ADMIN_URL."
        ) from error


def _first_line(error: psycopg.Error) -> str:
    return logs.mask(str(error).strip().split("\n", maxsplit=1)[0].rstrip("."))
