"""Row level security as members of organisations meet it, at the database itself; and that nobody else does."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
import sqlalchemy as sa

from fleet.access import organisations
from fleet.access.models import DEFAULT_ORGANISATION
from fleet.core import db, events
from fleet.core.db import Base, Database, visibility
from fleet.core.db.sql import Statement
from fleet.core.errors import InvalidInput, NotFound
from fleet.engine import controls
from fleet.engine.agents import commands
from fleet.engine.agents.commands import NewAgent
from fleet.engine.agents.models import AgentRow
from fleet.engine.system_agents import staff
from tests.database_roles import as_owner
from tests.engine.test_plans import _GROW, _live_once
from tests.factories import Fleet

WEIGHTS = {"post": 1.0, "comment": 1.0, "like": 1.0, "browse": 1.0}
MINE = frozenset({DEFAULT_ORGANISATION})


def another(fleet: Fleet, name: str = "Client Two") -> uuid.UUID:
    with fleet.deps.db.transaction() as tx:
        return organisations.create(tx, name).id


def agent_of(fleet: Fleet, organisation_id: uuid.UUID, username: str) -> uuid.UUID:
    with fleet.deps.db.transaction() as tx:
        return commands.create(
            tx, NewAgent(username, username, WEIGHTS, kind="gallery", organisation_id=organisation_id)
        )


def names(database: Database) -> list[str]:
    with database.transaction() as tx:
        return sorted(tx.session.scalars(sa.select(AgentRow.username)))


def test_every_table_says_what_members_of_organisations_see_of_it() -> None:
    own = [mapper for mapper in Base.registry.mappers if mapper.class_.__module__.startswith("fleet.")]
    silent = [mapper.class_.__name__ for mapper in own if visibility.rows_of(mapper.local_table) is None]
    assert len(own) > 30
    assert silent == [], "add `Rows(...).args` to __table_args__ (fleet/core/db/visibility.py)"


def test_a_restricted_transaction_sees_and_changes_its_own_organisations_alone(fleet: Fleet) -> None:
    staff(fleet.deps.db)
    other = another(fleet)
    agent_of(fleet, DEFAULT_ORGANISATION, "ours")
    theirs = agent_of(fleet, other, "theirs")
    assert names(fleet.deps.db) == [
        "fleet_approvals",
        "fleet_forecast",
        "fleet_health",
        "fleet_hooks",
        "fleet_leader",
        "fleet_metrics",
        "fleet_pricing",
        "fleet_reconciler",
        "fleet_tuning",
        "ours",
        "theirs",
    ]
    with visibility.restricted(MINE):
        assert names(fleet.deps.db) == ["ours"]
        assert [row.username for row in fleet.deps.db.run(Statement(sa.select(AgentRow.username)))] == ["ours"]
        with fleet.deps.db.transaction() as tx:
            changed = tx.execute(sa.update(AgentRow).values(name="taken")).rowcount
            assert changed == 1
            events.emit(tx, "agent.updated", agent_id=None, agent="ours")
        for wrong in (
            lambda tx: events.emit(tx, "agent.updated", agent_id=theirs),
            lambda tx: tx.execute(sa.update(AgentRow).values(organisation_id=other)),
            lambda tx: controls.pause(tx, "fleet", "*", by="eve"),
            lambda tx: controls.pause(tx, "agent", str(theirs), by="eve"),
        ):
            with pytest.raises(NotFound, match="another organisation"), fleet.deps.db.transaction() as tx:
                wrong(tx)
    with visibility.restricted(frozenset()):
        assert names(fleet.deps.db) == []
    assert names(fleet.deps.db) == [
        "fleet_approvals",
        "fleet_forecast",
        "fleet_health",
        "fleet_hooks",
        "fleet_leader",
        "fleet_metrics",
        "fleet_pricing",
        "fleet_reconciler",
        "fleet_tuning",
        "ours",
        "theirs",
    ]


def test_a_restriction_ends_with_its_transaction_and_a_joined_one_keeps_its_own(fleet: Fleet) -> None:
    other = another(fleet)
    agent_of(fleet, other, "theirs")
    with visibility.restricted(MINE), fleet.deps.db.transaction() as tx, fleet.deps.db.joined(tx):
        assert names(fleet.deps.db) == []
        with visibility.restricted(None):
            assert names(fleet.deps.db) == ["theirs"]
        assert names(fleet.deps.db) == []
    assert names(fleet.deps.db) == ["theirs"]
    with pytest.raises(ZeroDivisionError), visibility.restricted(MINE), fleet.deps.db.transaction():
        raise ZeroDivisionError
    assert names(fleet.deps.db) == ["theirs"]


def test_a_restricted_caller_shares_no_group_commit(fleet: Fleet) -> None:
    seen: list[Any] = []

    def carry_out(items: list[str], patience_ms: int) -> list[str]:
        with fleet.deps.db.transaction() as tx:
            seen.append((items, tx.scalar(sa.text("SELECT current_user::text")), tx.organisations))
        return items

    with visibility.restricted(MINE):
        fleet.deps.db.together(carry_out, "mine")
    fleet.deps.db.together(carry_out, "all")
    assert seen == [(["mine"], "fleet_app_member", MINE), (["all"], "fleet_app", None)]


def test_plans_of_the_loop_are_those_of_tables_without_policies(
    fleet: Fleet, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    met: dict[bytes, dict[str, Any]] = {}
    run = Statement.run

    def noted(self: Statement, connection: Any, values: dict[str, Any], **more: Any) -> Any:
        found = run(self, connection, values, **more)
        met[self._compiled[0]] = dict(values)
        return found

    for _ in range(3):
        fleet.agent(weights={"browse": 1.0})
    for statement in _GROW.split(";")[:-1]:
        fleet.sql(statement)
    monkeypatch.setattr(Statement, "run", noted)
    _live_once(fleet)
    monkeypatch.undo()
    with_policies = plans(fleet, met)
    tables = [name for name, one in Base.metadata.tables.items() if visibility.rows_of(one) is not visibility.ALL]
    as_owner(database_url, *(f"ALTER TABLE {name} DISABLE ROW LEVEL SECURITY" for name in tables))
    assert len(with_policies) > 10
    assert plans(fleet, met) == with_policies


def plans(fleet: Fleet, met: dict[bytes, dict[str, Any]]) -> dict[bytes, list[Any]]:
    found = {}
    for sql, values in met.items():
        with fleet.deps.db.transaction() as tx:
            rows = tx._driver.execute(b"EXPLAIN (COSTS OFF) " + sql, values).fetchall()
            # In which order a filter tests its conditions is no other plan: it depends on how many kinds are listed.
            found[sql] = ["".join(sorted(line)) if "Filter:" in line else line for (line,) in rows]
    return found


def test_a_database_without_the_members_role_makes_no_organisation(fresh_database: str) -> None:
    db.migrate(fresh_database)
    database = Database(fresh_database)
    try:
        with database.transaction() as tx:
            assert [one.name for one in organisations.listed(tx)] == ["default"]
            with pytest.raises(InvalidInput, match="`fleet roles`"):
                organisations.create(tx, "Client Two")
    finally:
        database.close()
