"""The ledger's pure rules: moves, retries, outcomes."""

from __future__ import annotations

import random
from datetime import timedelta

import hypothesis.strategies as st
import pytest
from hypothesis import given

from fleet.engine import registry
from fleet.engine.jobs.states import FINAL, LEASED, LIVE, MOVES, JobState
from fleet.engine.policy import RetryPolicy
from fleet.features.adapters.health.kinds import CHECK
from fleet.features.publishing.kinds import BROWSE


def test_every_state_is_live_or_final() -> None:
    assert set(JobState) == LIVE | FINAL
    assert not LIVE & FINAL
    assert LEASED < LIVE


def test_every_state_can_be_reached_and_left_unless_it_is_the_end() -> None:
    reached = {JobState.READY} | {after for moves in MOVES.values() for after in moves}
    assert reached == set(JobState)
    for state in LIVE:
        assert MOVES[state] & FINAL or any(MOVES[after] & FINAL for after in MOVES[state])
    assert all(not MOVES[state] for state in FINAL - {JobState.DEAD})


def test_nothing_is_sent_without_being_announced_and_nothing_unknown_is_sent_unresolved() -> None:
    assert JobState.SENDING not in MOVES[JobState.READY]
    assert MOVES[JobState.UNKNOWN].isdisjoint({JobState.SENDING, JobState.RUNNING})
    assert MOVES[JobState.SENDING].isdisjoint({JobState.RUNNING, JobState.CANCELLED})


@given(
    st.sampled_from(["exponential", "linear", "constant"]), st.integers(1, 10_000), st.floats(0.1, 60), st.integers()
)
def test_a_delay_has_full_jitter_below_its_ceiling(shape: str, attempt: int, base_s: float, seed: int) -> None:
    policy = RetryPolicy(shape=shape, base_s=base_s, cap_s=300)  # type: ignore[arg-type]
    factor = {"exponential": 2.0 ** min(attempt - 1, 30), "linear": attempt, "constant": 1}[shape]
    delay = policy.delay(attempt, random.Random(seed))
    assert timedelta(0) <= delay <= timedelta(seconds=min(300, base_s * factor) + 1e-6)


def test_delays_spread_instead_of_coming_back_together() -> None:
    policy = RetryPolicy()
    delays = sorted(policy.delay(5, random.Random(n)).total_seconds() for n in range(200))
    assert delays[0] < 3 and delays[-1] > 28


@pytest.mark.parametrize("kind", sorted(registry.current().jobs.keys() - {BROWSE, CHECK}))
def test_an_outage_of_two_minutes_leaves_hardly_any_dead_letter(kind: str) -> None:
    policy, outlived = registry.current().job(kind).retry, 0
    for seed in range(500):
        dice = random.Random(seed)
        waited = sum((policy.delay(n, dice) for n in range(1, policy.max_attempts)), timedelta(0))
        outlived += waited > timedelta(minutes=2)
    assert outlived > 490


@given(st.floats(0, 86_400), st.integers(1, 5), st.integers())
def test_a_retry_after_is_a_promise_not_to_come_earlier(after_s: float, attempt: int, seed: int) -> None:
    delay = RetryPolicy().delay(attempt, random.Random(seed), retry_after_s=after_s)
    assert delay >= timedelta(seconds=after_s) - timedelta(microseconds=1)


@pytest.mark.parametrize("state", sorted(FINAL - {JobState.DEAD}))
def test_what_has_ended_stays_ended(state: JobState) -> None:
    assert not MOVES[state]
