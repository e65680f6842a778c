"""One whole AT Protocol network for all tests of a process, where it is installed; a new account for each test."""

from __future__ import annotations

import itertools
import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import SecretStr

from fleet.adapters.atproto import ADAPTER
from fleet.adapters.atproto.adapter import AtProto
from fleet.adapters.base import Account
from fleet.adapters.manifest import AccountAccess, MemoryTokens
from tests.atproto import network as networks
from tests.atproto.lossy import LossyProxy
from tests.atproto.network import Network


@dataclass(frozen=True, slots=True)
class Person:
    """An account of the network, the adapter that opens it, and who that is to Fleet."""

    did: str
    handle: str
    token: str
    password: str
    surface: AtProto
    account: Account
    tokens: MemoryTokens


MakePerson = Callable[..., Person]
_NUMBERS = itertools.count()


@pytest.fixture(scope="package")
def network(tmp_path_factory: pytest.TempPathFactory, postgres_server: Any) -> Iterator[Network]:
    """The running network. Without one tests are skipped; in CI they fail, unless it said that it can have none."""
    if lacking := networks.lacking():
        if "CI" in os.environ and not os.environ.get(networks.GIVEN_UP):
            pytest.fail(f"{lacking}. {networks.CALL}")
        pytest.skip(f"{lacking}. {networks.CALL}")
    database = postgres_server.create_database()
    url = database.replace("postgresql+psycopg", "postgresql")
    with Network(tmp_path_factory.mktemp("network"), database_url=url, redis="127.0.0.1:1") as started:
        yield started


@pytest.fixture
def person(network: Network) -> Iterator[MakePerson]:
    """A function that makes an account. `through` is the address of a proxy before its server."""
    made: list[AtProto] = []

    def make(name: str = "ada", *, through: str = "", app_password: bool = False) -> Person:
        handle = f"{name}{next(_NUMBERS)}-{uuid.uuid4().hex[:6]}"
        session = network.account(handle)
        password = "password-of-tests"
        if app_password:
            body = {"name": "fleet"}
            created = network.call("com.atproto.server.createAppPassword", body, token=session["accessJwt"])
            password = created["password"]
        tokens = MemoryTokens()
        access = AccountAccess(
            through or network.pds.replace("localhost", "127.0.0.1"),
            SecretStr(f"{session['handle']}:{password}"), 20.0, tokens,
        )  # fmt: skip
        surface = ADAPTER.connect(access)
        assert isinstance(surface, AtProto)
        made.append(surface)
        account = Account(
            str(uuid.uuid4()), handle, "Ada 画室 🎨", "ux_designer", "Automated account: an AI agent.", session["did"]
        )
        return Person(session["did"], session["handle"], session["accessJwt"], password, surface, account, tokens)

    yield make
    for one in made:
        one.close()


@pytest.fixture
def proxy(network: Network) -> Iterator[LossyProxy]:
    """A proxy before the PDS."""
    with LossyProxy(network.pds) as started:
        yield started
