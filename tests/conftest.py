"""Servers for the tests: one PostgreSQL and one Valkey for each test process, a database as if new for each test.

Both are the embedded servers, started when first asked for and stopped at the end, Ctrl-C included. With
FLEET_TEST_DATABASE_URL or FLEET_TEST_BROKER_URL set, those servers are used: tests make and drop databases
on the first and empty the second.
"""

from __future__ import annotations

import functools
import gc
import itertools
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import psycopg
import pytest
import redis
import sqlalchemy as sa
import structlog
from argon2 import PasswordHasher
from hypothesis.internal.conjecture import providers
from psycopg import sql

from fleet import app
from fleet.access import secret
from fleet.core import db, masking
from fleet.core.db import link as db_link
from fleet.core.db import roles
from fleet.engine import registry
from fleet.engine.registry import Registry
from fleet.sandbox.servers.postgres import APP, OWNER, EmbeddedPostgres
from fleet.sandbox.servers.valkey import EmbeddedValkey
from tests import compiled_once, quick
from tests.atproto import network
from tests.browser import chromium
from tests.database_pool import DatabasePool
from tests.database_roles import LOGINS, url_of
from tests.stores import servers as shops

if TYPE_CHECKING:
    from fleet.sandbox.shop.state import Shop
    from tests.factories import Fleet
    from tests.shops import ShopWorld
    from tests.web_client import Web

_TEMPLATE = "fleet_template"
_USUAL_LIMIT_S = 300.0  # as in pyproject.toml
SHIPPED_HASHER = secret._hasher
_ESTIMATED = functools.cache(secret._estimated)
_QUICK_HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)

