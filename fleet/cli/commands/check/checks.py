"""The checks behind `fleet check`: each looks at one thing and says ok, warn or fail, with the fix.

A later check is left out when what it stands on has failed. Nothing is changed but a file that is written to the home
and taken away again.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import sqlalchemy as sa

import fleet.app
from fleet.cli.commands.check import env_check
from fleet.cli.frame import paths
from fleet.cli.frame.check_result import CheckLevel, CheckResult, fail, ok, warn
from fleet.cli.frame.context import Door
from fleet.core import clock, db, logs
from fleet.core.db import Database, roles
from fleet.core.errors import FleetError
from fleet.core.settings import Settings
from fleet.engine import registry
from fleet.engine.registry import CheckStage
from fleet.images.object_settings import ObjectSettings
from fleet.sandbox.processes.runfile import RunFile

_OLDEST_POSTGRES = 14
_CLOCK_WARN_S, _CLOCK_FAIL_S = 2.0, 60.0
_DISK_WARN_BYTES, _DISK_FAIL_BYTES = 1_000_000_000, 100_000_000


def run(door: Door) -> Iterator[CheckResult]:
    """Look at everything, in the order in which things stand on one another."""
    from fleet.cli.commands.check import checks_keys, checks_live

    try:
        settings = door.settings
    except FleetError as error:
        yield _failed("settings", error)
        yield from _without_servers(door)
        return
    yield _settings(settings)
    yield from (warn("settings", words, "docs/settings.md has all there are.") for words in env_check.found())
    yield from _home(settings)
    sound = yield from _registered(CheckStage.FILES, settings)
    yield from _registered(CheckStage.SETTINGS, settings)
    database_ok = yield from _database(settings)
    if database_ok:
        yield from _registered(CheckStage.TABLES, settings)
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


def _without_servers(door: Door) -> Iterator[CheckResult]:
    """Look at what can be looked at when no database is known."""
    try:
        settings = paths.given(door.home)
    except FleetError:
        return
    yield from _home(settings)
    yield from _registered(CheckStage.FILES, settings)


def _registered(stage: CheckStage, settings: Settings) -> Generator[CheckResult, None, bool]:
    """Yield what the checks of features find; returns whether none failed."""
    sound = True
    for check in registry.current().checks(stage):
        try:
            for finding in registry.load(check.run)(settings):
                sound = sound and finding.level is not CheckLevel.FAIL
                yield finding
        except FleetError as error:
            sound = False
            yield _failed(check.about, error)
    return sound


def _failed(about: str, error: FleetError) -> CheckResult:
    return fail(about, error.message, error.fix)


def _guarded(about: str, look: Callable[[], CheckResult]) -> Iterator[CheckResult]:
    try:
        yield look()
    except FleetError as error:
        yield _failed(about, error)


def _settings(settings: Settings) -> CheckResult:
    said = f"database {_place(settings.database_url)}, broker {_place(settings.broker_url)}, tempo {settings.tempo:g}"
    if not settings.label_agents:
        why = f"agents are not labelled as automated: {settings.label_off_reason}"
        return warn("settings", why, "Labels may be off on surfaces of your own only.")
    if settings.dry_run:
        return warn("settings", f"dry run: nothing is sent; {said}", "Unset FLEET_DRY_RUN to send.")
    return ok("settings", said)


def _place(url: str) -> str:
    return logs.mask(url) if url else "not set"


def _home(settings: Settings) -> Iterator[CheckResult]:
    home = settings.home.absolute()
    if not home.exists():
        yield ok("home", f"{home} is not there yet; `fleet up` makes it")
        return
    probe = home / ".check"
    try:
        probe.write_text("x")
        probe.unlink()
    except OSError as error:
        said = f"{home} cannot be written ({error.strerror})"
        keeps_pictures = isinstance(settings, ObjectSettings) and not settings.objects
        if settings.database_url and not keeps_pictures and RunFile.last(home) is None:  # as in a container
            yield ok("home", f"{said} and nothing needs to: servers and pictures are elsewhere")
        else:
            yield fail("home", said, "Choose a folder of your own with --home or FLEET_HOME.")
        return
    yield _disk(home)


def _disk(home: Path) -> CheckResult:
    free = shutil.disk_usage(home).free
    level = (
        CheckLevel.FAIL if free < _DISK_FAIL_BYTES else CheckLevel.WARN if free < _DISK_WARN_BYTES else CheckLevel.OK
    )
    fix = None if level is CheckLevel.OK else "Free some space; databases stop when the disk is full."
    return CheckResult("home", level, f"{home}, {free / 1e9:.1f} GB free", fix)


def _database(settings: Settings) -> Generator[CheckResult, None, bool]:
    """Yield what there is to say; returns whether Fleet's tables can be used."""
    try:
        database = Database(settings.database_url, pool_size=1)
    except FleetError as error:
        yield _failed("database", error)
        return False
    try:
        yield from _server(database)
        pending = db.pending_migrations(database, fleet.app.migration_folders())
    except FleetError as error:
        yield _failed("database", error)
        return False
    finally:
        database.close()
    if pending:
        missing = f"{len(pending)} step{'s' if len(pending) > 1 else ''} missing: {', '.join(pending)}"
        yield fail("migrations", missing, "Run `fleet migrate`.")
        return False
    yield ok("migrations", "up to date")
    yield from _guarded("roles", lambda: _roles(settings))
    return True


def _roles(settings: Settings) -> CheckResult:
    database = Database(settings.database_url, pool_size=1)
    try:
        with database.transaction() as tx:
            powers = roles.excess(tx)
    finally:
        database.close()
    if powers:
        said = f"the role of FLEET_DATABASE_URL {', '.join(powers)}"
        return warn("roles", said, "Create two roles with `fleet roles` (docs/operations.md).")
    return ok("roles", "the app's database role may change rows, and neither tables nor the audit log")


def _server(database: Database) -> Iterator[CheckResult]:
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
        yield ok("clock", said)
    else:
        level = CheckLevel.FAIL if apart_s > _CLOCK_FAIL_S else CheckLevel.WARN
        yield CheckResult("clock", level, said, "Let both machines keep time with NTP.")


def _version(version: int, vector: str | None) -> CheckResult:
    said = f"PostgreSQL {version // 10_000}.{version % 10_000}"
    if version < _OLDEST_POSTGRES * 10_000:
        return fail("database", f"{said} is too old", f"Use {_OLDEST_POSTGRES} or newer; 18 is best.")
    return ok("database", f"{said}, pgvector {vector or 'not available (only agent memory needs it)'}")
