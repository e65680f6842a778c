"""What a monitor is told, on real servers: numbers that are the ledger's, in time, even when the servers are away."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from prometheus_client.parser import text_string_to_metric_families

from fleet.core import events, queue
from fleet.core.db import Database, Tx
from fleet.core.errors import InvalidInput
from fleet.core.queue import Message
from fleet.engine import deps as runtime_deps
from fleet.engine import registry, sweep, tick
from fleet.engine.attempts import perform
from fleet.engine.deps import Deps
from fleet.engine.jobs.states import JobState
from fleet.engine.metrics import MetricFamily, Metrics
from fleet.engine.registry import Feature, Registry
from fleet.features.agents import commands as agent_commands
from fleet.features.approvals import service as approving
from fleet.features.approvals.request import Proposal
from fleet.features.controls import commands as fleetwide
from fleet.features.drafts.states import SUBJECTS, DraftKind
from fleet.features.monitoring import exporter, metrics
from fleet.features.monitoring.exporter import Exporter
from fleet.sandbox import ports
from tests import ROOT
from tests.database_roles import as_owner

Told = dict[tuple[str, tuple[str, ...]], float]
YEAR = timedelta(days=365)


def parsed(text: str) -> Told:
    """Return the samples by name and label values, in the order of the labels' names."""
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def deps(database_url: str, broker_url: str) -> Iterator[Deps]:
    made = runtime_deps.build(
        registry.load_settings(
            database_url=database_url, broker_url=broker_url, gallery_url="http://127.0.0.1:9", service_token="t"
        )
    )
    yield made
    made.close()


@pytest.fixture
def told(deps: Deps) -> Iterator[Callable[[], Told]]:
    """Scrape, by a fresh exporter that has begun to count already."""
    made = Exporter(deps.settings)
    made.text()
    yield lambda: parsed(made.text())
    made.close()


def _add_job(tx: Tx, agent_id: uuid.UUID, **columns: Any) -> uuid.UUID:
    values = {
        "id": uuid.uuid4(),
        "agent_id": agent_id,
        "kind": "post",
        "priority": "normal",
        "max_attempts": 5,
        **columns,
    }
    names = ", ".join(values)
    marks = ", ".join(f":{name}" for name in values)
    statement = f"INSERT INTO jobs ({names}, expires_at) VALUES ({marks}, now() + interval '1 day')"
    tx.execute(sa.text(statement), values)
    return uuid.UUID(str(values["id"]))


def _agents(deps: Deps, count: int) -> list[uuid.UUID]:
    agent_commands.seed(deps, count=count, by="tests", start=True)
    with deps.db.transaction() as tx:
        return list(tx.session.scalars(sa.text("SELECT id FROM agents ORDER BY username")))


def _sql(deps: Deps, statement: str, **values: Any) -> None:
    with deps.db.transaction() as tx:
        tx.execute(sa.text(statement), values)


def test_every_metric_family_of_an_empty_fleet_is_zero(told: Callable[[], Told]) -> None:
    seen = told()
    assert {name for name, _ in seen} == set(metrics.families())
    alive = {"fleet_database_up", "fleet_broker_up", "fleet_build_info", "fleet_scrape_seconds"}
    assert {key: value for key, value in seen.items() if value and key[0] not in alive} == {}
    assert seen["fleet_database_up", ()] == seen["fleet_broker_up", ()] == 1
    assert len(seen) < 20 * (len(registry.current().jobs) + 2)


