"""Recovery: the problems of a fleet, and the transactions that explain them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from fleet.chaos import recovery
from fleet.core import clock
from tests.factories import Fleet


def test_a_transaction_that_stays_open_is_named_while_the_fleet_does_not_recover(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Symptom: a fleet stood still for eight minutes, and its report named the locked jobs but not the holder."""
    answers = SimpleNamespace(answers=lambda: True)
    world: Any = SimpleNamespace(all_run=lambda: True, deps=fleet.deps, broker=answers, surface=answers)
    monkeypatch.setattr(recovery, "LAG_S", 0.0)
    with fleet.deps.db.transaction() as tx:
        tx.execute(sa.text("SELECT 'held'"))
        missing, opened = recovery.look(world, clock.now()).ills
    assert missing == "no effect: 1"
    assert opened == "transaction open for 0 s: SELECT 'held'"
    assert recovery.look(world, clock.now()).ills == (missing,)
