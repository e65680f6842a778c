"""The reconciler: when stores are compared without anybody asking, and what other stores have."""

from __future__ import annotations

import uuid
from typing import Any

import sqlalchemy as sa

from fleet.engine import system_agents, tick
from fleet.engine.jobs.ticks import TickKey
from fleet.features.reconciliation import agent
from tests.features.reconciliation.planting import age
from tests.features.reconciliation.shown import compare, rows
from tests.features.stores.world import StoreWorld


def wake(stores: StoreWorld) -> dict[str, Any]:
    """Have the reconciler decide; return the outcome."""
    fleet = stores.fleet
    system_agents.staff(fleet.deps.db)
    agent_id: uuid.UUID = fleet.sql("UPDATE agents SET tick_no = tick_no + 1 WHERE kind = 'reconciler' RETURNING id") \
        .scalar_one()  # fmt: skip
    number = fleet.row(agent_id).tick_no
    fleet.sql("INSERT INTO ticks (agent_id, tick_no, due_at) VALUES (:id, :no, clock_timestamp())",
              id=agent_id, no=number)  # fmt: skip
    tick.tick(fleet.deps, TickKey(agent_id, number))
    row = fleet.sql("SELECT inputs, outcome, error FROM ticks WHERE agent_id = :id AND tick_no = :no", id=agent_id,
                    no=number).one()  # fmt: skip
    assert row.error is None
    agent.from_data(row.inputs)
    return dict(row.outcome)


def test_a_synced_store_is_compared_when_it_is_due(stores: StoreWorld) -> None:
    stores.shop.add("cup")
    assert wake(stores)["due"] == []  # it was never synced
    stores.sync()
    assert wake(stores)["due"] == ["shop"]
    assert wake(stores)["due"] == []  # one is running
    assert {job.kind: job.state for job in stores.work()} == {"reconcile_store": "done"}
    assert wake(stores)["due"] == []  # it is not due before tomorrow
    stores.fleet.sql("UPDATE reconciliations SET started_at = started_at - interval '25 h'")
    stores.setting("reconcile_every", "weekly")
    assert wake(stores)["due"] == []
    stores.setting("reconcile_every", "daily")
    assert wake(stores)["due"] == ["shop"]


def test_a_run_whose_job_ended_without_it_fails(stores: StoreWorld) -> None:
    stores.shop.add("cup")
    stores.sync()
    wake(stores)
    stores.fleet.sql("UPDATE jobs SET state = 'cancelled', finished_at = now(), error = 'called off'"
                     " WHERE kind = 'reconcile_store'")  # fmt: skip
    assert len(wake(stores)["lost"]) == 1
    assert stores.fleet.sql("SELECT state, problem FROM reconciliations").one() == ("failed", "called off")


def test_a_finding_shows_what_other_stores_have(stores: StoreWorld) -> None:
    cup = stores.shop.add("cup")
    stores.sync()
    stores.fleet.account("second", adapter="sandbox_shop", credentials=stores.shop.credentials)
    with stores.fleet.deps.db.transaction() as tx:
        copied = "INSERT INTO {0} ({1}) SELECT :second, {2} FROM {0} WHERE account_id = :first"
        for table in ("external_refs", "field_states"):
            names = [one["name"] for one in sa.inspect(tx.session.connection()).get_columns(table)
                     if one["name"] != "account_id"]  # fmt: skip
            columns = ", ".join(names)
            tx.execute(sa.text(copied.format(table, f"account_id, {columns}", columns)),
                       {"second": stores.fleet.accounts["second"], "first": stores.account_id})  # fmt: skip
    stores.shop.set_price(cup["variants"][0]["id"], 1500)
    age(stores)
    compare(stores)
    (row,) = rows(stores)
    assert (row.peers, row.context) == ({"second": {"minor": 1000, "currency": "EUR"}}, "peers_local")