def test_waiting_jobs_are_counted_by_age_and_priority(deps: Deps, told: Callable[[], Told]) -> None:
    first, second, *_ = _agents(deps, 3)
    with deps.db.transaction() as tx:
        now = tx.now()
        _add_job(tx, first, next_attempt_at=now - YEAR, priority="high")
        _add_job(tx, first, next_attempt_at=now + YEAR, held="a pause")
        _add_job(tx, second, state="running", lease_until=now - YEAR)
        opened = sa.text(
            "INSERT INTO ticks (agent_id, tick_no, state, due_at, lease_until) VALUES"
            " (:first, 7, 'due', now() - interval '300 s', NULL),"
            " (:second, 7, 'deciding', now() - interval '100 s', now() - interval '1 s')"
        )
        tx.execute(opened, {"first": first, "second": second})
        tx.execute(sa.text("UPDATE agents SET next_tick_at = now() - interval '77 s' WHERE id = :a"), {"a": first})
    seen = told()
    assert seen["fleet_claim_lag_seconds", ("high",)] > 86_400 * 364
    assert seen["fleet_jobs_due", ("high",)] == 1
    assert seen["fleet_jobs_due", ("normal",)] == seen["fleet_claim_lag_seconds", ("normal",)] == 0
    assert 300 <= seen["fleet_oldest_due_tick_seconds", ()] < 360
    assert 77 <= seen["fleet_agent_overdue_seconds", ()] < 137
    assert seen["fleet_ticks_open", ("due",)] == seen["fleet_ticks_open", ("deciding",)] == 1
    assert seen["fleet_leases_lapsed", ("job",)] == seen["fleet_leases_lapsed", ("tick",)] == 1
    assert seen["fleet_jobs", ("post", "ready")] == 2
    assert seen["fleet_jobs", ("post", "running")] == 1


def test_unknown_outcomes_dead_letters_agents_and_holds_are_exported(deps: Deps, told: Callable[[], Told]) -> None:
    agent, *_ = _agents(deps, 4)
    with deps.db.transaction() as tx:
        now = tx.now()
        _add_job(tx, agent, state="unknown", sending_at=now - YEAR)
        for reason in ("poison", "poison", "policy"):
            _add_job(tx, agent, state="dead", kind="browse", dead_reason=reason, finished_at=now)
        _add_job(tx, agent, state="done", finished_at=now)
        tx.execute(sa.text("UPDATE agents SET status = 'paused' WHERE id = :a"), {"a": agent})
        gone = tx.scalar(sa.text("SELECT id FROM agents WHERE status = 'running' LIMIT 1"))
        tx.execute(sa.text("UPDATE agents SET status = 'idle', deleted_at = now() WHERE id = :a"), {"a": gone})
    fleetwide.throw_kill_switch(deps, by="tests", reason="a reason that no label shows")
    fleetwide.pause(deps, "kind", "like", by="tests")
    seen = told()
    assert seen["fleet_unknown_outcomes", ()] == seen["fleet_jobs", ("post", "unknown")] == 1
    assert seen["fleet_oldest_unknown_seconds", ()] > 86_400 * 364
    dead = {labels[0]: value for (name, labels), value in seen.items() if name == "fleet_dead_letters" and value}
    assert dead == {"poison": 2, "policy": 1}
    assert seen["fleet_jobs", ("browse", "dead")] == 3
    agents = {labels[0]: value for (name, labels), value in seen.items() if name == "fleet_agents"}
    assert agents == {"running": 2, "paused": 1, "idle": 0, "error": 0}
    assert seen["fleet_kill_switch", ()] == seen["fleet_pauses", ("kind",)] == 1
    assert ("fleet_jobs", ("post", JobState.DONE)) not in seen


def test_dispatch_is_not_late_while_the_fleet_is_paused(deps: Deps, told: Callable[[], Told]) -> None:
    _agents(deps, 1)
    _sql(deps, "UPDATE agents SET next_tick_at = now() - interval '77 s' WHERE status = 'running'")
    fleetwide.pause(deps, "persona", "data_viz", by="tests")
    assert told()["fleet_agent_overdue_seconds", ()] >= 77
    fleetwide.pause(deps, "fleet", "*", by="tests")
    assert told()["fleet_agent_overdue_seconds", ()] == 0
    fleetwide.resume(deps, "fleet", "*", by="tests")
    assert told()["fleet_agent_overdue_seconds", ()] >= 77
    fleetwide.throw_kill_switch(deps, by="tests", reason="a test")
    assert told()["fleet_agent_overdue_seconds", ()] == 0


