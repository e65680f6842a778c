"""Owner, app and gallery, tried on a real server with the real credentials: what each may not do, and what all may.

The server is an embedded one as the version before left it: its superuser owned the tables and was everybody's role.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from fleet.access import audit
from fleet.access.audit import Actor
from fleet.access.principal import Via
from fleet.cli.app import cli
from fleet.core import db
from fleet.core.db import Database, roles
from fleet.core.db.roles import Login
from fleet.core.errors import InvalidInput
from fleet.engine.system_agents import staff
from fleet.sandbox.gallery.store.database import open_storage
from fleet.sandbox.servers.postgres import APP, GALLERY, OWNER, EmbeddedPostgres

PROGRAM = "COPY (SELECT 1) TO PROGRAM 'true'"
NOT_FOR_THE_APP = (
    "ALTER TABLE audit DISABLE TRIGGER audit_only_grows",
    "DROP TRIGGER audit_only_grows ON audit",
    "CREATE OR REPLACE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    "SET session_replication_role = replica",
    "UPDATE audit SET actor = 'eve'",
    "DELETE FROM audit",
    "TRUNCATE audit",
    "ALTER TABLE audit OWNER TO CURRENT_USER",
    "CREATE TRIGGER t BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION refuse_audit_change()",
    "CREATE RULE r AS ON INSERT TO audit DO INSTEAD NOTHING",
    "UPDATE approval_decisions SET id = id",
    "TRUNCATE approval_decisions",
    "UPDATE alembic_version SET version_num = '0001'",
    "CREATE TABLE more (a int)",
    "CREATE TEMP TABLE more (a int)",
    "CREATE SCHEMA more",
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE EXTENSION vector",
    "DROP TABLE jobs",
    "TRUNCATE jobs",
    "ALTER TABLE jobs ADD COLUMN more int",
    "COPY events FROM PROGRAM 'true'",
    PROGRAM,
    "COPY events TO '/tmp/fleet-events'",
    "SELECT pg_read_file('PG_VERSION')",
    "SELECT pg_ls_dir('.')",
    "SELECT lo_import('/etc/passwd')",
    "SELECT rolpassword FROM pg_authid",
    "ALTER SYSTEM SET fsync = off",
    "SELECT pg_reload_conf()",
    "CREATE ROLE eve SUPERUSER",
    f"ALTER ROLE {APP} SUPERUSER",
    f"ALTER ROLE {OWNER} PASSWORD 'eve'",
    f"SET ROLE {OWNER}",
    "SET SESSION AUTHORIZATION fleet",
    "CREATE DATABASE more",
    "DROP DATABASE gallery",
    "ALTER DEFAULT PRIVILEGES FOR ROLE fleet_owner GRANT ALL ON TABLES TO PUBLIC",
)
NOT_FOR_THE_OWNER = (
    PROGRAM,
    "COPY events FROM PROGRAM 'true'",
    "SELECT pg_read_file('PG_VERSION')",
    "ALTER SYSTEM SET fsync = off",
    f"ALTER ROLE {OWNER} SUPERUSER",
    "CREATE ROLE eve",
    "CREATE DATABASE more",
    "DROP DATABASE gallery",
    "SET session_replication_role = replica",
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A cluster of the version before, with a row in each database, as the start of this version leaves it."""
    made = EmbeddedPostgres(tmp_path_factory.mktemp("cluster") / "data", durable=False)
    made.start()
    try:
        _as_the_version_before(made)
        ledger = made.ensure_ledger()
        db.migrate(ledger.owner, app_role=APP)
        made.ensure_gallery()
        yield made
    finally:
        made.stop()


def _as_the_version_before(server: EmbeddedPostgres) -> None:
    url = server.ensure_database("fleet")
    db.migrate(url)
    database = Database(url)
    staff(database)
    with audit.acting(Actor("cli:ann", "owner", Via.TERMINAL)), database.transaction() as tx:
        audit.note(tx, "kill_switch.thrown", "fleet")
    database.close()
    open_storage(server.ensure_database("gallery"), pool_size=1).close()
    with server.connect("gallery") as connection:
        connection.execute("CREATE TABLE kept AS SELECT 'here' AS word")
        connection.execute("CREATE EXTENSION vector")
        connection.execute("CREATE TYPE mood AS ENUM ('well')")
        connection.execute("CREATE VIEW seen AS SELECT * FROM kept")


def connect(server: EmbeddedPostgres, role: str, database: str) -> psycopg.Connection:
    plain = server.url(database, role=role).replace("+psycopg", "")
    return psycopg.connect(plain, autocommit=True, connect_timeout=10)


