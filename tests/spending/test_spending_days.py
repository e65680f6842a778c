"""Folded days say the same as the calls that they were folded from, and outlive them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from fleet.core.db import Database
from fleet.engine import sweep
from fleet.spending import days, ledger, queries
from fleet.spending.groups import SpendingBy
from fleet.spending.models import CallRow, DayRow
from fleet.spending.queries import CallSum
from tests.factories import Fleet

DAY = timedelta(days=1)
MODELS = (("anthropic", "big"), ("anthropic", "small"), ("openai", "small"))
FOLDED = [by for by in SpendingBy if by is not SpendingBy.AGENT]


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    database = Database(database_url, pool_size=4)
    yield database
    database.close()


@pytest.fixture
def midnight(db: Database) -> datetime:
    """The last midnight in UTC that is settled."""
    with db.transaction() as tx:
        return (tx.now() - days.SETTLED_AFTER).astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def spend(db: Database, moments: list[datetime], seed: int = 7) -> None:
    dice = random.Random(seed)
    rows = []
    for moment in moments:
        provider, model = dice.choice(MODELS)
        rows.append({
            "called_at": moment, "persona_id": dice.choice([None, "poet", "critic"]), "provider": provider,
            "model": model, "purpose": dice.choice(["post", "comment"]), "microusd": dice.randrange(1000),
            "outcome": dice.choice(["answered", "answered", "repaired", "refused"]), "latency_ms": dice.randrange(900),
            **{name: dice.randrange(100) for name in days.ADDED[:4]},
        })  # fmt: skip
    with db.transaction() as tx:
        tx.execute(sa.insert(CallRow), rows)


def fold(db: Database) -> int:
    with db.transaction() as tx:
        return days.fold(tx)


def seen(db: Database, spans: list[tuple[datetime, datetime | None]]) -> list[list[CallSum]]:
    with db.transaction() as tx:
        return [queries.sums(tx, by, since=since, until=until) for since, until in spans for by in FOLDED]


def test_whatever_is_asked_the_folded_days_say_what_their_calls_said(db: Database, midnight: datetime) -> None:
    dice = random.Random(3)
    edges = [midnight - n * DAY for n in range(6)]
    moments = [midnight - timedelta(seconds=dice.randrange(5 * 86_400)) for _ in range(300)]
    spend(db, [*moments, *edges, *(edge - timedelta(microseconds=1) for edge in edges), midnight + DAY / 24])
    ends = [None, midnight, midnight - DAY, midnight - 1.5 * DAY]
    spans = [(midnight - back * DAY, end) for back in (0, 0.25, 1, 2.7, 4, 30) for end in ends]
    before = seen(db, spans)
    assert any(before) and fold(db) > 20
    assert seen(db, spans) == before
    with db.transaction() as tx:
        single = tx.scalar(sa.select(sa.func.sum(CallRow.microusd)).where(CallRow.called_at >= midnight - 2 * DAY))
        assert queries.spent_since(tx, midnight - 2 * DAY) == single
        by_day = queries.spent_by_day(tx, midnight - 2 * DAY)
        assert sum(by_day.values()) == single and len(by_day) == 3


def test_a_day_is_folded_once_and_only_when_it_is_over(db: Database, midnight: datetime) -> None:
    spend(db, [midnight - 3 * DAY, midnight - timedelta(seconds=1), midnight])
    assert fold(db) == 2, "the day that began at midnight goes on"
    assert fold(db) == 0
    with db.transaction() as tx:
        assert days.folded_until(tx) == midnight
        tx.execute(sa.delete(DayRow).where(DayRow.day == midnight.date() - DAY))
    assert fold(db) == 1, "the last day was lost, and is folded anew; the one before is there"


def test_two_that_fold_at_once_count_nothing_twice(db: Database, midnight: datetime) -> None:
    spend(db, [midnight - 2 * DAY] * 3)
    with db.transaction() as one:
        assert days.fold(one) > 0
        with db.transaction() as other:
            other.execute(sa.text("SET LOCAL lock_timeout = '300ms'"))
            with pytest.raises(sa.exc.OperationalError, match="lock timeout"):
                days.fold(other)  # it waits for the first one, whose rows it meets
            other.session.rollback()
    assert fold(db) == 0


def test_calls_are_pruned_after_they_were_folded_and_their_cost_stays_known(fleet: Fleet) -> None:
    deps, long_ago = fleet.deps, datetime.now(UTC) - 60 * DAY
    spend(deps.db, [long_ago, long_ago, long_ago - DAY])
    with deps.db.transaction() as tx:
        cost = queries.spent_since(tx, long_ago - 9 * DAY)
        assert ledger.prune_calls(tx, days=30, limit=100) == 0, "they are not folded yet"
    sweep.prune(deps)
    with deps.db.transaction() as tx:
        assert tx.scalar(sa.select(sa.func.count()).select_from(CallRow)) == 0
        assert queries.spent_since(tx, long_ago - 9 * DAY) == cost > 0