hypothesis.settings.register_profile(
    "fleet",
    deadline=None,
    max_examples=60,
    derandomize="CI" in os.environ,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.register_profile("quick", hypothesis.settings.get_profile("fleet"), max_examples=15)
hypothesis.settings.load_profile("fleet")

# Until a door configures it, structlog shows an error with all the values that lead to it: seconds of work for each.
structlog.configure(
    processors=[
        *structlog.get_config()["processors"][:-1],
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ]
)


class PostgresForTests:
    """A server on which tests make and drop databases of their own."""

    def __init__(self, admin_url: str) -> None:
        self._admin = sa.make_url(admin_url)
        self._connection: psycopg.Connection | None = None
        self._prefix = f"t_{secrets.token_hex(3)}_"
        self._numbers = itertools.count(1)

    def url(self, database: str = "postgres", *, role: str | None = None) -> str:
        """Return the SQLAlchemy URL of a database on this server, the administrator's unless a role is named."""
        login = {} if role is None else {"username": role, "password": LOGINS[role].password}
        return self._admin.set(database=database, **login).render_as_string(hide_password=False)

    def make_template(self, name: str) -> None:
        """Create a database with all of Fleet's tables. The owner owns them, and the app has the grants of an app."""
        roles.set_up(self.connect, name, owner=LOGINS[OWNER], app=LOGINS[APP])
        db.migrate(self.url(name, role=OWNER), app_role=APP)

    def create_database(self, name: str | None = None, template: str | None = None) -> str:
        """Make a database, empty or as a copy of `template`, and return its URL."""
        name = name or f"{self._prefix}{next(self._numbers)}"
        order = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
        if template:
            order += sql.SQL(" TEMPLATE {} STRATEGY file_copy").format(sql.Identifier(template))
        self._run(order)
        return self.url(name)

    def drop_database(self, name_or_url: str) -> None:
        """Drop a database, cutting off whoever is still connected."""
        name = self.name_of(name_or_url) if "://" in name_or_url else name_or_url
        self._run(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def name_of(self, url: str) -> str:
        """Return the name of the database at a URL."""
        return str(sa.make_url(url).database)

    def unique_name(self, stem: str) -> str:
        """Return a database name that no other test process on this server uses."""
        return f"{stem}_{self._prefix.strip('_')}"

    def _run(self, order: sql.Composable) -> None:
        """Run an order on a connection that stays open: opening one costs as much as copying a small database."""
        if self._connection is None or self._connection.closed:
            self._connection = self.connect("postgres")
        self._connection.execute(order)

    def close(self) -> None:
        """Close the connection that was kept."""
        if self._connection is not None:
            self._connection.close()

    def connect(self, database: str) -> psycopg.Connection:
        """Open an autocommit connection as the administrator. Passwords that it sets are quick to check."""
        plain = self._admin.set(drivername="postgresql", database=database).render_as_string(hide_password=False)
        connection = psycopg.connect(plain, autocommit=True, connect_timeout=10)
        connection.execute("SET scram_iterations = 1")
        return connection


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(quick.OPTION, action="store_true", help="only tests without servers and processes")


def pytest_configure(config: pytest.Config) -> None:
    """Load all features, except where xdist's other processes run the tests; draw fewer examples in a quick run."""
    gc.disable()  # until all tests are collected: hardly anything of what is loaded goes again
    if not config.getoption("tx", None):
        app.load()
    if config.getoption(quick.OPTION):
        hypothesis.settings.load_profile("quick")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out of a quick run what asks for a server."""
    return (config.getoption(quick.OPTION) and quick.is_left_out(collection_path)) or None


@pytest.hookimpl(trylast=True)  # after pytest-randomly
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the tests that may take longest: begun last, they keep one process busy while the others are done."""
    if config.getoption(quick.OPTION):
        items[:] = [item for item in items if not quick.is_left_out_too(item)]
        for item in items:
            quick.draw_fewer(item)
    items.sort(key=_limit_s, reverse=True)


def _limit_s(item: pytest.Item) -> float:
    """Return a test's own time limit; tests of the usual one keep their order."""
    mark = item.get_closest_marker("timeout")
    return max(float(mark.args[0]), _USUAL_LIMIT_S) if mark else _USUAL_LIMIT_S


def pytest_collection_finish() -> None:
    """Have Hypothesis draw the same in every run where it is to (in CI).

    Among what it draws are constants of the modules that are loaded, and which those are depends on the tests that a
    process has run before, in an order of chance. All of a run's processes collect the same tests.
    """
    known = providers._get_local_constants()
    providers._get_local_constants = lambda: known
    # What is loaded by now stays: the collector need not look at it again and again.
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say once what was not looked at in a browser; the runner's own closing line comes after this."""
    skipped = terminalreporter.stats.get("skipped", [])
    left_out = [one for one in skipped if "browser" in getattr(one, "keywords", ())]  # a skipped module has none
    if left_out:
        why = chromium.lacking() or os.environ.get(chromium.GIVEN_UP, "")
        line = f"{len(left_out)} tests in a real browser were SKIPPED: {why}. {chromium.CALL}"
        terminalreporter.write_line(line, yellow=True)
    off_network = [one for one in skipped if "network" in getattr(one, "keywords", ())]
    if off_network:
        line = f"{len(off_network)} tests on the AT Protocol network were SKIPPED: {network.lacking()}. {network.CALL}"
        terminalreporter.write_line(line, yellow=True)
    without_shops = [one for one in skipped if "shops" in getattr(one, "keywords", ())]
    if without_shops:
        line = f"{len(without_shops)} tests on real shops were SKIPPED: {shops.lacking()}. {shops.CALL}"
        terminalreporter.write_line(line, yellow=True)


@functools.cache
def _import_commands() -> None:
    """Import the commands of all features: their options offer what is registered when their modules are imported."""
    from fleet.cli.commands.check import env_check

    assert [*env_check._of_commands()]


@pytest.fixture
def features() -> Iterator[Callable[..., Registry]]:
    """Load other features than all: `features("-webhooks")`. All of them are back when the test has ended."""
    before = registry.current()
    _import_commands()
    yield lambda *wanted: app.load(wanted)
    registry.use(before)


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the settings of whoever runs the tests out of them, and what other tests had concealed."""
    monkeypatch.setattr(masking, "_concealed", ())
    monkeypatch.setattr(db, "_CONNECT_S", 60)  # a busy machine takes its time over a new connection
    for name in list(os.environ):
        models = name.startswith(("ANTHROPIC_", "OPENAI_"))  # a key in the environment is used, and must not be here
        if models or (name.startswith("FLEET_") and not name.startswith("FLEET_TEST_")):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no pause of this process, on a machine that has much else to do, end a transaction that a test is in."""
    monkeypatch.setattr(db, "_SESSION", db._SESSION.replace("session_timeout=5s", "session_timeout=10min"))
    monkeypatch.setattr(db_link, "LONGEST_TRANSACTION", "20min")


@pytest.fixture(autouse=True)
def _brief_pings(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `fleet check` in this process wait a moment for workers, and not five seconds: a test has none, as a rule."""
    if "broker_url" in request.fixturenames:
        monkeypatch.setattr("fleet.cli.commands.check.checks_live._PING_S", 0.1)
        monkeypatch.setattr("fleet.cli.commands.check.checks_live._PATIENT_PING_S", 0.1)


@pytest.fixture(autouse=True)
def _quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash passwords the same way with less work: each one made or tried takes a sixth of a second of a processor."""
    monkeypatch.setattr(secret, "_hasher", _QUICK_HASHER)
    monkeypatch.setattr(secret, "_estimated", _ESTIMATED)


@pytest.fixture(autouse=True)
def _within_one_day() -> None:
    """Begin no test just before midnight UTC, when a day's budgets start again, or before 1:00, when its calls fold."""
    into_hour_s = time.time() % 3600
    if into_hour_s > 3540 and time.gmtime().tm_hour in (23, 0):
        time.sleep(3600.5 - into_hour_s)


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresForTests]:
    """The PostgreSQL server of this test process."""
    if given := os.environ.get("FLEET_TEST_DATABASE_URL"):
        with closing(PostgresForTests(given)) as server_given:
            yield server_given
        return
    with _folder_in_memory(tmp_path_factory) as folder:
        server = EmbeddedPostgres(folder / "data", durable=False)
        server.start()
        try:
            # Readers of events wait for every older transaction of the server, those of its own upkeep too: a test that
            # reads once what it has just written would find nothing while some table is being analysed.
            with server.connect() as connection:
                connection.execute("ALTER SYSTEM SET autovacuum = off")
                connection.execute("SELECT pg_reload_conf()")
                _hash_less(connection, server.url())
            with closing(PostgresForTests(server.url("postgres"))) as made:
                yield made
        finally:
            server.stop()


def _hash_less(connection: psycopg.Connection, url: str) -> None:
    """Set the same password with one round of hashing, not 4096: each test opens connections, and pays for each."""
    connection.execute("SET scram_iterations = 1")
    user = sa.make_url(url)
    order = sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(str(user.username)), str(user.password))
    connection.execute(order)


@contextmanager
def _folder_in_memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give a folder in memory where there is room: copying a database for each test is what the tests write most."""
    memory = Path("/dev/shm")
    if os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 2 * 1024**3:
        with tempfile.TemporaryDirectory(prefix="fleet-tests-", dir=memory) as folder:
            yield Path(folder)
    else:
        yield tmp_path_factory.mktemp("postgres")


@pytest.fixture
def fresh_database(postgres_server: PostgresForTests) -> Iterator[str]:
    """The URL of a new, empty database."""
    url = postgres_server.create_database()
    yield url
    postgres_server.drop_database(url)


@pytest.fixture(scope="session")
def migrated_template(postgres_server: PostgresForTests) -> Iterator[str]:
    """The name of a database with all of Fleet's tables and no rows, to copy from."""
    name = postgres_server.unique_name(_TEMPLATE)
    postgres_server.make_template(name)
    with pytest.MonkeyPatch.context() as monkeypatch:
        compiled_once.share(monkeypatch, postgres_server.url(name, role=APP))
        yield name
    postgres_server.drop_database(name)


@pytest.fixture(scope="session")
def database_pool(postgres_server: PostgresForTests, migrated_template: str) -> Iterator[DatabasePool]:
    """The databases that tests use one after another, each time as if new."""
    with closing(DatabasePool(postgres_server, migrated_template)) as pool:
        yield pool


@pytest.fixture
def database_url(postgres_server: PostgresForTests, database_pool: DatabasePool) -> Iterator[str]:
    """The URL of a database with all of Fleet's tables and no rows, for the app's role."""
    name = database_pool.take()
    yield postgres_server.url(name, role=APP)
    database_pool.give_back(name)


@pytest.fixture
def owner_url(database_url: str) -> str:
    """The URL of the same database for the owner of its tables."""
    return url_of(database_url, OWNER)


@pytest.fixture(scope="session")
def valkey_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the Valkey server of this test process; tests take `broker_url`, which is emptied first."""
    if given := os.environ.get("FLEET_TEST_BROKER_URL"):
        yield given
        return
    server = EmbeddedValkey(tmp_path_factory.mktemp("valkey") / "data", durable=False)
    server.start()
    try:
        yield server.url()
    finally:
        server.stop()


@pytest.fixture
def broker_url(valkey_server: str) -> str:
    """The URL of an empty Valkey database, shared with the other tests of this process one after another."""
    with redis.Redis.from_url(valkey_server) as client:
        client.flushdb()
    return valkey_server


@pytest.fixture
def private_valkey(tmp_path: Path) -> Iterator[EmbeddedValkey]:
    """A running Valkey of this test's own, to wipe, kill and start again."""
    server = EmbeddedValkey(tmp_path / "private valkey" / "data")
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def fleet(database_url: str) -> Iterator[Fleet]:
    """The loop with an in-memory surface, on a database of the test's own."""
    from tests.factories import make_fleet  # tests without a database do not load the engine

    made = make_fleet(database_url)
    yield made
    made.deps.close()


@pytest.fixture
def web(fleet: Fleet) -> Web:
    """The dashboard and the API over the test's own fleet."""
    from tests.web_client import Web

    return Web(fleet)


@pytest.fixture(scope="session")
def _shop_server(postgres_server: PostgresForTests) -> Iterator[Shop]:
    """The sandbox shop of this test process; tests take `sandbox_shop`, which is emptied first."""
    from tests import shops  # few tests need it

    url = postgres_server.create_database()
    with shops.serving(url) as shop:
        yield shop
    postgres_server.drop_database(url)


@pytest.fixture
def sandbox_shop(_shop_server: Shop) -> Iterator[ShopWorld]:
    """An empty sandbox shop over HTTP, with an adapter to it and hands that change it."""
    from tests import shops

    world = shops.emptied(_shop_server)
    yield world
    world.close()
