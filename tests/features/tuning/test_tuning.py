"""Tuning in the loop: proposed from measured load, approved, set, evaluated, undone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from fleet.accounts.sealing import new_key
from fleet.features.approvals import service as approvals
from fleet.features.approvals.rules import Person
from fleet.features.tuning import service
from tests.factories import Fleet, make_fleet
from tests.features.tuning.load import HOUR, LoadedFleet

SECOND = timedelta(seconds=1)
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
