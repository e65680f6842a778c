"""Budgets of stores: a spent one freezes the store and asks; an approval extends it once."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
import sqlalchemy as sa

from fleet.core.errors import NotFound
from fleet.features.approvals import service as approvals
from fleet.features.approvals.models import RequestRow
from fleet.features.approvals.rules import Person
from fleet.features.listings import budgets
from fleet.features.listings.rules import BudgetKind, BudgetPeriod, begin_of, end_of
from tests.features.listings.world import SHOP, ListingWorld


def requests(listed: ListingWorld) -> list[RequestRow]:
    with listed.stores.fleet.deps.db.transaction() as tx:
        return list(tx.session.scalars(sa.select(RequestRow).order_by(RequestRow.created_at)))


def approve(listed: ListingWorld, request: RequestRow) -> None:
    (done,) = approvals.approve(listed.stores.fleet.deps, [request.id], Person("ann", frozenset({"owner"})))
    assert done.error is None, done.error


def test_a_spent_budget_freezes_the_store_asks_once_and_is_extended_once(listed: ListingWorld) -> None:
    deps = listed.stores.fleet.deps
    # `finish` lets minutes pass by moving the past back, which must not move it behind the beginning of the period.
    period = BudgetPeriod.WEEK if datetime.now(UTC).day == 1 else BudgetPeriod.MONTH
    budgets.put(deps, SHOP, BudgetKind.ACTIONS, period, 1, by="tests")
    products = [listed.mug, *(listed.stores.create(f"cup-{number}", on_hand=1) for number in range(3))]
    for product_id in products:
        listed.publish(listed.stage(product_id=product_id))
        listed.finish()
    states = [listed.at(SHOP, one).state for one in products]
    assert states == ["published", "publishing", "publishing", "publishing"]
    waiting = listed.stores.fleet.jobs(kind="publish_listing", state="ready")
    assert [(job.attempts, job.held is not None) for job in waiting] == [(0, True)] * 3
    assert "is spent: 1 of 1 writes" in listed.at(SHOP, products[1]).problem
    (request,) = requests(listed)
    assert (request.action, request.payload["extra"]) == ("budget_override", 1)
    assert (request.expires_at - request.created_at).total_seconds() == pytest.approx(24 * 3600, abs=60)
    assert len(listed.stores.events("store.frozen")) == 1

    approve(listed, request)
    (budget,) = budgets.listed(deps, SHOP)
    assert (budget.most, budget.extension, budget.is_frozen) == (1, 1, False)
    listed.finish()
    states = sorted(listed.at(SHOP, one).state for one in products)
    assert states == ["published", "published", "publishing", "publishing"], "one more, and it is frozen again"
    assert len(requests(listed)) == 1, "it is extended once in a period"

    budgets.put(deps, SHOP, BudgetKind.ACTIONS, period, 10, by="tests")
    listed.finish()
    assert {listed.at(SHOP, one).state for one in products} == {"published"}


def test_calls_and_spend_are_those_that_the_account_was_counted(listed: ListingWorld) -> None:
    deps, account_id = listed.stores.fleet.deps, listed.stores.fleet.accounts[SHOP]
    for kind, most in ((BudgetKind.API_CALLS, 100), (BudgetKind.SPEND, 5_000)):
        budgets.put(deps, SHOP, kind, BudgetPeriod.MONTH, most, by="tests")
    listed.stores.fleet.sql(
        "INSERT INTO account_usage (account_id, version, day, operation, calls, refused, units, microusd) "
        "VALUES (:id, 1, date(timezone('UTC', clock_timestamp())), 'products', 100, 0, 100, 4999), "
        "(:id, 1, date(timezone('UTC', clock_timestamp())) - 40, 'products', 7, 0, 7, 70)", id=account_id,
    )  # fmt: skip
    calls, spend = budgets.listed(deps, SHOP)
    assert (calls.used, calls.is_frozen, spend.used, spend.is_frozen) == (100, True, 4999, False)
    budgets.remove(deps, SHOP, BudgetKind.API_CALLS, BudgetPeriod.MONTH)
    with pytest.raises(NotFound):
        budgets.remove(deps, SHOP, BudgetKind.API_CALLS, BudgetPeriod.MONTH)
    listed.published()
    assert listed.at(SHOP).state == "published"


def test_periods_begin_at_midnight_on_mondays_and_on_the_first() -> None:
    now = datetime(2026, 12, 31, 23, 59, tzinfo=UTC)  # a Thursday
    begins = [begin_of(now, one) for one in BudgetPeriod]
    assert begins == [date(2026, 12, 31), date(2026, 12, 28), date(2026, 12, 1)]
    ends = [end_of(begin, one).date() for begin, one in zip(begins, BudgetPeriod, strict=True)]
    assert ends == [date(2027, 1, 1), date(2027, 1, 4), date(2027, 1, 1)]
