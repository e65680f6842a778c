"""What a fleet stands on before it lives: tables and agents."""

from __future__ import annotations

import click
import sqlalchemy as sa

import fleet.app
from fleet.cli.frame.command import FleetCommand
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import PERSONA
from fleet.core.errors import InvalidInput
from fleet.features.agents import commands as agent_commands


@click.command(cls=FleetCommand)
@click.option("--dry-run", is_flag=True, help="Only list the missing migrations.")
@pass_door
def migrate(door: Door, /, *, dry_run: bool) -> None:
    """Migrate the database to this version, and create the system agents.

    Connects as FLEET_DATABASE_OWNER_URL if that is set, and grants the app's rights to the role of FLEET_DATABASE_URL.
    Prepares a database that was restored on another server. Safe to repeat, and to run several times at once.
    """
    from fleet.core import db
    from fleet.engine.events import restore_check
    from fleet.engine.system_agents import staff

    settings = door.settings
    url = settings.database_owner_url or settings.database_url
    database = db.Database(url, pool_size=1)
    try:
        pending = db.pending_migrations(database, fleet.app.migration_folders())
        if pending and dry_run:
            door.say(f"Missing: {', '.join(pending)}.")
            return
        if not dry_run:
            bring_up_to_date(url, settings.database_url)
        door.say(f"Done: {', '.join(pending)}." if pending else "The database is up to date.")
        if not dry_run:
            if restore_check.settle(database):
                door.say("It comes from another server; webhooks and subscribers continue at their positions.")
            staff(database)
    finally:
        database.close()


def bring_up_to_date(owner_url: str, app_url: str) -> None:
    """Run migrations as the owner and grant the app's role what it needs. Raises InvalidInput for two databases."""
    from fleet.core import db

    owner, app = sa.make_url(owner_url), sa.make_url(app_url)
    if owner.database != app.database:
        raise InvalidInput(
            f"FLEET_DATABASE_OWNER_URL names the database {owner.database}, FLEET_DATABASE_URL {app.database}.",
            fix="Name the same database in both.",
        )
    app_role = "" if owner_url == app_url else app.username or ""
    db.migrate(owner_url, app_role=app_role, folders=fleet.app.migration_folders())


@click.command(cls=FleetCommand)
@click.option("-n", "--count", type=click.IntRange(1, 100_000), default=6, show_default=True, help="Number of agents.")
@click.option("--seed", "seed_no", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True,
              help="The same seed makes the same agents.")  # fmt: skip
@click.option("-p", "--persona", "persona_id", type=PERSONA, help="Only this persona.")
@click.option("--start", is_flag=True, help="Start the agents too.")
@pass_door
def seed(door: Door, /, *, count: int, seed_no: int, persona_id: str | None, start: bool) -> None:
    """Create agents from the personas.

    The seed and the number of existing agents determine the new ones, so a second run adds others.
    """

    made = agent_commands.seed(
        door.deps, count=count, seed_no=seed_no, persona_id=persona_id, by=door.by, start=start
    )  # fmt: skip
    for username in made:
        click.echo(username)
    verb = "created and started" if start else "created; `fleet agents start-all` starts them"
    door.note(f"{len(made)} agent{'s' if len(made) != 1 else ''} {verb}.")
