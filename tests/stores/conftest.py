"""One running shop of each kind for all tests of a process, where they are installed; as if new for each test."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.stores import servers
from tests.stores.vendure_server import Vendure


def _need_shops() -> None:
    """Skip where there are no shops. In CI tests fail then, unless it said that it can have none."""
    if lacking := servers.lacking():
        if "CI" in os.environ and not os.environ.get(servers.GIVEN_UP):
            pytest.fail(f"{lacking}. {servers.CALL}")
        pytest.skip(f"{lacking}. {servers.CALL}")


@pytest.fixture(scope="session")
def vendure_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vendure]:
    """The Vendure shop of this process, with whatever is in it."""
    _need_shops()
    with Vendure(tmp_path_factory.mktemp("vendure")) as shop:
        yield shop


@pytest.fixture
def vendure(vendure_server: Vendure) -> Vendure:
    """The Vendure shop with 200 products; `reset` gives it another number."""
    vendure_server.reset()
    return vendure_server
