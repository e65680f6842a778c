"""A ledger that grows: pages that go down a long list, counts that stop, and prune, which takes only what it may."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import alembic.command
import pytest
import sqlalchemy as sa

from fleet.core import db, events
from fleet.core.db import Base, Database
from fleet.core.db.sql import Statement
from fleet.core.errors import NotFound
from fleet.engine import sweep
from fleet.engine.deps import Deps
from fleet.engine.jobs import lists
from fleet.engine.jobs.models import JobRow
from fleet.engine.jobs.queries import JobFilter
from fleet.engine.jobs.states import FINAL, LEASED, DeadReason, JobState
from fleet.engine.policy import Priority
from fleet.features.activity import queries as activity_queries
from fleet.features.jobs import commands as job_commands
from fleet.features.publishing.kinds import COMMENT, LIKE, POST, PROVISION
from tests.database_roles import as_owner
from tests.factories import Fleet

_TARGETS = itertools.count()


def job(fleet: Fleet, agent: uuid.UUID, state: JobState, *, kind: str = POST, made_h: float = 0.0,
        ended_h: float = 0.0, reason: DeadReason = DeadReason.EXHAUSTED) -> uuid.UUID:  # fmt: skip
    """Add a job that is in a state, made and ended so many hours ago."""
    job_id = uuid.uuid4()
    fleet.sql(
        "INSERT INTO jobs (id, agent_id, kind, priority, surface, target, state, max_attempts, expires_at, created_at,"
        " finished_at, lease_until, dead_reason) SELECT :id, :agent, :kind, 'normal', 'floimg', :target, :state, 5,"
        " now, now - make_interval(secs => :made), CASE WHEN :ended THEN now - make_interval(secs => :at) END,"
        " CASE WHEN :leased THEN now END, :reason FROM (SELECT clock_timestamp() AS now) AS clock",
        id=job_id, agent=agent, kind=str(kind), target=f"p{next(_TARGETS)}", state=str(state), made=made_h * 3600.0,
        ended=state in FINAL, at=ended_h * 3600.0, leased=state in LEASED,
        reason=str(reason) if state == JobState.DEAD else None,
    )  # fmt: skip
    return job_id


def found(fleet: Fleet, which: JobFilter, **page: Any) -> list[uuid.UUID]:
    with fleet.deps.db.transaction() as tx:
        return [row.id for row in lists.find(tx, which, **page)]


def pages(read: Callable[[Any], list[Any]]) -> list[Any]:
    """Go down a list page by page, each below the last of the one above."""
    met: list[Any] = []
    while page := read(met[-1] if met else None):
        met += page
    return met


@pytest.mark.parametrize(
    "which",
    [JobFilter(), JobFilter(states=(JobState.DEAD,)), JobFilter(states=(JobState.SKIPPED, JobState.READY))],
    ids=["all", "dead", "two states"],
)
def test_pages_below_one_another_show_every_job_once_in_the_order_of_the_list(fleet: Fleet, which: JobFilter) -> None:
    agent = fleet.agent()
    for n, state in enumerate((JobState.DEAD, JobState.SKIPPED, JobState.READY) * 3):
        job(fleet, agent, state, made_h=n, ended_h=9 - n)
    # Jobs of one decision are born in one moment; their ids then say which comes first.
    fleet.sql("UPDATE jobs SET created_at = (SELECT max(created_at) FROM jobs), finished_at = finished_at")
    whole = found(fleet, which, limit=50)
    assert pages(lambda last: found(fleet, which, limit=2, before=last)) == whole


def test_a_page_that_ends_the_list_knows_how_many_there_are(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "MOST_COUNTED", 5)
    agent = fleet.agent()
    first = job(fleet, agent, JobState.READY)
    for number in range(1, 7):
        with fleet.deps.db.transaction() as tx:
            for limit in (1, 3, 20):
                total = lists.page(tx, JobFilter(), limit=limit)[1]
                assert total == (number if number <= 5 else None), limit
            assert lists.page(tx, JobFilter(), before=first)[1] == (number if number <= 5 else None)
        job(fleet, agent, JobState.READY, made_h=number)


def test_a_new_job_above_does_not_shift_the_page_below(fleet: Fleet) -> None:
    agent = fleet.agent()
    first, second, third = (job(fleet, agent, JobState.READY, made_h=n) for n in range(3))
    assert found(fleet, JobFilter(), limit=1) == [first]
    job(fleet, agent, JobState.READY, made_h=-1)
    assert found(fleet, JobFilter(), limit=2, before=first) == [second, third]


def test_dead_letters_are_listed_by_when_they_died(fleet: Fleet) -> None:
    agent = fleet.agent()
    late = job(fleet, agent, JobState.DEAD, made_h=30, ended_h=1)
    early = job(fleet, agent, JobState.DEAD, made_h=20, ended_h=10)
    assert found(fleet, JobFilter(states=(JobState.DEAD,))) == [late, early]
    assert found(fleet, JobFilter()) == [early, late]


def test_a_page_below_a_job_that_is_gone_is_refused(fleet: Fleet) -> None:
    with pytest.raises(NotFound, match="cannot begin below it"):
        found(fleet, JobFilter(), before=uuid.uuid4())


def test_every_filter_finds_what_it_says(fleet: Fleet) -> None:
    agents = [fleet.agent(), fleet.agent()]
    kinds = (POST, LIKE, PROVISION)
    for agent, kind, state, hours in itertools.product(agents, kinds, JobState, (1.0, 5.0)):
        job(fleet, agent, state, kind=kind, made_h=hours, ended_h=hours / 2)
    rows = fleet.jobs()
    wanted_states = (
        (),
        (JobState.SKIPPED,),
        (JobState.DONE, JobState.CANCELLED),
        (JobState.RUNNING,),
        (JobState.RUNNING, JobState.DEAD),
        (JobState.DEAD,),
    )
    for states, of_kinds, agent, newer in itertools.product(
        wanted_states, ((), kinds[:1], kinds[1:]), (None, agents[0]), (None, timedelta(hours=3))
    ):
        which = JobFilter(states=states, kinds=of_kinds, agent_id=agent, newer_than=newer)
        expected = {row.id for row in rows if _matches(row, which, hours=3)}
        assert set(found(fleet, which, limit=500)) == expected, which
        with fleet.deps.db.transaction() as tx:
            assert lists.count(tx, which) == len(expected), which


@pytest.mark.parametrize(
    ("which", "index"),
    [
        (JobFilter(states=(JobState.SKIPPED,)), "ix_jobs_undone"),
        (JobFilter(priority=Priority.NORMAL), "ix_jobs_rare"),
        (JobFilter(agent_id=uuid.UUID(int=7)), "ix_jobs_agent"),
    ],
)
def test_what_is_looked_for_kind_by_kind_is_found_by_its_index(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, which: JobFilter, index: str
) -> None:
    fleet.sql(
        "INSERT INTO jobs (id, agent_id, kind, priority, max_attempts, expires_at, state, created_at, finished_at)"
        " SELECT gen_random_uuid(), :agent, 'post', 'normal', 3, now(), 'done', now() - n * interval '1 min', now()"
        " FROM generate_series(1, 5000) n", agent=fleet.agent(),
    )  # fmt: skip
    as_owner(fleet.deps.settings.database_url, "ANALYZE jobs")
    plans: list[str] = []
    run = Statement.run

    def explained(self: Statement, connection: Any, values: dict[str, Any], **time: Any) -> Any:
        plans.append(" ".join(row[0] for row in connection.execute(b"EXPLAIN " + self._compiled[0], values)))
        return run(self, connection, values, **time)

    monkeypatch.setattr(Statement, "run", explained)
    with fleet.deps.db.transaction() as tx:
        lists.find(tx, which)
        lists.count(tx, which)
    assert [index in plan for plan in plans] == [True, True]


def test_a_rare_state_has_a_plan_of_its_own_however_often_common_ones_were_asked_for(fleet: Fleet) -> None:
    for _ in range(7):  # after five calls the server keeps a plan for any value of what is prepared
        found(fleet, JobFilter(states=(JobState.DEAD,), kinds=(POST,), newer_than=timedelta(hours=1)))
        job_commands.list_jobs(fleet.deps, JobFilter(agent_id=uuid.uuid4()))
    kept_ones = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%FROM jobs%'"
    with fleet.deps.db.transaction() as tx:  # of the connection that was used
        assert tx.scalar(sa.text(kept_ones)) == 0


def _matches(row: JobRow, which: JobFilter, *, hours: float) -> bool:
    young = row.expires_at - (row.finished_at or row.created_at) < timedelta(hours=hours)
    return (
        (not which.states or row.state in which.states)
        and (not which.kinds or row.kind in which.kinds)
        and which.agent_id in (None, row.agent_id)
        and (which.newer_than is None or young)
    )


@pytest.mark.parametrize("subjects", [(), ("a.one",), ("a.*",), ("a.two", "b.*")])
def test_pages_of_activity_show_every_event_once_newest_first(fleet: Fleet, subjects: tuple[str, ...]) -> None:
    with fleet.deps.db.transaction() as tx:
        for n in range(12):
            events.emit(tx, ("a.one", "a.two", "b.three")[n % 3], n=n)

    def read(last: Any) -> list[Any]:
        return activity_queries.latest(fleet.deps, subjects=subjects, before=last and last.position.id, limit=3)

    met = [event.payload["n"] for event in pages(read)]
    names = ("a.one", "a.two", "b.three")
    wanted = [n for n in reversed(range(12)) if not subjects or any(events.matches(names[n % 3], s) for s in subjects)]
    assert met == wanted


def kept(deps: Deps, **settings: Any) -> Deps:
    return replace(deps, given=deps.settings.model_copy(update=settings))


def test_prune_keeps_live_unknown_and_protected_rows(fleet: Fleet) -> None:
    agent, old = fleet.agent(), 24.0 * 400
    stay = {
        job(fleet, agent, state, kind=kind, made_h=old, ended_h=old, reason=DeadReason.UNKNOWN_OUTCOME)
        for kind in (POST, LIKE)
        for state in JobState
        if state not in FINAL or state == JobState.DEAD
    }
    stay |= {job(fleet, agent, JobState.DONE, kind=kind, made_h=old, ended_h=old)
             for kind in (LIKE, COMMENT)}  # fmt: skip
    stay |= {job(fleet, agent, JobState.DONE, made_h=old, ended_h=24)}
    for kind in (POST, LIKE):
        for state in (JobState.SKIPPED, JobState.CANCELLED):
            job(fleet, agent, state, kind=kind, made_h=old, ended_h=old)
    job(fleet, agent, JobState.DONE, made_h=old, ended_h=old)
    fleet.sql("INSERT INTO ticks (agent_id, tick_no, state, due_at) VALUES (:a, 7, 'due', :t)", a=agent,
              t="2020-01-01Z")  # fmt: skip
    assert sweep.prune(fleet.deps) == 5
    assert {row.id for row in fleet.jobs()} == stay
    assert fleet.sql("SELECT count(*) FROM ticks").scalar() == 1


def old_events(fleet: Fleet, number: int) -> None:
    fleet.sql("INSERT INTO events (subject, occurred_at) SELECT 'old', clock_timestamp() - interval '90 days'"
              " FROM generate_series(1, :number)", number=number)  # fmt: skip


def left(fleet: Fleet) -> int:
    return int(fleet.sql("SELECT count(*) FROM events WHERE subject = 'old'").scalar())


def test_prune_goes_batch_by_batch_until_all_is_gone_and_leaves_the_young(fleet: Fleet) -> None:
    old_events(fleet, 250)
    fleet.sql("INSERT INTO events (subject) VALUES ('young')")
    deps = kept(fleet.deps, prune_batch=100)
    assert [sweep.prune_batch(deps, events.prune) for _ in range(4)] == [100, 100, 50, 0]
    old_events(fleet, 250)  # behind a young one: an event is as old as those before it
    fleet.sql("DELETE FROM events WHERE subject = 'young'")
    assert sweep.prune(deps) == 250
    assert left(fleet) == 0


def test_prune_ends_when_its_time_is_up_and_goes_on_at_the_next_call(fleet: Fleet) -> None:
    old_events(fleet, 10)
    assert sweep.prune(fleet.deps, for_s=0.0) == 0
    assert left(fleet) == 10
    assert sweep.prune(fleet.deps) == 10


def test_two_prunes_do_not_wait_for_one_another(fleet: Fleet) -> None:
    old_events(fleet, 10)
    with fleet.deps.db.transaction() as tx:
        tx.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": sweep._PRUNE_LOCK})
        assert sweep.prune(fleet.deps) == 0
    assert sweep.prune(fleet.deps) == 10


def test_a_policy_of_fewer_days_takes_more(fleet: Fleet) -> None:
    agent = fleet.agent()
    job(fleet, agent, JobState.DONE, made_h=100, ended_h=72)
    assert sweep.prune(kept(fleet.deps, retention_days=4)) == 0
    assert sweep.prune(kept(fleet.deps, retention_days=2)) == 1


def test_the_indexes_of_the_models_are_those_of_the_migrations(database_url: str) -> None:
    database = Database(database_url)
    with database.engine.connect() as connection:
        inspector = sa.inspect(connection)
        for name, table in Base.metadata.tables.items():
            made = {index["name"]: index["column_names"] for index in inspector.get_indexes(name)
                    if not index.get("duplicates_constraint")}  # fmt: skip
            asked = {
                index.name: [one.name if isinstance(one, sa.Column) else None for one in index.expressions]
                for index in table.indexes
            }
            retired = {"ix_jobs_comments", "ix_jobs_paced_out"}  # for workers of the version before (migrations/env.py)
            assert made.keys() - asked.keys() <= retired, name
            assert {index: columns for index, columns in made.items() if index not in retired} == asked, name
    database.close()


def test_an_interrupted_migration_starts_over(fresh_database: str) -> None:
    db.migrate(fresh_database)
    database = Database(fresh_database)
    with database.engine.connect() as connection:
        config = db._alembic_config()
        config.attributes["connection"] = connection
        alembic.command.downgrade(config, "0002")  # what came later is of no concern here
        connection.commit()
    with database.transaction() as tx:
        tx.execute(sa.text("UPDATE alembic_version SET version_num = '0001'"))
        tx.execute(sa.text("DROP INDEX ix_jobs_agent"))
        tx.execute(sa.text("CREATE INDEX ix_jobs_agent ON jobs (agent_id)"))
    db.migrate(fresh_database)
    with database.transaction() as tx:
        made = str(tx.scalar(sa.text("SELECT indexdef FROM pg_indexes WHERE indexname = 'ix_jobs_agent'")))
    assert "(agent_id, kind, created_at)" in made
    assert db.pending_migrations(database) == []
    database.close()
