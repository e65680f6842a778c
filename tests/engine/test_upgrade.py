"""A database that an earlier version left at revision 0017 is migrated, and its open jobs go on.

`tests/data/ledger_0017.json.gz` holds the rows of a sandbox fleet that was killed while it worked: agents, jobs in
every state, drafts, approvals, a webhook, experiments, users. Its times are moved to now, so that nothing has expired.
"""

from __future__ import annotations

import gzip
import json
import re
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import alembic.command
import pytest
import sqlalchemy as sa

from fleet.core import db
from fleet.core.db import Database
from fleet.engine.agents.commands import settings_of
from fleet.engine.attempts.perform import perform
from fleet.engine.jobs.states import FINAL
from fleet.engine.sweep import sweep
from tests import TESTS
from tests.factories import Effect, Fleet, make_fleet

DATA = TESTS / "data" / "ledger_0017.json.gz"
TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00")
WRITES = ("post", "comment", "like")
Rows = dict[str, list[dict[str, Any]]]


def moved(rows: Rows) -> Rows:
    """Return the rows with every time moved by the age of the newest event."""
    age = datetime.now(UTC) - max(datetime.fromisoformat(row["occurred_at"]) for row in rows["events"])
    whole = timedelta(seconds=int(age.total_seconds()))

    def shift(value: Any) -> Any:
        is_time = isinstance(value, str) and TIME.fullmatch(value)
        return (datetime.fromisoformat(value) + whole).isoformat() if is_time else value

    return {
        table: [{name: shift(value) for name, value in row.items()} for row in found] for table, found in rows.items()
    }


@pytest.fixture
def rows() -> Rows:
    return moved(json.loads(gzip.decompress(DATA.read_bytes()))["tables"])


def migrate_to(revision: str, database: Database) -> None:
    with database.engine.connect() as connection:
        config = db._alembic_config()
        config.attributes["connection"] = connection
        alembic.command.upgrade(config, revision)
        connection.commit()


@pytest.fixture
def upgraded(fresh_database: str, rows: Rows) -> Iterator[Fleet]:
    """A fleet on a database that was filled at revision 0017 and then migrated."""
    database = Database(fresh_database, pool_size=1)
    migrate_to("0017", database)
    with database.transaction() as tx:
        for table, found in rows.items():
            source = f'json_populate_recordset(NULL::"{table}", :rows)'
            fill = f'INSERT INTO "{table}" OVERRIDING SYSTEM VALUE SELECT * FROM {source}'
            tx.execute(sa.text(fill), {"rows": json.dumps(found)})
        last = max(row["id"] for row in rows["events"])
        tx.execute(sa.text("SELECT setval(pg_get_serial_sequence('events', 'id'), :last)"), {"last": last})
    database.close()
    db.migrate(fresh_database)
    fleet = make_fleet(fresh_database)
    yield fleet
    fleet.deps.db.close()


def the_only(rows: Rows, **where: Any) -> dict[str, Any]:
    (found,) = (job for job in rows["jobs"] if where.items() <= job.items())
    return found


def test_open_jobs_of_an_older_version_end_once_and_under_their_own_keys(upgraded: Fleet, rows: Rows) -> None:
    opened = {job["id"]: job for job in rows["jobs"] if job["state"] not in FINAL and job["kind"] in WRITES}
    assert {job["state"] for job in opened.values()} == {"ready", "running", "sending", "unknown"}
    names = {row["id"]: row["username"] for row in rows["agents"]}
    sent = the_only(rows, kind="comment", state="sending")
    words = sent["checkpoint"]["words"]["text"]
    upgraded.surface.effects.append(
        Effect("before", "comment", names[sent["agent_id"]], sent["target"], words, sent["id"])
    )
    for _ in range(6):
        upgraded.lease_runs_out()
        sweep(upgraded.deps)
        upgraded.time_passes()
        for job in upgraded.jobs():
            if str(job.id) in opened and job.state not in FINAL:
                perform(upgraded.deps, job.id)
    ended = {str(job.id): job for job in upgraded.jobs() if str(job.id) in opened}
    assert {job.state for job in ended.values()} == {"done"}
    assert ended[sent["id"]].remote_id == "before"  # looked for and found, not sent a second time
    written = [effect.key for effect in upgraded.surface.effects]
    assert len(written) == len(set(written))
    assert set(written) == {i for i, job in opened.items() if job["kind"] in ("post", "comment")}
    said = {effect.key: effect.text for effect in upgraded.surface.effects}
    paid = [job for job in opened.values() if job["kind"] == "comment" and job["checkpoint"]]
    assert all(said[job["id"]] == job["checkpoint"]["words"]["text"] for job in paid)
    assert upgraded.words.calls == 0


def test_no_row_is_lost_by_the_upgrade(upgraded: Fleet, rows: Rows) -> None:
    for table, found in rows.items():
        count = upgraded.sql(f'SELECT count(*) FROM "{table}"').scalar()
        assert count >= len(found), table


def test_weights_totals_and_settings_of_agents_become_documents(upgraded: Fleet, rows: Rows) -> None:
    actions = ("post", "comment", "like", "browse")
    settings = ("scans", "scan_interval_s", "audience", "heeds_agents", "draft_days")
    gallery = [row for row in rows["agents"] if row["kind"] == "gallery"]
    assert any(row["autonomy"] == "supervised" for row in gallery) and any(row["total_posts"] for row in gallery)
    for was in rows["agents"]:
        row = upgraded.row(uuid.UUID(was["id"]))
        assert row.totals == {name: was[f"total_{name}s"] for name in actions if was[f"total_{name}s"]}
        is_gallery = was["kind"] == "gallery"
        assert row.weights == ({name: was[f"{name}_weight"] for name in actions} if is_gallery else {})
        if is_gallery:
            found = settings_of(row)
            assert {name: found[name] for name in settings} == {name: was[name] for name in settings}


def test_approval_rules_that_people_saved_before_0038_stay_in_force(fresh_database: str) -> None:
    database = Database(fresh_database, pool_size=1)
    migrate_to("0037", database)
    rules = [{"verb": "settings.change", "approvers": ["owner"]}]
    with database.transaction() as tx:
        tx.execute(
            sa.text("""INSERT INTO approval_rule_sets (version, rules, set_by, reason)
                       VALUES (1, :rules, 'ada', ''), (2, NULL, 'ada', ''), (3, :rules, 'ada', 'careful')"""),
            {"rules": json.dumps(rules)},
        )
    migrate_to("head", database)
    with database.transaction() as tx:
        found = tx.execute(sa.text("SELECT version, document, reason FROM documents ORDER BY revision")).all()
    database.close()
    assert [tuple(one) for one in found] == [(1, {"rules": rules}, ""), (2, None, ""), (3, {"rules": rules}, "careful")]
