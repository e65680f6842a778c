"""What docs/data.md has people do to the tables does what the page says, on a real server and on a second one."""

from __future__ import annotations

import json
import re
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from fleet.access import Via, audit
from fleet.access.audit import Actor, acting
from fleet.cli.app import cli
from fleet.core import db, events
from fleet.core.db import Database
from fleet.core.events import Position
from fleet.engine.events import positions
from fleet.engine.events import restore_check as runtime_restored
from fleet.engine.events.restore_check import settle
from fleet.features.jobs import commands as job_commands
from fleet.sandbox.servers import binaries
from fleet.sandbox.servers.postgres import APP, OWNER, EmbeddedPostgres
from tests import ROOT
from tests.database_roles import as_owner, url_of
from tests.factories import Fleet

PAGE = (ROOT / "docs/data.md").read_text(encoding="utf-8")
FORGET_USER, FORGET_STRANGER = re.findall(r"^```sql\n(.*?)^```", PAGE, re.M | re.S)
SPEND_IDS = "DO $$ BEGIN FOR i IN 1..20000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$"


def plain(url: str) -> str:
    return url.replace("+psycopg", "")


def run(database: Database, statements: str) -> None:
    with database.transaction() as tx:
        for statement in statements.split(";"):
            tx.execute(sa.text(statement))


def heard(database: Database, at: Position) -> list[int]:
    """Return the numbers of the events after a position."""
    with database.transaction() as tx:
        return [int(event.payload["number"]) for event in events.read_after(tx, at) if event.subject == "job.done"]


def tell(database: Database, *numbers: int) -> None:
    for number in numbers:
        with database.transaction() as tx:
            events.emit(tx, "job.done", number=number)


def standing(database: Database, name: str) -> Position:
    with database.transaction() as tx:
        return positions.standing(tx, name)


@pytest.fixture
def restored(fleet: Fleet, tmp_path: Path) -> Iterator[Database]:
    """A second server with what pg_dump made of the first, where one reader has heard of 1 and 2 of four events."""
    old = fleet.deps.db
    with psycopg.connect(plain(fleet.deps.settings.database_url), autocommit=True) as connection:
        connection.execute(SPEND_IDS)
    tell(old, 1, 2)
    standing(old, "behind")  # a new reader begins with what happens from now on
    tell(old, 3, 4)
    standing(old, "up to date")
    tools, dump = binaries.find_postgres().folder, tmp_path / "fleet.dump"
    url = plain(url_of(fleet.deps.settings.database_url, OWNER))
    words = ["--format=custom", "--no-owner", "--no-privileges", f"--file={dump}"]
    subprocess.run([tools / "pg_dump", *words, url], check=True)
    server = EmbeddedPostgres(tmp_path / "second server", durable=False)
    server.start()
    new = server.ensure_ledger()
    words = ["--no-owner", "--no-privileges", "--exit-on-error", f"--dbname={plain(new.owner)}"]
    subprocess.run([tools / "pg_restore", *words, dump], check=True)
    db.migrate(new.owner, app_role=APP)
    database = Database(new.app)
    yield database
    database.close()
    server.stop()


def test_a_restored_dump_needs_no_migration_and_readers_go_on_where_they_stood(restored: Database) -> None:
    assert db.pending_migrations(restored) == []
    assert heard(restored, standing(restored, "behind")) == [], "what the page is about: the new server counts anew"
    tell(restored, 5)  # by somebody who was too quick
    assert heard(restored, standing(restored, "behind")) == []
    assert settle(restored)
    tell(restored, 6)
    assert heard(restored, standing(restored, "behind")) == [3, 4, 5, 6]
    assert heard(restored, standing(restored, "up to date"))[-1] == 6
    assert not settle(restored)
    with pytest.raises(sa.exc.ProgrammingError, match="permission denied"), restored.engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM audit"))


def test_a_ledger_of_this_server_is_left_alone(fleet: Fleet) -> None:
    tell(fleet.deps.db, 1)
    stood = standing(fleet.deps.db, "early")
    assert not settle(fleet.deps.db)
    assert standing(fleet.deps.db, "early") == stood