def test_waiting_requests_are_counted_by_resource(deps: Deps, told: Callable[[], Told]) -> None:
    with deps.db.transaction() as tx:
        for number, resource in enumerate(("draft", "draft", "budget")):
            approving.propose(deps, tx, Proposal(resource, str(number), "publish", {}, "agent:ann", "Something"))
    _sql(deps, "UPDATE approval_requests SET created_at = created_at - interval '2 days' WHERE resource_id = '1'")
    seen = told()
    waiting = {labels[0]: value for (name, labels), value in seen.items() if name == "fleet_approvals_pending"}
    assert waiting == {"draft": 2, "job": 0, "budget": 1}
    assert 172_800 <= seen["fleet_oldest_approval_seconds", ()] < 172_900


def test_waiting_messages_of_the_broker_are_counted_by_queue(deps: Deps, told: Callable[[], Told]) -> None:
    deps.publisher.publish([Message("fleet.browse", ("x",), "low"), Message("fleet.browse", ("y",), "low")])
    seen = told()
    assert [seen["fleet_queue_depth", (name,)] for name in queue.QUEUES] == [0, 0, 0, 0, 2]


def test_duplicates_recoveries_and_ends_are_counted_as_they_happen(deps: Deps, told: Callable[[], Told]) -> None:
    agent, *_ = _agents(deps, 1)
    with deps.db.transaction() as tx:
        now = tx.now()
        done = _add_job(tx, agent, state="done", finished_at=now)
        _add_job(tx, agent, state="running", lease_until=now - YEAR)
        tx.execute(sa.text(
            "INSERT INTO ticks (agent_id, tick_no, state, due_at, decided_at) VALUES (:a, 7, 'decided', now(), now())"
        ), {"a": agent})  # fmt: skip
    perform.perform(deps, done)
    perform.perform(deps, done)
    tick.tick(deps, tick.TickKey(agent, 7))
    found = sweep.sweep(deps)
    assert (found.jobs_released, found.jobs_rung) == (1, 1)
    seen = told()
    counted = {key: value for key, value in seen.items() if key[0].endswith("_total") and value}
    assert counted == {
        ("fleet_duplicates_suppressed_total", ("job",)): 2, ("fleet_duplicates_suppressed_total", ("tick",)): 1,
        ("fleet_recoveries_total", ("jobs_released",)): 1, ("fleet_recoveries_total", ("jobs_rung",)): 1,
        ("fleet_job_events_total", ("recovered", "post")): 1,
    }  # fmt: skip
    assert {key: value for key, value in told().items() if key[0].endswith("_total") and value} == counted


def test_every_alert_selects_samples_that_exist_even_in_an_empty_fleet(deps: Deps) -> None:
    made = Exporter(deps.settings)
    families = list(text_string_to_metric_families(made.text()))
    made.close()
    samples = [sample for family in families for sample in family.samples]
    rules = (ROOT / "deploy/prometheus/alerts.yml").read_text(encoding="utf-8")
    asked = re.findall(r'(fleet_\w+)\{(\w+)=~?"([^"]*)"\}', rules)
    assert len(asked) >= 5
    missing = [
        (name, label, value)
        for name, label, values in asked
        for value in values.split("|")
        if not any(sample.name == name and sample.labels.get(label) == value for sample in samples)
    ]
    assert not missing


