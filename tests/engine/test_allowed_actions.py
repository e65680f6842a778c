"""What people are told of a job: every act has words, and what is offered is what the table of moves allows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.engine import registry
from fleet.engine.jobs.allowed_actions import MEANING, Act, choices
from fleet.engine.jobs.filters import JobFilter
from fleet.engine.jobs.states import MOVES, DeadReason, JobState
from fleet.engine.policy import Priority
from fleet.engine.registry import MESSAGE
from fleet.features.publishing.kinds import LIKE, POST

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def able(state: JobState, kind: str = POST, *, is_leased: bool = False) -> set[Act]:
    found = choices(state, kind, NOW, NOW, is_leased=is_leased)
    assert [choice.act for choice in found] == list(Act)
    return {choice.act for choice in found if choice.why_not is None}


@pytest.mark.parametrize("state", JobState)
def test_what_is_offered_is_a_move_that_the_table_knows(state: JobState) -> None:
    leads_to = {Act.CANCEL: JobState.CANCELLED, Act.DISCARD: JobState.CANCELLED, Act.REPLAY: JobState.READY}
    offered = able(state)
    assert all(leads_to[act] in MOVES[state] for act in offered - {Act.RETRY})
    assert (Act.RETRY in offered) == (state in (JobState.READY, JobState.UNKNOWN))
    assert ({Act.REPLAY, Act.DISCARD} <= offered) == (state is JobState.DEAD)


@pytest.mark.parametrize("state", JobState)
def test_every_act_that_is_not_offered_says_why_not(state: JobState) -> None:
    assert all(choice.why_not is None or choice.why_not.endswith(".") for choice in choices(state, LIKE, NOW, NOW))


def test_a_message_is_discarded_only_and_what_is_resolved_now_is_not_retried() -> None:
    assert able(JobState.DEAD, MESSAGE.kind) == {Act.DISCARD}
    assert able(JobState.UNKNOWN) == {Act.RETRY} and able(JobState.UNKNOWN, is_leased=True) == set()


def test_a_replay_tells_that_a_letter_is_stale() -> None:
    stale = {}
    for worth_s in (-1, 0, 1):
        found = choices(JobState.DEAD, POST, NOW + timedelta(seconds=worth_s), NOW)
        stale[worth_s] = next(one.is_stale for one in found if one.act is Act.REPLAY)
    assert stale == {-1: True, 0: True, 1: False}


def test_every_reason_has_a_meaning_and_a_remedy() -> None:
    assert set(MEANING) == set(DeadReason)
    assert all(one.says.endswith(".") and one.remedy.endswith(".") for one in MEANING.values())


@given(
    states=st.sets(st.sampled_from(JobState)), kinds=st.sets(st.sampled_from(sorted(registry.current().jobs))),
    priority=st.none() | st.sampled_from(Priority), agent=st.none() | st.uuids(),
)  # fmt: skip
def test_the_parts_of_a_filter_together_match_what_it_matches_and_no_job_twice(
    states: set[JobState], kinds: set[str], priority: Priority | None, agent: object
) -> None:
    which = JobFilter(states=tuple(states), kinds=tuple(kinds), priority=priority, agent_id=agent)  # type: ignore[arg-type]
    for state in JobState:
        for kind in registry.current().jobs:
            for born in {registry.current().job(kind).priority, Priority.HIGH}:
                met = sum(_matches(part, state, kind, born) for part in which.parts)
                assert met == _matches(which, state, kind, born)


def _matches(which: JobFilter, state: JobState, kind: str, priority: Priority) -> bool:
    return (
        (not which.states or state in which.states)
        and (not which.kinds or kind in which.kinds)
        and which.priority in (None, priority)
    )
