"""Two decisions that hardly resemble one another: their differences are told at once, however long both are."""

from __future__ import annotations

import time
from typing import Any

import pytest

from fleet.features.agents import pages_agent
from fleet.features.agents.cli import replay


def decision(sign: str) -> dict[str, Any]:
    return {"deliveries": [f"{number:036d}{sign}" for number in range(3_000)]}


@pytest.mark.parametrize("told", [pages_agent._changes, replay._difference], ids=["page", "terminal"])
def test_long_decisions_are_compared_at_once(told: Any) -> None:
    began_s = time.process_time()  # whatever else the machine does meanwhile
    assert len([*told(decision("a"), decision("b"))]) >= 6_000
    assert time.process_time() - began_s < 5


def test_what_is_the_same_stands_around_what_differs() -> None:
    changes = pages_agent._changes({"action": "post", "thought": "same"}, {"action": "like", "thought": "same"})
    assert [one for one in changes if one[0] != "@"] == [
        (" ", "{"), ("-", '  "action": "post",'), ("+", '  "action": "like",'),
        (" ", '  "thought": "same"'), (" ", "}"),
    ]  # fmt: skip
