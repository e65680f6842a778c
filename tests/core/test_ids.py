"""Ids that follow from something else: decisions and next times are drawn again from them, so they never change."""

from __future__ import annotations

import uuid
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from fleet.core import ids

NAMESPACE = uuid.UUID("6f1d0f5e-3c0a-5b3e-9d51-0a3a7f0c9e21")


@given(agent_id=st.uuids(), tick_no=st.integers(0, 2**63 - 1), purpose=st.text(st.characters(codec="utf-8")))
def test_a_seed_is_the_number_of_the_id_that_follows_from_agent_tick_and_purpose(
    agent_id: uuid.UUID, tick_no: int, purpose: str
) -> None:
    assert ids.seed(agent_id, tick_no, purpose) == uuid.uuid5(NAMESPACE, f"dice:{agent_id}:{tick_no}:{purpose}").int


def test_the_dice_of_an_agent_and_tick_are_what_they_always_were() -> None:
    agent_id = uuid.UUID("00000000-0000-4000-8000-000000000001")
    assert ids.seed(agent_id, 7, "schedule") == 66664721251255441033092357340109397704


def test_shares_lie_evenly_between_nothing_and_all() -> None:
    agent_id = uuid.UUID("00000000-0000-4000-8000-000000000001")
    tenths = Counter(int(10 * ids.share(agent_id, tick_no, "schedule")) for tick_no in range(2_000))
    assert sorted(tenths) == list(range(10))
    assert 150 < min(tenths.values()) <= max(tenths.values()) < 250
