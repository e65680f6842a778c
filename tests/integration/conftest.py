"""The loop on a database of the test's own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tests.factories import Fleet, make_fleet


@pytest.fixture(autouse=True)
def _within_one_day() -> None:
    """Begin no test in the minute before a day's budgets are full again, nor in that before its calls are settled."""
    now = datetime.now(UTC)
    if now.hour in (23, 0) and now.minute == 59:
        time.sleep(60.5 - now.second)


@pytest.fixture
def fleet(database_url: str) -> Iterator[Fleet]:
    """The loop with an in-memory surface."""
    made = make_fleet(database_url)
    yield made
    made.deps.close()