def test_every_reading_goes_by_an_index(deps: Deps, monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs that ended well are millions; no scrape may walk over them."""
    agent, *_ = _agents(deps, 1)
    _sql(deps, "INSERT INTO jobs (id, agent_id, kind, priority, state, max_attempts, expires_at, finished_at)"
         " SELECT gen_random_uuid(), :a, 'browse', 'low', 'done', 2, now(), now()"
         " FROM generate_series(1, 20000)", a=agent)  # fmt: skip
    _sql(deps, "INSERT INTO ticks (agent_id, tick_no, state, due_at, decided_at)"
         " SELECT :a, n, 'decided', now(), now() FROM generate_series(100, 20000) AS n", a=agent)  # fmt: skip
    as_owner(deps.settings.database_url, "ANALYZE jobs, ticks")
    plans = []
    execute = Tx.execute

    def explained(self: Tx, statement: Any, parameters: Any = None) -> Any:
        if isinstance(statement, sa.TextClause) and " FROM jobs " in f"{statement} ".replace("\n", " "):
            plans.extend(row[0] for row in execute(self, sa.text(f"EXPLAIN {statement}"), parameters))
        return execute(self, statement, parameters)

    monkeypatch.setattr(Tx, "execute", explained)
    assert metrics.Ledger(deps.db).read()["fleet_readings_failed", ()] == 0
    assert plans
    assert not [line for line in plans if "Seq Scan on jobs" in line or "Seq Scan on ticks" in line]


def test_a_reading_that_takes_too_long_is_left_out_and_takes_no_other_with_it(
    deps: Deps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "STATEMENT_S", 1.5)  # what nothing is in the way of takes milliseconds
    monkeypatch.setattr(metrics, "LEDGER_S", 30.0)
    _agents(deps, 2)
    blocker = Database(deps.settings.database_url, pool_size=1)
    with blocker.transaction() as tx:
        tx.execute(sa.text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        tx.execute(sa.text("LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE"))
        seen = metrics.Ledger(deps.db).read()
    blocker.close()
    assert seen["fleet_database_up", ()] == 1
    assert seen["fleet_readings_failed", ()] == 3
    assert ("fleet_jobs", ("post", "ready")) not in seen
    assert seen["fleet_agents", ("running",)] == 2
    assert metrics.Ledger(deps.db).read()["fleet_readings_failed", ()] == 0


def test_servers_that_refuse_are_reported_as_down(deps: Deps) -> None:
    port = ports.choose(purpose="nobody", setting="a test")
    nobody = deps.settings.model_copy(update={
        "database_url": f"postgresql+psycopg://fleet:fleet@127.0.0.1:{port}/fleet", "broker_url": f"redis://127.0.0.1:{port}/0",
    })  # fmt: skip
    made = Exporter(nobody)
    seen = parsed(made.text())
    made.close()
    assert seen["fleet_database_up", ()] == seen["fleet_broker_up", ()] == 0
    assert not {name for name, _ in seen} & {
        "fleet_agents",
        "fleet_jobs",
        "fleet_queue_depth",
        "fleet_job_events_total",
    }


def test_servers_that_hang_are_reported_as_down_in_time(
    deps: Deps, private_valkey: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both took the connection and never say a word."""
    monkeypatch.setattr(exporter, "_LEDGER_S", 0.5)
    monkeypatch.setattr(exporter, "_BROKER_S", 0.5)
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        port = mute.getsockname()[1]
        hanging = deps.settings.model_copy(update={
            "database_url": f"postgresql+psycopg://fleet:fleet@127.0.0.1:{port}/fleet",
            "broker_url": f"redis://127.0.0.1:{port}/0",
        })  # fmt: skip
        made = Exporter(hanging)
        for _ in range(2):  # the second finds the first one's questions unanswered
            seen = parsed(made.text())
            assert seen["fleet_database_up", ()] == seen["fleet_broker_up", ()] == 0
            assert seen["fleet_scrape_seconds", ()] < 5
        made.close()


def test_a_port_that_is_taken_is_named_before_anything_is_served(deps: Deps) -> None:
    made = Exporter(deps.settings)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InvalidInput, match=f"Port {port} on 127.0.0.1 is taken"):
            made.serve("127.0.0.1", port)
    with pytest.raises(InvalidInput, match=r"exporter cannot listen on 192\.0\.2\.1"):
        made.serve("192.0.2.1", 0)
    made.close()


