"""One running shop of each kind for all tests of a process, where they are installed; as if new for each test."""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pydantic import SecretStr

from fleet.adapters import registry
from fleet.adapters.manifest import AccountAccess
from tests.features.stores.world import StoreWorld, world_at
from tests.stores import servers
from tests.stores.hook_inbox import HookInbox
from tests.stores.oscar_server import Oscar
from tests.stores.servers import PASSWORD, USERNAME, Shop
from tests.stores.vendure_server import Vendure

_MORE = {"oscar": {"currency": "EUR"}}
"""Credentials that one shop needs besides."""


@contextmanager
def world_of(database_url: str, shop: Shop, **settings: Any) -> Iterator[StoreWorld]:
    """Make a fleet with a store named "shop" at a real shop."""
    credentials = json.dumps({"username": USERNAME, "password": PASSWORD} | _MORE.get(shop.name, {}))
    adapter = registry.get(shop.name).connect(AccountAccess(shop.url, SecretStr(credentials), 60.0))
    with world_at(database_url, adapter, shop.name, credentials, **settings) as made:
        yield made
    adapter.close()


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


@pytest.fixture(scope="session")
def oscar_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Oscar]:
    """The Oscar shop of this process, with whatever is in it."""
    _need_shops()
    with Oscar(tmp_path_factory.mktemp("oscar")) as shop:
        yield shop


@pytest.fixture
def oscar(oscar_server: Oscar) -> Oscar:
    """The Oscar shop with 200 products; `reset` gives it another number."""
    oscar_server.reset()
    return oscar_server


@pytest.fixture(params=["vendure", "oscar"])
def shop(request: pytest.FixtureRequest) -> Shop:
    """Each shop in turn, with 200 products."""
    found: Shop = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def store(database_url: str, shop: Shop) -> Iterator[StoreWorld]:
    """A fleet with a store named "shop" at the shop of `shop`."""
    with world_of(database_url, shop) as made:
        yield made


@pytest.fixture
def inbox(shop: Shop) -> Iterator[HookInbox]:
    """What the shop of `shop` posts, from now on."""
    with HookInbox() as started:
        shop.set_hooks(started.url, started.secret)
        yield started
        shop.set_hooks(None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the end of the logs of a failed test's shops."""
    report = yield
    if report.failed:
        shops = {one for one in getattr(item, "funcargs", {}).values() if isinstance(one, Shop)}
        report.sections += [(f"log of {one.name}: {one.log}", one.log_tail()) for one in shops]
    return report
