"""What the approval agent decides, and the notices that come of it: pure, and the same when read back."""

from __future__ import annotations

import random
import uuid
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from fleet.features.approvals.agent.digest import (
    ApprovalObservation,
    NoticeLine,
    OpenRequest,
    decide,
    digests,
    from_data,
    to_data,
)
from fleet.features.approvals.rules import Step, Times, step_due

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
MOMENTS = st.timedeltas(timedelta(days=-20), timedelta(days=33)).map(lambda since: NOW + since)
TIMES = st.builds(
    lambda born, life, escalation, marks: Times(born, born + life, escalation and born + escalation, *marks),
    MOMENTS, st.timedeltas(timedelta(minutes=1), timedelta(days=9)),
    st.none() | st.timedeltas(timedelta(minutes=1), timedelta(days=9)),
    st.tuples(st.booleans(), st.none() | MOMENTS, st.booleans()),
)  # fmt: skip
IDS = st.lists(st.uuids(), max_size=3).map(tuple)
SEEN = st.builds(
    ApprovalObservation, MOMENTS, st.lists(st.builds(OpenRequest, st.uuids(), TIMES), max_size=5).map(tuple), IDS, IDS
)


@given(SEEN)
def test_a_moment_that_was_written_down_is_decided_the_same(moment: ApprovalObservation) -> None:
    decision = decide(moment, random.Random(1))
    assert decide(from_data(to_data(moment)), random.Random(2)) == decision
    assert (decision.action is None) == (decision.thought == "")


def test_a_moment_that_an_earlier_version_recorded_is_read() -> None:
    times = [Times(NOW, NOW + timedelta(days=7), announced=True, reminded_at=at) for at in (None, NOW)]
    late = NOW + timedelta(days=6, hours=12)
    data = to_data(ApprovalObservation(late, tuple(OpenRequest(uuid.uuid4(), one) for one in times)))
    for one in data["waiting"]:
        one["times"]["reminded"] = one["times"].pop("reminded_at") is not None
    assert [step_due(one.times, late) for one in from_data(data).waiting] == [Step.REMIND, None]


@given(SEEN)
def test_each_request_takes_the_step_that_is_due_and_one_that_is_taken_back_none(moment: ApprovalObservation) -> None:
    steps = dict(decide(moment, random.Random(1)).steps)
    for one in moment.waiting:
        due = None if one.id in moment.moot else step_due(one.times, moment.now)
        assert steps.get(one.id) is due


def line(summary: str = "A comment") -> NoticeLine:
    return NoticeLine(uuid.uuid4(), summary, "agent:ann_1", NOW)


def test_everything_of_one_sort_is_one_notice() -> None:
    told = digests([(line("a"), Step.EXPIRE), (line("b"), Step.ANNOUNCE), (line("c"), Step.ANNOUNCE)])
    assert [(one.subject, one.title) for one in told] == [
        ("approval.requested", "2 requests wait for approval"), ("approval.expired", "1 request expired undecided")
    ]  # fmt: skip
    assert "until 2026-11-21 12:00 UTC" in told[0].body
    assert "until" not in told[1].body
    assert digests([]) == []


def test_a_long_notice_says_how_many_more_there_are() -> None:
    (told,) = digests([(line(), Step.ANNOUNCE)] * 50)
    assert len(told.body.splitlines()) == 21
    assert "30 more" in told.body
