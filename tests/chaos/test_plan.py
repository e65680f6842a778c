"""The plan of a run follows from its seed, and every fault and every line of the protocol has its turn."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fleet.chaos.acts import ACTS
from fleet.chaos.kinds import BY_NAME, KINDS, OF_SURFACE, chosen
from fleet.chaos.plan import POINTS, plan
from fleet.core.errors import InvalidInput

SEEDS = st.integers(0, 2**63 - 1)


@given(SEEDS)
def test_the_same_seed_gives_the_same_plan(seed: int) -> None:
    assert plan(seed, 10, KINDS) == plan(seed, 10, KINDS)


@given(SEEDS)
def test_another_seed_gives_another_plan(seed: int) -> None:
    assert plan(seed, 10, KINDS) != plan(seed + 1, 10, KINDS)


@pytest.mark.parametrize("surface", OF_SURFACE)
@given(SEEDS)
def test_ten_minutes_hold_every_kind_and_every_line_of_the_protocol(surface: str, seed: int) -> None:
    planned = plan(seed, 10, OF_SURFACE[surface])
    assert {act.kind for act in planned} == {kind.name for kind in OF_SURFACE[surface]}
    killed = {point for act in planned if act.kind == "worker.kill-at-point" for point in act.detail["points"]}
    assert killed == set(POINTS)


@given(SEEDS)
def test_no_kind_comes_again_before_all_others_have_come(seed: int) -> None:
    deck = sum(kind.times for kind in KINDS)
    first_round = Counter(act.kind for act in plan(seed, 30, KINDS)[:deck])
    assert first_round == {kind.name: kind.times for kind in KINDS}


@example(2_289_637, 16.10112327055232)  # whose last act comes two milliseconds before the end
@given(SEEDS, st.floats(0.2, 30))
def test_acts_are_numbered_in_time_and_end_with_it(seed: int, minutes: float) -> None:
    planned = plan(seed, minutes, KINDS)
    assert [act.seq for act in planned] == list(range(1, len(planned) + 1))
    assert [act.at_s for act in planned] == sorted(act.at_s for act in planned)
    assert all(act.at_s <= minutes * 60 for act in planned)


def test_a_longer_plan_begins_like_a_shorter_one() -> None:
    short = plan(7, 2, KINDS)
    assert plan(7, 20, KINDS)[: len(short)] == short


def test_every_kind_can_be_carried_out() -> None:
    assert set(ACTS) == set(BY_NAME)


def test_kinds_are_chosen_by_name_and_by_group() -> None:
    assert {*chosen("all"), *chosen("all", "atproto")} == set(KINDS)
    assert {kind.name for kind in chosen("beat, gallery.twice")} == {"beat.kill", "beat.stop", "gallery.twice"}


@pytest.mark.parametrize("words", ["", " , ", "gallery.thrice", "all,nothing", "network.cut"])
def test_a_fault_that_there_is_not_is_named(words: str) -> None:
    with pytest.raises(InvalidInput, match="fault"):
        chosen(words)
