"""The checks behind `fleet check`: each looks at one thing and says ok, warn or fail, with the fix.

A later check is left out when what it stands on has failed. Nothing is changed but a file that is written to the home
and taken away again.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import sqlalchemy as sa

from fleet import notify
from fleet.cli import paths
from fleet.cli.check import env_check
from fleet.cli.context import Door
from fleet.core import clock, db, logs
from fleet.core.db import Database, roles
from fleet.core.errors import FleetError
from fleet.core.settings import Settings
from fleet.features.approvals import rule_file
from fleet.features.personas import library
from fleet.sandbox.processes.runfile import RunFile


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    about: str
    level: Level
    message: str
    fix: str | None = None


_OLDEST_POSTGRES = 14
_CLOCK_WARN_S, _CLOCK_FAIL_S = 2.0, 60.0
_DISK_WARN_BYTES, _DISK_FAIL_BYTES = 1_000_000_000, 100_000_000


def run(door: Door) -> Iterator[Finding]:
    """Look at everything, in the order in which things stand on one another."""
    from fleet.cli.check import checks_keys, checks_live

    try:
        settings = door.settings
    except FleetError as error:
        yield _failed("settings", error)
        yield from _without_servers(door)
        return
    yield _settings(settings)
    yield from (
        Finding("settings", Level.WARN, words, "docs/settings.md has all there are.") for words in env_check.found()
    )
    yield from _home(settings)
    found = _personas(settings)
    yield found
    yield from _guarded("approvals", lambda: _approvals(settings))
    sound = found.level is not Level.FAIL
    database_ok = yield from _database(settings)
    if database_ok:
        yield from _approvers(settings)
    keyed = (yield from checks_keys.store(settings)) if database_ok else settings
    yield from checks_live.words(keyed)
    yield from checks_keys.moderation(keyed)
    yield from checks_keys.pictures(keyed)
    broker_ok = yield from checks_live.broker(settings)
    if sound and broker_ok:
        yield from _guarded("gallery", lambda: checks_live.gallery(door))
        yield checks_live.workers(settings)
    if sound and broker_ok and database_ok:
        yield from _guarded("beat", lambda: checks_live.beat(door))


def _without_servers(door: Door) -> Iterator[Finding]:
    """Look at what can be looked at when no database is known."""
    try:
        settings = paths.given(door.home)
    except FleetError:
        return
    yield from _home(settings)
    yield _personas(settings)


def _failed(about: str, error: FleetError) -> Finding:
    return Finding(about, Level.FAIL, error.message, error.fix)


def _guarded(about: str, look: Callable[[], Finding]) -> Iterator[Finding]:
    try:
        yield look()
    except FleetError as error:
        yield _failed(about, error)


def _settings(settings: Settings) -> Finding:
    said = f"database {_place(settings.database_url)}, broker {_place(settings.broker_url)}, tempo {settings.tempo:g}"
    if not settings.label_agents:
        why = f"agents are not labelled as automated: {settings.label_off_reason}"
        return Finding("settings", Level.WARN, why, "Labels may be off on surfaces of your own only.")
    if settings.dry_run:
        return Finding("settings", Level.WARN, f"dry run: nothing is sent; {said}", "Unset FLEET_DRY_RUN to send.")
    return Finding("settings", Level.OK, said)


def _approvals(settings: Settings) -> Finding:
    """Look at the rules, and whether the addresses are understood; nobody is told anything."""
    rules = rule_file.shipped() if settings.approval_rules is None else rule_file.load(settings.approval_rules)
    notify.check(settings.notify)
    told = ", ".join(notify.names(settings.notify))
    return Finding("approvals", Level.OK, f"{len(rules)} rules; people are told by {told}")


def _approvers(settings: Settings) -> Iterator[Finding]:
    """Look whether the users whom the rules name may decide."""
    from fleet.features.approvals import rule_users

    try:
        rules = rule_file.shipped() if settings.approval_rules is None else rule_file.load(settings.approval_rules)
        with closing(Database(settings.database_url, pool_size=1)) as database:
            found = rule_users.problems(database, settings, rules)
    except FleetError:
        return  # the checks of the rules and of the database have said so
    for one in found:
        yield Finding("approvals", Level.WARN if one.is_lost else Level.FAIL, one.words, one.fix)


def _place(url: str) -> str:
    return logs.mask(url) if url else "not set"


def _home(settings: Settings) -> Iterator[Finding]:
    home = settings.home.absolute()
    if not home.exists():
        yield Finding("home", Level.OK, f"{home} is not there yet; `fleet up` makes it")
        return
    probe = home / ".check"
    try:
        probe.write_text("x")
        probe.unlink()
    except OSError as error:
        said = f"{home} cannot be written ({error.strerror})"
        if settings.database_url and settings.objects and RunFile.last(home) is None:  # as in a container
            yield Finding("home", Level.OK, f"{said} and nothing needs to: servers and pictures are elsewhere")
        else:
            yield Finding("home", Level.FAIL, said, "Choose a folder of your own with --home or FLEET_HOME.")
        return
    yield _disk(home)


def _disk(home: Path) -> Finding:
    free = shutil.disk_usage(home).free
    level = Level.FAIL if free < _DISK_FAIL_BYTES else Level.WARN if free < _DISK_WARN_BYTES else Level.OK
    fix = None if level is Level.OK else "Free some space; databases stop when the disk is full."
    return Finding("home", level, f"{home}, {free / 1e9:.1f} GB free", fix)


def _personas(settings: Settings) -> Finding:
    try:
        problems = library.check(settings.personas_dir)
    except FleetError as error:
        return _failed("personas", error)
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        return Finding("personas", Level.FAIL, f"{problems[0]}{more}", "`fleet persona check` shows all.")
    return Finding("personas", Level.OK, f"{len(library.load(settings.personas_dir))} personas")


def _database(settings: Settings) -> Generator[Finding, None, bool]:
    """Yield what there is to say; returns whether Fleet's tables can be used."""
    try:
        database = Database(settings.database_url, pool_size=1)
    except FleetError as error:
        yield _failed("database", error)
        return False
    try:
        yield from _server(database)
        pending = db.pending_migrations(database)
    except FleetError as error:
        yield _failed("database", error)
        return False
    finally:
        database.close()
    if pending:
        missing = f"{len(pending)} step{'s' if len(pending) > 1 else ''} missing: {', '.join(pending)}"
        yield Finding("migrations", Level.FAIL, missing, "Run `fleet migrate`.")
        return False
    yield Finding("migrations", Level.OK, "up to date")
    yield from _guarded("roles", lambda: _roles(settings))
    return True