@pytest.mark.parametrize("statement", NOT_FOR_THE_APP)
def test_the_apps_credentials_do_not_allow(server: EmbeddedPostgres, statement: str) -> None:
    with connect(server, APP, "fleet") as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement.encode())


@pytest.mark.parametrize("statement", NOT_FOR_THE_OWNER)
def test_the_owners_credentials_do_not_allow(server: EmbeddedPostgres, statement: str) -> None:
    with connect(server, OWNER, "fleet") as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement.encode())


def test_the_gallerys_credentials_run_no_program_of_the_server(server: EmbeddedPostgres) -> None:
    with connect(server, GALLERY, "gallery") as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(PROGRAM)


@pytest.mark.parametrize(
    ("role", "own", "others"),
    [(APP, "fleet", ("gallery", "postgres", "template1")), (OWNER, "fleet", ("gallery", "postgres", "template1")),
     (GALLERY, "gallery", ("fleet", "postgres", "template1"))],
)  # fmt: skip
def test_each_role_connects_to_its_own_database_only(
    server: EmbeddedPostgres, role: str, own: str, others: tuple[str, ...]
) -> None:
    connect(server, role, own).close()
    for other in others:
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            connect(server, role, other)


def test_a_cluster_of_the_version_before_keeps_its_rows(server: EmbeddedPostgres) -> None:
    with connect(server, APP, "fleet") as connection:
        assert connection.execute("SELECT actor FROM audit").fetchall() == [("cli:ann",)]
        assert connection.execute("SELECT count(*) > 0 FROM agents").fetchone() == (True,)
    with connect(server, GALLERY, "gallery") as connection:
        assert connection.execute("SELECT word FROM seen").fetchall() == [("here",)]
    open_storage(server.url("gallery", role=GALLERY), pool_size=1).close()


@pytest.mark.parametrize(("database", "role"), [("fleet", OWNER), ("gallery", GALLERY)])
def test_everything_in_a_database_belongs_to_its_owner(server: EmbeddedPostgres, database: str, role: str) -> None:
    with server.connect(database) as connection:
        assert connection.execute(roles._FOREIGN, [role]).fetchall() == []  # type: ignore[arg-type]
        owners = "SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        assert connection.execute(owners.encode()).fetchall() == [(role,)]


def test_a_second_start_changes_nothing_and_the_addresses_stay(server: EmbeddedPostgres) -> None:
    first = server.ensure_ledger()
    assert server.ensure_ledger() == first
    assert len({first.app, first.owner, server.ensure_gallery(), server.url()}) == 4
    connect(server, APP, "fleet").close()


def test_the_app_writes_rows_and_adds_to_the_audit(server: EmbeddedPostgres) -> None:
    with connect(server, APP, "fleet") as connection, connection.transaction(force_rollback=True):
        connection.execute("UPDATE agents SET name = name")
        connection.execute("SET LOCAL fleet.prunes = 'decisions'")
        connection.execute("DELETE FROM approval_decisions")
        connection.execute("INSERT INTO audit (actor, role, via, action, target) VALUES ('a', '', 'cli', 'x', 'y')")


def test_a_table_of_a_later_migration_is_the_apps_to_fill(server: EmbeddedPostgres) -> None:
    with connect(server, OWNER, "fleet") as owner, connect(server, APP, "fleet") as app:
        owner.execute("CREATE TABLE later (id bigserial PRIMARY KEY)")
        try:
            app.execute("INSERT INTO later DEFAULT VALUES")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app.execute("TRUNCATE later")
        finally:
            owner.execute("DROP TABLE later")


def test_what_the_app_may_do_too_much_is_found(server: EmbeddedPostgres) -> None:
    def found(role: str) -> list[str]:
        database = Database(server.url("fleet", role=role))
        try:
            with database.transaction() as tx:
                return roles.excess(tx)
        finally:
            database.close()

    assert found(APP) == []
    assert "owns the audit log and may switch off its trigger" in found(OWNER)
    assert found("fleet") == ["is a superuser"]
    with connect(server, OWNER, "fleet") as owner:
        owner.execute("GRANT UPDATE (actor) ON audit TO fleet_app")
        try:
            assert found(APP) == ["may change the audit log"]
        finally:
            owner.execute("REVOKE UPDATE (actor) ON audit FROM fleet_app")


