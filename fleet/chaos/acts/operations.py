"""Acts of operators: a deploy, a migration, the kill switch, all while the fleet works."""

from __future__ import annotations

import signal

import psycopg
import sqlalchemy as sa

from fleet.chaos.acts.struck import Struck
from fleet.chaos.plan import Planned
from fleet.chaos.world import BY, World
from fleet.core import clock
from fleet.core.errors import FleetError, Unavailable
from fleet.features.controls import commands as fleetwide

_DEPLOYED_WITHIN_S = 45.0
_EXPAND = (
    "ALTER TABLE jobs ADD COLUMN chaos_note text",
    "CREATE INDEX CONCURRENTLY ix_jobs_chaos_note ON jobs (chaos_note)",
    "DROP INDEX CONCURRENTLY ix_jobs_chaos_note",
    "ALTER TABLE jobs DROP COLUMN chaos_note",
)
_TRIES = 20


def deploy(world: World, planned: Planned) -> Struck:  # noqa: ARG001 - every act is called alike
    """Ask every worker to stop, and wait until each has finished and its successor runs."""
    before = {name: world.pid(name) for name in world.workers}
    for pid in before.values():
        world.signal(pid, signal.SIGTERM)

    def renewed() -> bool:
        return all((now := world.pid(name)) is not None and now != pid for name, pid in before.items())

    in_time = world.wait_until(renewed, _DEPLOYED_WITHIN_S)
    late = [name for name, pid in before.items() if pid is not None and world.pid(name) == pid]
    for name in late:
        world.signal(before[name], signal.SIGKILL)
    return Struck("all workers", {"in_time": in_time, "killed": late})


def kill_web(world: World, planned: Planned) -> Struck:  # noqa: ARG001 - every act is called alike
    """SIGKILL the dashboard."""
    pid = world.pid("web")
    return Struck("web", {"pid": pid}, hit=world.signal(pid, signal.SIGKILL))


def kill_switch(world: World, planned: Planned) -> Struck:
    """Forbid every outside write for a while. The act's time is from the COMMIT that threw it to the lifting."""
    fleetwide.throw_kill_switch(world.deps, by=BY, reason="drill")
    thrown = clock.now()
    world.wait(planned.detail["for_s"])
    until = clock.now()

    def lifted() -> bool:
        try:
            fleetwide.lift_kill_switch(world.deps, by=BY)
        except Unavailable:
            return False
        return True

    if not world.wait_until(lifted, 60):
        raise FleetError("The kill switch could not be lifted.")
    return Struck("fleet", at=thrown, until=until)


def migrate(world: World, planned: Planned) -> Struck:  # noqa: ARG001
    """Run Fleet's migrations, then widen the hottest table and take that back, as good migrations do: briefly or not.

    Each statement gives up after a second of waiting for its lock and is tried again.
    """
    world.migrate()
    plain = sa.make_url(world.owner_url).set(drivername="postgresql").render_as_string(hide_password=False)
    tries = [_try(world, plain, statement) for statement in _EXPAND]
    return Struck("jobs", {"tries": tries})


def _try(world: World, url: str, statement: str) -> int:
    """Run one statement until it succeeds; return how many tries that took."""
    for number in range(1, _TRIES + 1):
        try:
            with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
                connection.execute("SET lock_timeout = '1s'")
                connection.execute(_repeatable(statement, number))
        except psycopg.Error:
            world.wait(0.5)
        else:
            return number
    raise FleetError(f"This could not be done in {_TRIES} tries: {statement}")


def _repeatable(statement: str, number: int) -> str:
    """Say it so that a try after one that was done, or half done, is no error."""
    if number == 1:
        return statement
    return (
        statement.replace("ADD COLUMN ", "ADD COLUMN IF NOT EXISTS ").replace("DROP COLUMN ", "DROP COLUMN IF EXISTS ")
        .replace("DROP INDEX CONCURRENTLY ", "DROP INDEX CONCURRENTLY IF EXISTS ")
        .replace("CREATE INDEX CONCURRENTLY ", "CREATE INDEX CONCURRENTLY IF NOT EXISTS ")
    )  # fmt: skip
