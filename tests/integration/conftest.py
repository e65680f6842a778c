"""The loop on a database of the test's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.factories import Fleet, make_fleet


@pytest.fixture
def fleet(database_url: str) -> Iterator[Fleet]:
    """The loop with an in-memory surface."""
    made = make_fleet(database_url)
    yield made
    made.deps.close()