@pytest.mark.e2e
def test_the_command_serves_prometheus_prints_once_and_shows_no_secret(deps: Deps) -> None:
    env = {**os.environ, "FLEET_DATABASE_URL": deps.settings.database_url, "FLEET_BROKER_URL": deps.settings.broker_url}
    argv = [sys.executable, "-m", "fleet.cli", "metrics"]
    process = subprocess.Popen([*argv, "--port", "0"], env=env, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert line.startswith("Metrics on http://127.0.0.1:"), line
        answer = httpx.get(line.split()[-1], timeout=30, trust_env=False)
        assert answer.headers["Content-Type"].startswith("text/plain")
        assert parsed(answer.text)["fleet_database_up", ()] == 1
        one = httpx.get(line.split()[-1], params={"name[]": "fleet_kill_switch"}, timeout=30, trust_env=False)
        assert parsed(one.text) == {("fleet_kill_switch", ()): 0}
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=90) == 0
    once = subprocess.run([*argv, "--once"], env=env, capture_output=True, text=True, check=True, timeout=60)
    assert {name for name, _ in parsed(once.stdout)} == set(metrics.families())
    assert "password" not in once.stdout
    assert sa.make_url(deps.settings.database_url).database not in once.stdout


@pytest.mark.parametrize("name", ["approvals", "drafts"])
def test_a_feature_that_is_left_out_has_no_family(deps: Deps, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    found = registry.current()
    own = {family.name for ref in found.features[name].metrics for family in registry.load(ref).families}
    rest = set(metrics.families()) - own
    kept = (replace(one, needs=()) for one in found if one.name != name)
    monkeypatch.setattr(registry, "_active", Registry(kept))
    made = Exporter(deps.settings)
    seen = {family for family, _ in parsed(made.text())}
    made.close()
    assert own and not own & seen
    assert seen == set(metrics.families()) <= rest


def test_the_metrics_of_another_feature_follow_and_its_bugs_take_no_other_with_them(
    deps: Deps, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Tx) -> dict[tuple[str, tuple[str, ...]], float]:
        raise ZeroDivisionError

    orders = Metrics(
        families=(
            MetricFamily("shop_orders", "Open orders", ("state",)),
            MetricFamily("shop_sold_total", "Sales", is_counter=True),
        ),
        readings=(
            lambda _: {("shop_orders", ("open",)): 3.0}.items(),
            broken,
            lambda _: {("shop_odd", ()): 1.0}.items(),
        ),
        count=lambda subject, _: ("shop_sold_total", ()) if subject == "shop.sold" else None,
        zeros=lambda: [("shop_sold_total", ())],
    )
    found = Registry([*registry.current(), Feature(name="shop", metrics=(orders,))])
    monkeypatch.setattr(registry, "_active", found)
    ledger = metrics.Ledger(deps.db)
    assert ledger.read()["shop_sold_total", ()] == 0
    with deps.db.transaction() as tx:
        events.emit(tx, "shop.sold", number=2)
    seen = ledger.read()
    assert (seen["shop_orders", ("open",)], seen["shop_sold_total", ()]) == (3, 2)
    assert (seen["fleet_readings_failed", ()], seen["fleet_database_up", ()]) == (2, 1)
    assert ("shop_odd", ()) not in seen
    assert list(metrics.families())[-2:] == ["shop_orders", "shop_sold_total"]


def test_what_happens_to_drafts_is_counted(deps: Deps, told: Callable[[], Told]) -> None:
    with deps.db.transaction() as tx:
        for kind, subject in SUBJECTS.items():
            events.emit(tx, subject, draftId="d", kind="not of this")
            events.emit(tx, "agent.draft.rejected", kind=str(kind))
        events.emit(tx, "agent.draft.approved", kind="post", by="ann")
        events.emit(tx, "agent.draft.approved", kind="poem")
        events.emit(tx, "agent.draft.danced", kind="post")
    seen = {key[1]: value for key, value in told().items() if key[0] == "fleet_draft_events_total" and value}
    both = {("created", str(kind)): 1.0 for kind in DraftKind} | {("rejected", str(kind)): 1.0 for kind in DraftKind}
    assert seen == {**both, ("approved", "post"): 1.0}
