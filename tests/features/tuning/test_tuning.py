"""Tuning in the loop: proposed from measured load, approved, set, evaluated, undone."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import timedelta

import pytest

from fleet.access import audit
from fleet.access.audit import Actor
from fleet.access.models import DEFAULT_ORGANISATION
from fleet.access.principal import Via
from fleet.accounts.sealing import new_key
from fleet.core.errors import Conflict, FleetError
from fleet.features.approvals import service as approvals
from fleet.features.approvals.rules import Person
from fleet.features.settings import commands as settings
from fleet.features.settings.queries import Target
from fleet.features.stores.settings import StoresSettings
from fleet.features.tuning import queries, service
from tests.factories import Fleet, make_fleet
from tests.features.tuning.load import DAY, HOUR, LoadedFleet

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
OWNER = Person("web:ann", frozenset({"owner"}))


@pytest.fixture
def fleet(database_url: str) -> Iterator[Fleet]:
    made = make_fleet(database_url, secret_keys=new_key(), surface_writes_per_minute=100)
    yield made
    made.deps.close()


@pytest.fixture
def loaded(fleet: Fleet) -> LoadedFleet:
    return LoadedFleet(fleet)


def test_a_cap_is_lowered_after_429s_and_the_evaluation_says_that_its_effect_came(loaded: LoadedFleet) -> None:
    deps = loaded.fleet.deps
    loaded.jobs(200, every=2 * SECOND, held=40)
    assert loaded.wakes() == "done"
    (one,) = loaded.proposals()
    assert (one.setting, one.before, one.after, one.state) == ("surface_writes_per_minute", 100, 24, "open")
    assert one.evidence == {"writes": 200, "peak": 30, "throttled": 40, "capped": 0, "limit_used": None}
    assert one.expected["low"] <= one.expected["after"] < one.expected["before"] == 0.2
    assert loaded.wakes() == "" and deps.settings.surface_writes_per_minute == 100  # nothing happens without people
    assert service.accept(deps, one.id, OWNER)
    deps.live.refresh(wait=True)
    assert deps.settings.surface_writes_per_minute == 24
    loaded.passes(7 * HOUR)
    assert loaded.wakes() == "done"
    assert [row.verdict for row in loaded.proposals()] == [None]  # its window is not over
    loaded.passes(18 * HOUR)
    loaded.jobs(200, every=3 * SECOND, held=2)
    assert loaded.wakes() == "done"
    (one,) = loaded.proposals()
    assert (one.state, one.verdict) == ("applied", "came")
    assert one.result is not None and one.result["high"] < 0
    assert (one.result["units_before"], one.result["units_after"]) == (202, 202)
    subjects = loaded.fleet.sql("SELECT subject FROM events WHERE subject LIKE 'tuning.%' ORDER BY id").scalars().all()
    assert subjects == ["tuning.run", "tuning.decided", "tuning.run", "tuning.measured", "tuning.run"]


def test_a_change_that_did_worse_is_proposed_for_undoing_and_undone(loaded: LoadedFleet) -> None:
    deps = loaded.fleet.deps
    loaded.jobs(200, every=2 * SECOND, held=20)
    loaded.wakes()
    (one,) = loaded.proposals()
    service.accept(deps, one.id, OWNER)
    loaded.passes(25 * HOUR)
    loaded.jobs(200, every=3 * SECOND, held=120)
    loaded.wakes()
    (one,) = loaded.proposals()
    assert (one.state, one.verdict) == ("applied", "worse") and one.undo_request_id is not None
    (done,) = approvals.approve(deps, [one.undo_request_id], OWNER)
    assert done.error is None
    (one,) = loaded.proposals()
    assert one.state == "undone"
    deps.live.refresh(wait=True)
    assert deps.settings.surface_writes_per_minute == 100
    row = loaded.fleet.sql("SELECT value, set_by FROM settings WHERE name = 'surface_writes_per_minute'").one()
    assert row.value is None  # it was not set before
    loaded.passes(7 * HOUR)
    loaded.wakes()
    assert len(loaded.proposals()) == 1  # left alone for a week


def test_more_workers_are_a_command_whose_effect_is_measured_once_people_ran_it(loaded: LoadedFleet) -> None:
    deps = loaded.fleet.deps
    loaded.jobs(600, every=6 * SECOND, since=loaded.now - HOUR, run=150 * SECOND, wait=90 * SECOND, workers=2)
    loaded.wakes()
    (one,) = loaded.proposals(rule="workers")
    assert (one.before, one.after, one.request_id is not None) == (2, 3, True)
    assert one.command == "docker compose up -d --scale worker=3"
    assert one.evidence["late"] == one.evidence["seen"] - 1 > 500  # all but the tick that it woke by
    assert one.evidence["utilisation"] > 0.7 >= one.evidence["utilisation_after"]
    assert service.accept(deps, one.id, OWNER)
    (one,) = loaded.proposals(rule="workers")
    assert (one.state, one.applied_at) == ("accepted", None)
    loaded.passes(7 * HOUR)
    loaded.jobs(100, since=loaded.now - HOUR, every=30 * SECOND, workers=2)
    loaded.wakes()
    assert loaded.proposals(rule="workers")[0].state == "accepted"  # nobody ran it
    loaded.passes(7 * HOUR)
    loaded.jobs(100, since=loaded.now - HOUR, every=30 * SECOND, workers=3)
    loaded.wakes()
    (one,) = loaded.proposals(rule="workers")
    assert one.state == "applied" and one.applied_at is not None
    loaded.passes(25 * HOUR)
    loaded.jobs(600, every=6 * SECOND, run=150 * SECOND, wait=SECOND, workers=3)
    loaded.wakes()
    (one,) = loaded.proposals(rule="workers")
    assert (one.verdict, one.state) == ("came", "applied")
    with pytest.raises(Conflict, match="No setting"), deps.db.transaction() as tx:
        service.undo(deps, tx, one.id, by="web:ann")


def test_an_interval_is_lengthened_for_one_store_and_the_value_of_its_scope_comes_back(loaded: LoadedFleet) -> None:
    deps = loaded.fleet.deps
    shop, other = loaded.store(), loaded.store("other")
    settings.put(deps, "store_interval", "5m", Target(account="shop"), by="web:ann")
    loaded.fleet.sql("UPDATE settings SET set_at = set_at - interval '2 days'")
    loaded.syncs(shop, 100, every=5 * MINUTE, changed=1)
    loaded.syncs(other, 60, changed=30)
    loaded.wakes()
    (one,) = loaded.proposals()
    assert (one.setting, one.scope, one.scope_name, one.before, one.after) == (
        "store_interval", "account", "shop", "5m", "15m",
    )  # fmt: skip
    service.accept(deps, one.id, OWNER)
    deps.live.refresh(wait=True)

    def value(account: uuid.UUID) -> str:
        return deps.settings_of(None, account, None, DEFAULT_ORGANISATION).of(StoresSettings).store_interval

    assert (value(shop), value(other)) == ("15m", "15m")
    with audit.acting(Actor("ann", "owner", Via.SESSION)), deps.db.transaction() as tx:
        service.undo(deps, tx, one.id, by="web:ann")
    deps.live.refresh(wait=True)
    assert value(shop) == "5m"  # its own value, and not that of the fleet
    audited = loaded.fleet.sql(
        "SELECT before, after FROM audit WHERE target = 'setting:store_interval' ORDER BY id DESC LIMIT 1"
    ).one()
    assert (audited.before["value"], audited.after["value"]) == ("15m", "5m")


def test_a_change_by_somebody_else_ends_a_proposal_and_disturbs_a_result(loaded: LoadedFleet) -> None:
    deps = loaded.fleet.deps
    shop = loaded.store()
    loaded.syncs(shop, 60)
    loaded.wakes()
    (one,) = loaded.proposals()
    settings.put(deps, "store_interval", "1h", Target(account="shop"), by="web:bob")
    with pytest.raises(FleetError, match="changed since"):
        service.accept(deps, one.id, OWNER)
    assert loaded.proposals()[0].state == "overtaken"
    loaded.fleet.sql("DELETE FROM settings")
    deps.live.expire()
    deps.live.refresh(wait=True)
    loaded.passes(7 * HOUR)
    loaded.wakes()
    one = loaded.proposals(state="open")[0]
    service.accept(deps, one.id, OWNER)
    settings.put(deps, "store_interval", "1h", Target(account="shop"), by="web:bob")
    loaded.passes(7 * HOUR)
    loaded.wakes()
    (one,) = loaded.proposals(id=one.id)
    assert (one.state, one.verdict) == ("applied", "disturbed")
    with pytest.raises(Conflict, match="changed since"), deps.db.transaction() as tx:
        service.undo(deps, tx, one.id, by="web:ann")


def test_an_autonomous_rule_applies_and_undoes_within_the_changes_of_a_day(loaded: LoadedFleet) -> None:
    fleet = loaded.fleet
    fleet.set_setting("tuning_autonomous", "batches,intervals")
    fleet.set_setting("tuning_changes_per_day", 1)
    first, second = loaded.store("first"), loaded.store("second")
    for account in (first, second):
        loaded.syncs(account, 60, changed=30, read=40, batch=25)
    fleet.sql("INSERT INTO settings (scope, scope_id, name, value, set_by, set_at, revision) VALUES"
              " ('fleet', '', 'store_batch', '25', 'ann', clock_timestamp() - interval '9 days', 99)")  # fmt: skip
    fleet.deps.live.expire()
    loaded.wakes()
    found = {one.state: one for one in loaded.proposals(rule="batches")}
    assert {state: (one.before, one.after) for state, one in found.items()} == {"applied": (25, 50), "open": (25, 50)}
    done = found["applied"]
    assert (done.decided_by, done.request_id) == ("agent:fleet_tuning", None)
    with pytest.raises(Conflict, match="within a day"):
        service.accept(fleet.deps, found["open"].id, OWNER)
    loaded.passes(25 * HOUR)
    loaded.syncs(uuid.UUID(done.scope_id), 60, changed=30, read=40, batch=50, took=timedelta(seconds=30))
    loaded.wakes()
    (done,) = loaded.proposals(id=done.id)
    assert (done.verdict, done.state, done.undo_request_id) == ("worse", "undone", None)
    assert fleet.sql("SELECT value FROM settings WHERE scope = 'account' AND value IS NOT NULL").all() == []


def test_a_cap_is_raised_by_people_alone_and_where_the_network_has_room(loaded: LoadedFleet) -> None:
    fleet = loaded.fleet
    fleet.set_setting("tuning_autonomous", "caps")
    fleet.sql("UPDATE settings SET set_at = set_at - interval '2 days'")
    account = fleet.account("town", adapter="mastodon")
    loaded.jobs(100, every=10 * MINUTE, held=30, why="cap: 50 comments a day")
    fleet.sql("UPDATE jobs SET account_id = :id WHERE kind = 'comment'", id=account)
    loaded.wakes()
    (one,) = loaded.proposals()
    assert (one.setting, one.before, one.after, one.state) == ("caps.comment.per_day", 50, 63, "open")
    assert one.request_id is not None and one.evidence["limit_used"] < 0.4
    service.accept(fleet.deps, one.id, OWNER)
    fleet.deps.live.refresh(wait=True)
    assert fleet.deps.settings.caps_given()["comment"].per_day == 63
    with fleet.deps.db.transaction() as tx:
        service.undo(fleet.deps, tx, one.id, by="web:ann")
    fleet.deps.live.refresh(wait=True)
    assert fleet.deps.settings.caps_given()["comment"].per_day is None  # the action's own again


def test_off_a_pinned_setting_and_dismissed_proposals_leave_everything_as_it_is(database_url: str) -> None:
    made = make_fleet(database_url, secret_keys=new_key(), surface_writes_per_minute=100,
                      pinned="surface_writes_per_minute")  # fmt: skip
    try:
        loaded = LoadedFleet(made)
        loaded.jobs(200, every=2 * SECOND, held=40)
        shop = loaded.store()
        loaded.syncs(shop, 60)
        made.set_setting("tuning_enabled", False)
        assert loaded.wakes() == ""
        with pytest.raises(Conflict, match="off"):
            service.request(made.deps, by="web:ann")
        made.set_setting("tuning_enabled", True)
        service.request(made.deps, by="web:ann")
        loaded.works()
        (one,) = loaded.proposals()
        assert one.setting == "store_interval"
        with made.deps.db.transaction() as tx:
            run = queries.newest_run(tx)
            assert (
                run is not None
                and run.reasons["surface_writes_per_minute: the environment pins it"] == 1
                and run.looked > 5
            )
        service.dismiss(made.deps, one.id, OWNER, "it is a quiet week")
        loaded.passes(2 * DAY)
        loaded.syncs(shop, 60)
        loaded.wakes()
        (one,) = loaded.proposals()
        assert (one.state, one.why) == ("dismissed", "it is a quiet week")
    finally:
        made.deps.close()
