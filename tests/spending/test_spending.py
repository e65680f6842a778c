"""Money in the ledger: set aside, settled, abandoned, limited; never beyond the limit, by any number of workers."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from fleet.core.db import Database
from fleet.core.errors import InvalidInput, NotFound
from fleet.llm.base import Usage
from fleet.spending import ledger, queries
from fleet.spending.budgets import ALL, Budget, BudgetSpent, Period, Scope, Spender
from fleet.spending.groups import SpendingBy
from tests.factories import make_fleet

WHO = Spender(None, "ai_artist", None, "post")
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    database = Database(database_url, pool_size=8)
    yield database
    database.close()


def limit(db: Database, microusd: int, scope: Scope = Scope.FLEET, key: str = ALL) -> None:
    with db.transaction() as tx:
        ledger.set_budget(tx, scope, key, Period.DAY, microusd, by="ada")


def only(db: Database) -> Budget:
    with db.transaction() as tx:
        (budget,) = ledger.list_budgets(tx)
    return budget


def call(db: Database, estimate: int, cost: int, who: Spender = WHO, provider: str = "anthropic") -> None:
    with db.transaction() as tx:
        reservation = ledger.reserve(tx, who, provider, estimate, lease_s=60)
    with db.transaction() as tx:
        ledger.settle(tx, reservation, [Usage(provider, "m", input_tokens=5, microusd=cost)])


def test_a_call_is_charged_what_it_cost_and_not_what_was_set_aside(db: Database) -> None:
    limit(db, 1000)
    call(db, 600, 100)
    assert (only(db).spent_microusd, only(db).reserved_microusd) == (100, 0)


def test_what_does_not_fit_is_refused_before_it_is_spent(db: Database) -> None:
    limit(db, 1000)
    call(db, 600, 600)
    with pytest.raises(BudgetSpent, match="budget of the fleet") as caught, db.transaction() as tx:
        ledger.reserve(tx, WHO, "anthropic", 401, lease_s=60)
    assert caught.value.until > datetime.now(UTC)
    assert only(db).reserved_microusd == 0


def test_many_workers_together_stay_within_the_limit(db: Database) -> None:
    limit(db, 1000)
    limit(db, 900, Scope.PROVIDER, "anthropic")
    done: list[int] = []

    def work() -> None:
        for _ in range(20):
            try:
                call(db, 30, 30)
            except BudgetSpent:
                return
            done.append(30)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(done) == 900
    with db.transaction() as tx:
        assert queries.spent_since(tx, LONG_AGO) == 900
        assert {budget.spent_microusd for budget in ledger.list_budgets(tx)} == {900}


def test_an_amount_whose_maker_died_counts_as_spent(db: Database) -> None:
    limit(db, 1000)
    with db.transaction() as tx:
        lost = ledger.reserve(tx, WHO, "anthropic", 400, lease_s=-1)
    with db.transaction() as tx:
        assert ledger.charge_abandoned(tx)
    with db.transaction() as tx:
        assert not ledger.charge_abandoned(tx)
        ledger.settle(tx, lost, [Usage("anthropic", "m", microusd=10)])  # it was alive after all: no second charge
    assert (only(db).spent_microusd, only(db).reserved_microusd) == (400, 0)


def test_a_new_day_begins_with_a_full_budget_and_no_allowance(db: Database) -> None:
    limit(db, 100)
    with db.transaction() as tx:
        assert ledger.allow(tx, Scope.FLEET, ALL, Period.DAY, 50, by="ada", reason="launch").left_microusd == 150
    call(db, 150, 150)
    with db.transaction() as tx:
        tx.execute(sa.text("UPDATE budgets SET period_start = period_start - interval '1 day'"))
    assert only(db).left_microusd == 100
    call(db, 100, 100)
    with pytest.raises(BudgetSpent):
        call(db, 1, 1)


def test_a_budget_that_comes_late_counts_what_was_spent_before_it(db: Database) -> None:
    agent = make_fleet_agent(db)
    call(db, 0, 70, Spender(agent, "ai_artist", None, "post"))
    call(db, 0, 30, Spender(None, "photographer", None, "post"), provider="openai")
    for scope, key, spent in (
        (Scope.FLEET, ALL, 100), (Scope.PERSONA, "ai_artist", 70), (Scope.PROVIDER, "openai", 30),
        (Scope.AGENT, str(agent), 70),
    ):  # fmt: skip
        limit(db, 1000, scope, key)
        with db.transaction() as tx:
            assert {b.spent_microusd for b in ledger.list_budgets(tx) if b.scope is scope} == {spent}


def begin(db: Database, estimate: int) -> ledger.Reservation:
    with db.transaction() as tx:
        return ledger.reserve(tx, WHO, "anthropic", estimate, lease_s=60)


def end(db: Database, reservation: ledger.Reservation, cost: int) -> None:
    with db.transaction() as tx:
        ledger.settle(tx, reservation, [Usage("anthropic", "m", microusd=cost)])


def test_a_budget_that_is_set_while_a_call_is_under_way_pays_for_it(db: Database) -> None:
    under_way = begin(db, 90)
    limit(db, 100)
    end(db, under_way, 60)
    assert only(db).spent_microusd == 60


@pytest.mark.parametrize(("scope", "key"), [(Scope.PERSONA, "ai_artist"), (Scope.FLEET, ALL)])
def test_resetting_a_budget_keeps_the_reservations_of_open_calls(db: Database, scope: Scope, key: str) -> None:
    limit(db, 10**9, Scope.PROVIDER, "anthropic")
    first = begin(db, 60)
    limit(db, 100, scope, key)
    begin(db, 40)
    end(db, first, 60)
    with pytest.raises(BudgetSpent):
        begin(db, 1)


def make_fleet_agent(db: Database) -> uuid.UUID:
    fleet = make_fleet(db.engine.url.render_as_string(hide_password=False))
    try:
        return fleet.agent()
    finally:
        fleet.deps.close()


def test_changing_a_limit_keeps_what_was_spent_and_removing_it_lifts_it(db: Database) -> None:
    limit(db, 100)
    call(db, 100, 100)
    limit(db, 300)
    assert only(db).left_microusd == 200
    with db.transaction() as tx:
        ledger.remove_budget(tx, Scope.FLEET, ALL, Period.DAY, by="ada")
    call(db, 10**9, 5)
    with pytest.raises(NotFound, match="no daily budget"), db.transaction() as tx:
        ledger.remove_budget(tx, Scope.FLEET, ALL, Period.DAY, by="ada")


@pytest.mark.parametrize(("scope", "key"), [(Scope.FLEET, "x"), (Scope.PERSONA, ALL), (Scope.AGENT, "ada")])
def test_a_budget_without_an_owner_is_refused(db: Database, scope: Scope, key: str) -> None:
    with pytest.raises(InvalidInput):
        limit(db, 1, scope, key)


def test_calls_are_summed_by_what_people_ask_for(db: Database) -> None:
    with db.transaction() as tx:
        ledger.record(tx, WHO, [
            Usage("anthropic", "big", input_tokens=10, output_tokens=5, microusd=300),
            Usage("openai", "small", input_tokens=7, microusd=20),
            Usage("anthropic", "big", microusd=40),
        ])  # fmt: skip
        by_model = queries.sums(tx, SpendingBy.MODEL, since=LONG_AGO)
        assert [(one.key, one.calls, one.microusd, one.input_tokens) for one in by_model] == [
            ("big", 2, 340, 10), ("small", 1, 20, 7)]  # fmt: skip
        (day,) = queries.sums(tx, SpendingBy.DAY, since=LONG_AGO)
        assert day.microusd == 360
        (nobody,) = queries.sums(tx, SpendingBy.AGENT, since=LONG_AGO)
        assert nobody.key is None and nobody.calls == 3


def test_of_more_days_than_are_shown_the_newest_are_and_in_order(db: Database) -> None:
    for _ in range(3):
        with db.transaction() as tx:
            tx.execute(sa.text("UPDATE llm_calls SET called_at = called_at - interval '1 day'"))
        call(db, 0, 1)
    with db.transaction() as tx:
        days = [one.key for one in queries.sums(tx, SpendingBy.DAY, since=LONG_AGO, limit=2)]
        today = tx.now().date().isoformat()
    assert (len(days), days[-1], days) == (2, today, sorted(str(day) for day in days))


def test_a_budget_is_marked_as_spent_once_and_not_when_more_was_allowed_meanwhile(db: Database) -> None:
    limit(db, 10)
    seen = only(db)  # by several processes at the same moment
    marked = []
    for _ in range(2):
        with db.transaction() as tx:
            marked.append(ledger.mark_spent(tx, seen, 11))
    assert (marked, only(db).spent_at is None) == ([True, False], False)
    with db.transaction() as tx:
        ledger.allow(tx, Scope.FLEET, ALL, Period.DAY, 5, by="ada", reason="launch")
        assert not ledger.mark_spent(tx, seen, 11)
    assert only(db).spent_at is None