def test_readers_of_a_restored_ledger_without_events_begin_with_the_next_one(fleet: Fleet) -> None:
    standing(fleet.deps.db, "early")
    fleet.sql("UPDATE event_readers SET txid = txid + 1000000")
    result = CliRunner().invoke(cli, ["migrate"], env={"FLEET_DATABASE_URL": fleet.deps.settings.database_url})
    assert "It comes from another server" in result.output
    tell(fleet.deps.db, 1)
    assert 1 in heard(fleet.deps.db, standing(fleet.deps.db, "early"))


def test_what_was_killed_on_the_way_is_brought_to_its_end(restored: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime_restored, "_BATCH", 1)
    with pytest.raises(ZeroDivisionError), monkeypatch.context() as patched:
        patched.setattr(events, "put_first", lambda *_, **__: 1 / 0)
        settle(restored)
    assert settle(restored)
    assert heard(restored, standing(restored, "behind")) == [3, 4]


def test_a_removed_user_can_be_taken_out_of_the_log_which_then_refuses_again(fleet: Fleet, owner_url: str) -> None:
    for name in ("eve", "ann"):
        with acting(Actor(f"web:{name}", "owner", Via.SESSION, address="192.0.2.1")), fleet.deps.db.transaction() as tx:
            audit.note(tx, "kill_switch.thrown", "fleet")
    owner = Database(owner_url)
    run(owner, FORGET_USER)
    owner.close()
    with fleet.deps.db.transaction() as tx:
        lines = [(line.actor, line.address) for line in audit.page(tx, audit.AuditFilter(action="kill_switch.thrown"))]
    assert lines == [("web:ann", "192.0.2.1"), ("web:removed", None)]
    with pytest.raises(psycopg.errors.RestrictViolation, match="only grows"):
        as_owner(owner_url, "UPDATE audit SET actor = 'x'")


def test_a_stranger_is_taken_out_and_what_agents_did_stays_and_can_be_looked_at(fleet: Fleet) -> None:
    agent = fleet.agent()
    for tick_no, name in enumerate(("mara_k", "maraxk"), 1):
        seen = json.dumps({"seen": [{"id": "p1", "author": name, "caption": "A boat."}]})
        fleet.sql(
            """INSERT INTO jobs (id, agent_id, kind, target, payload, result, state, priority, max_attempts, expires_at,
                                 finished_at)
               VALUES (:id, :agent, 'comment', :target, :seen, :result, 'done', 'normal', 5, now(), now())""",
            id=uuid.UUID(int=tick_no), agent=agent, target=f"p{tick_no}", seen=seen,
            result=json.dumps({"text": "Nice light.", "to": name}),
        )  # fmt: skip
        fleet.sql(
            """INSERT INTO ticks (agent_id, tick_no, state, due_at, decided_at, inputs, outcome)
               VALUES (:agent, :no, 'decided', now(), now(), :seen, '{}')""",
            agent=agent, no=tick_no, seen=seen,
        )  # fmt: skip
        fleet.sql(
            "INSERT INTO events (subject, agent_id, payload) VALUES ('job.done', :agent, :told)",
            agent=agent, told=json.dumps({"to": name}),
        )  # fmt: skip
    run(fleet.deps.db, FORGET_STRANGER)
    everything = json.dumps([_rows(fleet, table) for table in ("jobs", "ticks", "events")], default=str)
    assert "mara_k" not in everything
    assert everything.count("maraxk") == 4, "the underscore stands for itself, and others stay"
    assert [row["result"]["text"] for row in _rows(fleet, "jobs")] == ["Nice light."] * 2
    for job in _rows(fleet, "jobs"):
        assert job_commands.show_job(fleet.deps, str(job["id"]))


def _rows(fleet: Fleet, table: str) -> list[dict[str, object]]:
    with fleet.deps.db.transaction() as tx:
        return [dict(row) for row in tx.execute(sa.text(f"SELECT * FROM {table}")).mappings()]