def test_a_grant_that_went_too_far_is_taken_back_by_the_next_migration(server: EmbeddedPostgres) -> None:
    with connect(server, OWNER, "fleet") as owner:
        owner.execute("GRANT ALL ON audit TO PUBLIC, fleet_app")
        owner.execute("GRANT CREATE ON SCHEMA public TO fleet_app")
    db.migrate(server.url("fleet", role=OWNER), app_role=APP)
    with connect(server, APP, "fleet") as app:
        for statement in ("DELETE FROM audit", "CREATE TABLE more (a int)"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app.execute(statement.encode())


def test_a_missing_database_role_is_named_with_the_fix(server: EmbeddedPostgres) -> None:
    with pytest.raises(InvalidInput, match=r"no role nobody's.*`fleet roles` creates it"):
        db.migrate(server.url("fleet", role=OWNER), app_role="nobody's")


def test_a_superuser_is_refused_as_owner_or_app(server: EmbeddedPostgres) -> None:
    with pytest.raises(InvalidInput, match="fleet is a superuser"):
        roles.set_up(server.connect, "fleet", owner=Login(*server._login(OWNER)), app=Login("fleet", "x"))
    connect(server, "fleet", "fleet").close()  # its password is the old one


# On servers of one's own


def call(*words: str, **environment: str) -> Result:
    return CliRunner().invoke(cli, [*words], env={f"FLEET_{name.upper()}": url for name, url in environment.items()})


def given(server: EmbeddedPostgres, role: str, database: str = "odd-Name") -> str:
    address = sa.make_url(server.url(database)).set(username=role, password="p@ss/w:rd'")
    return address.set(drivername="postgresql").render_as_string(hide_password=False)


def test_fleet_roles_and_migrate_set_up_a_server_of_ones_own(server: EmbeddedPostgres, tmp_path: Path) -> None:
    with server.connect() as connection:
        connection.execute("CREATE ROLE admin LOGIN CREATEROLE CREATEDB PASSWORD 'p@ss/w:rd''' IN ROLE pg_monitor")
        connection.execute("GRANT CONNECT ON DATABASE postgres TO admin")
    own = {"database_url": given(server, "my-App"), "database_owner_url": given(server, "my-owner"),
           "gallery_database_url": given(server, "my-gallery", "my-pictures"), "home": str(tmp_path)}  # fmt: skip
    for _ in range(2):  # safe to repeat
        made = call("roles", **own, database_admin_url=given(server, "admin", "postgres"))
        assert (made.exit_code, made.stdout) == (
            0, "Database odd-Name: owner my-owner, app my-App. Next: `fleet migrate`.\n"
               "Database my-pictures: owner my-gallery.\n",
        ), made.output  # fmt: skip
    migrated = call("migrate", **own)
    assert migrated.exit_code == 0, migrated.output
    open_storage(own["gallery_database_url"].replace("://", "+psycopg://"), pool_size=1).close()
    with psycopg.connect(own["database_url"]) as app:
        assert app.execute("SELECT count(*) FROM audit").fetchone() == (0,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute("DELETE FROM audit")
    checked = call("check", **own)
    assert "may change rows, and neither tables nor the audit log" in checked.output
    as_owner = call("check", **{**own, "database_url": own["database_owner_url"]})
    assert "owns the audit log and may switch off its trigger" in " ".join(as_owner.output.split())


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"database_owner_url": ""}, "No roles are named"),
        ({"database_owner_url": "postgresql://my-App:x@h/odd"}, "name the same role, my-App"),
        ({"database_owner_url": "postgresql://owner@h/odd"}, "lacks a user or a password"),
        ({"database_admin_url": "what?"}, "FLEET_DATABASE_ADMIN_URL is no database address"),
        ({"database_admin_url": "postgresql://a:b@127.0.0.1:1/postgres"}, "cannot be reached"),
    ],
)
def test_fleet_roles_says_what_is_missing(changed: dict[str, str], words: str, tmp_path: Path) -> None:
    own = {"database_url": "postgresql://my-App:x@h/odd", "database_owner_url": "postgresql://owner:x@h/odd",
           "database_admin_url": "postgresql://a:b@h/postgres", "home": str(tmp_path)}  # fmt: skip
    result = call("roles", **{**own, **changed})
    assert result.exit_code != 0
    assert words in " ".join(result.stderr.split())


def test_fleet_migrate_refuses_an_owner_of_another_database(server: EmbeddedPostgres, tmp_path: Path) -> None:
    urls = {"database_url": server.url("fleet", role=APP), "database_owner_url": server.url("gallery", role=GALLERY)}
    result = call("migrate", **urls, home=str(tmp_path))
    assert result.exit_code != 0
    assert "names the database gallery" in " ".join(result.stderr.split())


def test_one_address_goes_on_working(fresh_database: str, tmp_path: Path) -> None:
    assert "up to date" not in call("migrate", database_url=fresh_database, home=str(tmp_path)).stdout
    assert "up to date" in call("migrate", database_url=fresh_database, home=str(tmp_path)).stdout
