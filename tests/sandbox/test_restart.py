"""When a dead process is started again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.sandbox.processes.restart import Record, RestartPolicy

policies = st.builds(
    RestartPolicy,
    first_delay_s=st.floats(0.01, 5),
    longest_delay_s=st.floats(5, 100),
    quick_s=st.floats(0, 60),
    quick_deaths=st.integers(1, 200),
)


@given(policies, st.lists(st.floats(0, 1000), max_size=300))
def test_delays_stay_within_bounds_and_giving_up_needs_the_full_row(policy: RestartPolicy, lives: list[float]) -> None:
    record = Record()
    for lived_s in lives:
        record = record.after_death(lived_s, policy)
        delay_s = record.delay_s(policy)
        assert (delay_s is None) == (record.quick_in_a_row >= policy.quick_deaths)
        if delay_s is not None:
            assert policy.first_delay_s <= delay_s <= policy.longest_delay_s
    assert record.deaths == len(lives)


@given(policies)
def test_delays_never_shrink_while_deaths_stay_quick(policy: RestartPolicy) -> None:
    record, delays = Record(), []
    while (delay_s := record.delay_s(policy)) is not None and policy.quick_s > 0:
        delays.append(delay_s)
        record = record.after_death(0.0, policy)
    assert delays == sorted(delays)
    assert len(delays) == (policy.quick_deaths if policy.quick_s > 0 else 0)


def test_a_long_life_wipes_the_slate() -> None:
    policy = RestartPolicy(quick_s=10, quick_deaths=3)
    record = Record().after_death(1, policy).after_death(1, policy).after_death(60, policy)
    assert (record.deaths, record.quick_in_a_row, record.delay_s(policy)) == (3, 0, policy.first_delay_s)


@pytest.mark.parametrize(
    "wrong", [{"first_delay_s": 0}, {"first_delay_s": 9, "longest_delay_s": 1}, {"quick_deaths": 0}]
)
def test_a_policy_that_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="not a restart policy"):
        RestartPolicy(**wrong)  # type: ignore[arg-type]