def _roles(settings: Settings) -> Finding:
    database = Database(settings.database_url, pool_size=1)
    try:
        with database.transaction() as tx:
            powers = roles.excess(tx)
    finally:
        database.close()
    if powers:
        said = f"the role of FLEET_DATABASE_URL {', '.join(powers)}"
        return Finding("roles", Level.WARN, said, "Create two roles with `fleet roles` (docs/operations.md).")
    return Finding("roles", Level.OK, "the app's database role may change rows, and neither tables nor the audit log")


def _server(database: Database) -> Iterator[Finding]:
    before = clock.now()
    with database.transaction() as tx:
        there = tx.now()
        after = clock.now()
        version = int(tx.scalar(sa.text("SELECT current_setting('server_version_num')::int")))
        vector = tx.scalar(sa.text("SELECT default_version FROM pg_available_extensions WHERE name = 'vector'"))
    yield _version(version, vector)
    apart_s = abs((there - (before + (after - before) / 2)).total_seconds())
    said = f"the database's clock and ours are {apart_s:.1f} s apart"
    if apart_s < _CLOCK_WARN_S:
        yield Finding("clock", Level.OK, said)
    else:
        level = Level.FAIL if apart_s > _CLOCK_FAIL_S else Level.WARN
        yield Finding("clock", level, said, "Let both machines keep time with NTP.")


def _version(version: int, vector: str | None) -> Finding:
    said = f"PostgreSQL {version // 10_000}.{version % 10_000}"
    if version < _OLDEST_POSTGRES * 10_000:
        return Finding("database", Level.FAIL, f"{said} is too old", f"Use {_OLDEST_POSTGRES} or newer; 18 is best.")
    return Finding("database", Level.OK, f"{said}, pgvector {vector or 'not available (only agent memory needs it)'}")
