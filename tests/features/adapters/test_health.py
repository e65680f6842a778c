"""Checks of accounts: when they happen, when they stop an account, and that a good one lets it go on."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fleet.adapters import registry as adapters
from fleet.adapters.base import RemoteAccount, TokenRefused, Unreachable
from fleet.engine import controls, dispatch, system_agents, tick
from fleet.engine.attempts import perform
from fleet.engine.deps import Deps
from fleet.engine.jobs.ticks import TickKey
from fleet.features.adapters import queries
from fleet.features.adapters.health import rules
from fleet.features.adapters.health.kinds import CHECK
from fleet.features.adapters.health.rules import CheckedAccount
from tests.factories import Fleet, Surface, make_fleet

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class Checked(Surface):
    """A surface with a check that answers as a test says."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: list[RemoteAccount | Exception] = []
        self.checks = 0

    def check(self, *, timeout_s: float) -> RemoteAccount:
        assert timeout_s > 0
        self.checks += 1
        answer = self.answers.pop(0) if self.answers else RemoteAccount(id="r1", username="ada", is_bot=True)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def checked(database_url: str) -> Iterator[tuple[Fleet, Checked]]:
    surface = Checked()
    fleet = make_fleet(database_url, systems={"brand": surface})
    fleet.account("brand")
    system_agents.staff(fleet.deps.db)
    yield fleet, surface
    fleet.deps.close()


def look(fleet: Fleet) -> list[uuid.UUID]:
    """Let the agent tick once, as if the newest checks were old; carry out the checks that it adds."""
    fleet.sql("UPDATE account_checks SET at = at - interval '10 minutes'")
    fleet.sql("UPDATE agents SET next_tick_at = clock_timestamp() WHERE username = 'fleet_health'")
    dispatch.dispatch(fleet.deps)
    row = fleet.sql("SELECT id, tick_no FROM agents WHERE username = 'fleet_health'").one()
    tick.tick(fleet.deps, TickKey(row.id, row.tick_no))
    jobs = [job.id for job in fleet.jobs(kind=CHECK, state="ready")]
    for job in jobs:
        perform.perform(fleet.deps, job)
    return jobs


def hold_of(deps: Deps, account_id: uuid.UUID) -> str | None:
    with deps.db.transaction() as tx:
        return next((one.set_by for one in controls.in_force(tx) if one.key == str(account_id)), None)


def test_two_failed_checks_stop_an_account_and_one_good_check_lets_it_go_on(checked: tuple[Fleet, Checked]) -> None:
    fleet, surface = checked
    brand = fleet.accounts["brand"]
    surface.answers = [Unreachable("no route"), Unreachable("no route"), Unreachable("still none")]
    for held in (None, controls.HEALTH, controls.HEALTH):
        assert len(look(fleet)) == 1, "one account has a check, and one check at a time is made"
        assert hold_of(fleet.deps, brand) == held
    look(fleet)
    assert hold_of(fleet.deps, brand) is None
    assert [one.is_ok for one in queries.history(fleet.deps, account="brand")] == [True, False, False, False]
    subjects = [
        row.subject for row in fleet.sql("SELECT subject FROM events WHERE subject LIKE 'account.%' ORDER BY id")
    ]
    assert subjects == ["account.created", "account.unhealthy", "account.healthy"]


def test_what_a_person_stopped_is_neither_checked_nor_let_go_on(checked: tuple[Fleet, Checked]) -> None:
    fleet, surface = checked
    with fleet.deps.db.transaction() as tx:
        controls.pause(tx, "account", str(fleet.accounts["brand"]), by="ann")
    assert look(fleet) == [] and surface.checks == 0


def test_refused_credentials_stop_the_account_as_those_of_any_call_do(checked: tuple[Fleet, Checked]) -> None:
    fleet, surface = checked
    surface.answers = [TokenRefused("401")]
    look(fleet)
    assert hold_of(fleet.deps, fleet.accounts["brand"]) == controls.REFUSED


def test_an_account_that_its_system_does_not_mark_is_a_warning(
    checked: tuple[Fleet, Checked], monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet, surface = checked
    kind = adapters.get("floimg")
    monkeypatch.setattr(adapters, "get", lambda _: replace(kind, limits=()))
    surface.answers = [RemoteAccount(id="r1", username="ada", is_bot=False) for _ in range(2)]
    look(fleet)
    look(fleet)
    told = fleet.sql("SELECT payload FROM events WHERE subject = 'account.unlabelled'").all()
    assert len(told) == 1 and told[0].payload["label"] == "isAgent"
    assert queries.accounts_of(fleet.deps, "floimg")[1].last is not None


def _account(**changes: Any) -> CheckedAccount:
    return replace(CheckedAccount("a", "brand", is_checked_now=False, is_stopped=False, checked_at=NOW), **changes)


@pytest.mark.parametrize(
    ("account", "after"),
    [
        (_account(checked_at=None), timedelta(0)),
        (_account(), rules.EVERY),
        (_account(called_in_vain_at=NOW + timedelta(seconds=1)), rules.AFTER_ERRORS),
        (_account(called_in_vain_at=NOW - timedelta(seconds=1)), rules.EVERY),
        (_account(failures=1), rules.AFTER_ERRORS),
        (_account(failures=3), 4 * rules.AFTER_ERRORS),
        (_account(failures=30), rules.EVERY),
        (_account(is_checked_now=True), None),
        (_account(is_stopped=True), None),
    ],
)
def test_when_an_account_is_checked(account: CheckedAccount, after: timedelta | None) -> None:
    def is_due(at: datetime) -> bool:
        return rules.due([account], at) == [account]

    assert is_due(NOW + (after or timedelta(0))) is (after is not None)
    assert not is_due(NOW + (after or timedelta(days=1)) - timedelta(seconds=1)) or after == timedelta(0)
