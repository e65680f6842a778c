"""Addresses that failed are left alone for longer each time, and never for ever."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from fleet.features.media.states import MOVES, MediaState, retry_after


@given(st.integers(1, 10_000))
def test_each_failure_doubles_the_wait_up_to_a_quarter_of_a_day(failures: int) -> None:
    wait = retry_after(failures)
    assert timedelta(minutes=1) <= wait <= timedelta(hours=6)
    assert retry_after(failures + 1) == min(2 * wait, timedelta(hours=6))


@given(st.integers(1, 50), st.floats(0, 86_400))
def test_what_a_server_asks_for_is_kept(failures: int, asked_s: float) -> None:
    assert retry_after(failures, asked_s=asked_s) >= timedelta(seconds=asked_s)


def test_every_state_can_be_left_and_only_by_fetching() -> None:
    assert set(MOVES) == set(MediaState)
    for state, followers in MOVES.items():
        assert followers == ({*MediaState} if state is MediaState.FETCHING else {MediaState.FETCHING})
