"""A helper calls functions for a process that must not import what they need."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from fleet.core.errors import FleetError, InvalidInput
from fleet.sandbox.processes import proc
from fleet.sandbox.processes.forked_calls import Helper


@pytest.fixture
def helper() -> Iterator[Helper]:
    made = Helper()
    yield made
    made.close()


def test_it_answers_from_another_process_until_it_is_closed(helper: Helper) -> None:
    first = helper.call("os:getpid")
    assert first not in (os.getpid(), None)
    assert helper.call("os:getpid") == first
    helper.close()
    assert proc.ref(first) is None
    assert helper.call("os:getpid") != first


def test_an_error_with_its_fix_reaches_the_caller_and_the_next_call_works(helper: Helper) -> None:
    with pytest.raises(InvalidInput, match="is not a port") as caught:
        helper.call("fleet.sandbox.ports:choose", purpose="it", setting="FLEET_IT", named=0)
    assert caught.value.fix == "Set FLEET_IT to 1 to 65535."
    with pytest.raises(RuntimeError, match="ValueError"):
        helper.call("builtins:int", "x")
    assert helper.call("builtins:int", "5") == 5


def test_a_helper_that_dies_is_said_and_replaced(helper: Helper) -> None:
    with pytest.raises(FleetError, match="has ended"):
        helper.call("os:_exit", 3)
    assert helper.call("builtins:int", "5") == 5
