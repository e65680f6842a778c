"""The checker, purely: sound histories pass, and every way in which one can be wrong is named."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.chaos.judge.checker import Violation, judge
from fleet.chaos.judge.evidence import AttemptEvidence, DraftEvidence, Evidence, Silenced, Stop, Tick
from fleet.chaos.log import FaultRecord
from fleet.chaos.world.receiver import ReceivedDelivery
from fleet.chaos.world.reviewer import ReviewerAnswer
from fleet.chaos.world.writes import EffectEvidence, JobEvidence
from fleet.core import ids

START = datetime(2026, 11, 21, tzinfo=UTC)
AGENT = uuid.UUID(int=7)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


@dataclass(frozen=True)
class Life:
    """What became of one job, with all that it left behind."""

    job: JobEvidence
    attempts: tuple[AttemptEvidence, ...]
    effects: tuple[EffectEvidence, ...]
    tick: Tick


ENDS = ["done", "skipped", "cancelled", "exhausted", "unknown_outcome", "unknown_outcome but shown"]


def life(tick_no: int, kind: str, end: str, lost: int = 0) -> Life:
    """Return a sound life: some attempts lost to killed workers, then the one that ended it."""
    job_id = ids.job(AGENT, tick_no, 0)
    dead = end not in ("done", "skipped", "cancelled")
    shown = end == "done" or end.endswith("shown")
    reason = end.split(maxsplit=1)[0] if dead else None
    words = None if kind in ("like", "react") else f"words of {tick_no}"
    target = None if kind == "post" else f"p{tick_no}"
    subject = f"r{tick_no}" if kind in ("post", "comment") else f"p{tick_no}"
    attempts = [AttemptEvidence(job_id, n, at(n * 10), at(n * 10 + 9), "lost") for n in range(1, lost + 1)]
    attempts.append(AttemptEvidence(job_id, 50, at(500), at(505), "done" if end == "done" else "dead"))
    effects = []
    if kind == "post":
        effects.append(EffectEvidence("image", f"{job_id}:image", "ann", "x", "", at(3)))
    if shown:
        key = f"{job_id}:0" if kind == "like" else str(job_id)
        effects.append(EffectEvidence(kind, key, "ann", subject, words or "", at(501)))
    remote = subject if end == "done" else None
    state = "dead" if dead else end
    job = JobEvidence(job_id, AGENT, "ann", tick_no, kind, state, reason, target, remote, words, 50, at(0), at(505))
    return Life(job, tuple(attempts), tuple(effects), Tick(AGENT, tick_no, "decided", ((kind, target),), 1))


def evidence(*lives: Life, stops: tuple[Stop, ...] = ()) -> Evidence:
    visitor = EffectEvidence("post", None, "visitor", "g1", "hello", at(1))
    return Evidence(
        jobs=[one.job for one in lives],
        attempts=[attempt for one in lives for attempt in one.attempts],
        effects=[visitor, *(effect for one in lives for effect in one.effects)],
        ticks=[one.tick for one in lives],
        stops=stops, fleet=frozenset({"ann", "bob"}), fenced=0,
    )  # fmt: skip


histories = st.lists(
    st.tuples(
        st.sampled_from(["post", "comment", "like", "react", "connect"]), st.sampled_from(ENDS), st.integers(0, 3)
    ),
    max_size=8,
).map(lambda drawn: [life(number, *one) for number, one in enumerate(drawn, start=1)])


@given(histories)
def test_a_sound_history_passes(lives: list[Life]) -> None:
    verdict = judge(evidence(*lives))
    assert verdict.violations == ()
    assert (verdict.duplicates, verdict.losses) == (0, 0)
    assert verdict.effects == sum(effect.kind != "image" for one in lives for effect in one.effects)


def test_a_picture_that_a_scan_paid_for_is_not_paid_again_by_its_post() -> None:
    scan = uuid.UUID(int=31)
    posts = [ids.derived("publish", ids.derived("draft", scan, place)) for place in range(12)]
    keys = {f"{scan}:image:{place}" for place in (0, 11)} | {f"{posts[1]}:image"}  # what no scan paid for a post may

    def judged(*more: str) -> list[tuple[int, str | None]]:
        ordered = [EffectEvidence("image", key, "ann", "x", "", at(3)) for key in (*keys, *more)]
        found = judge(replace(evidence(), effects=ordered)).violations
        return [(one.invariant, one.job_id) for one in found if "again by the post" in one.what]

    assert judged() == []
    assert judged(f"{posts[11]}:image") == [(6, str(posts[11]))]


def one_more(known: Life) -> Life:
    return replace(known, effects=(*known.effects, replace(known.effects[-1], subject="again")))


def with_job(**changes: object) -> Callable[[Life], Life]:
    return lambda known: replace(known, job=replace(known.job, **changes))  # type: ignore[arg-type]


def with_last_effect(**changes: object) -> Callable[[Life], Life]:
    return lambda known: replace(
        known,
        effects=(*known.effects[:-1], replace(known.effects[-1], **changes)),  # type: ignore[arg-type]
    )


def with_tick(**changes: object) -> Callable[[Life], Life]:
    return lambda known: replace(known, tick=replace(known.tick, **changes))  # type: ignore[arg-type]


def second_done(known: Life) -> Life:
    return replace(known, attempts=(*known.attempts, replace(known.attempts[-1], token=49)))


def wrote_late(known: Life) -> Life:
    late = AttemptEvidence(known.job.id, 40, at(400), at(502), "retry")
    return replace(known, attempts=(*known.attempts, late))


WRONGS: dict[str, tuple[int, str, Callable[[Life], Life], str]] = {
    "shown twice": (1, "post", one_more, "stands 2 times"),
    "done and not shown": (1, "post", lambda known: replace(known, effects=known.effects[:1]), "does not stand"),
    "another's id": (1, "comment", with_job(remote_id="r99"), "the ledger says r99"),
    "another's account": (1, "comment", with_last_effect(username="bob"), "under bob"),
    "of nobody": (1, "comment", with_last_effect(key=None), "belongs to no job"),
    "skipped and shown": (1, "post", with_job(state="skipped"), "skipped and stands"),
    "exhausted and shown": (1, "post", with_job(state="dead", dead_reason="exhausted"), "(exhausted) and stands"),
    "cancelled and shown": (1, "comment", with_job(state="cancelled"), "cancelled and stands"),
    "like gone": (1, "like", with_last_effect(kind="unlike"), "-1 stand"),
    "like never was": (1, "like", lambda known: replace(known, effects=()), "does not stand"),
    "reacted twice": (1, "react", one_more, "took effect 2 times"),
    "reaction never was": (1, "react", lambda known: replace(known, effects=()), "does not stand"),
    "reaction elsewhere": (1, "react", with_last_effect(subject="p999"), "became a react of p999"),
    "friends with another": (1, "connect", with_last_effect(username="bob"), "under bob"),
    "skipped and asked": (1, "connect", with_job(state="skipped"), "skipped and stands"),
    "other words to a friend": (6, "connect", with_last_effect(content="hello stranger"), "was paid for"),
    "still live": (2, "post", with_job(state="sending", finished_at=None), "still sending"),
    "tick open": (2, "post", with_tick(state="deciding", thoughts=0), "still deciding"),
    "two say done": (3, "post", second_done, "2 attempts say"),
    "done, then not": (3, "comment", with_job(state="dead", dead_reason="unknown_outcome"), "an attempt says done"),
    "token fell": (3, "post", with_job(token=49), "holds token 50"),
    "wrote late": (3, "post", wrote_late, "token 40 wrote retry after 50"),
    "decided twice": (4, "post", with_tick(thoughts=2), "decided 2 times"),
    "skipped and decided": (4, "post", with_tick(state="skipped"), "yet it was decided"),
    "other words": (6, "comment", with_last_effect(content="cheaper words"), "was paid for"),
    "paid twice": (6, "post", lambda known: replace(known, effects=(known.effects[0], *known.effects)), "paid 2 times"),
}


@pytest.mark.parametrize("wrong", WRONGS)
@given(others=histories)
def test_each_wrong_is_found_with_its_job_and_nothing_else_is_blamed(wrong: str, others: list[Life]) -> None:
    invariant, kind, spoil, words = WRONGS[wrong]
    spoilt = spoil(life(1000, kind, "done", 1))
    found = judge(evidence(*others, spoilt)).violations
    assert any(one.invariant == invariant and words in one.what for one in found), found
    named = {one.job_id for one in found if one.job_id}
    assert named <= {str(spoilt.job.id)}


def test_a_job_that_was_asked_for_and_is_not_there_is_a_loss() -> None:
    lost = life(1, "post", "done")
    verdict = judge(replace(evidence(lost), jobs=[], attempts=[], effects=[]))
    assert [(one.invariant, one.job_id) for one in verdict.violations] == [(2, str(lost.job.id))]
    assert verdict.losses == 1


def test_a_second_like_of_one_post_that_the_ledger_refused_is_no_loss() -> None:
    liked = life(1, "like", "done")
    again = Tick(AGENT, 2, "decided", liked.tick.plans, 1)
    assert judge(replace(evidence(liked), ticks=[liked.tick, again])).violations == ()


DRAFT = uuid.UUID(int=11)


def with_draft(status: str, *told: ReviewerAnswer, words: str = "words of 1", job: bool = True) -> Evidence:
    """Return a history with one draft, the comment that it became if it was approved, and what a person was told."""
    known, job_id = life(1, "comment", "done"), ids.derived("publish", DRAFT)
    effects = tuple(replace(effect, key=str(job_id)) for effect in known.effects)
    attempts = tuple(replace(attempt, job_id=job_id) for attempt in known.attempts)
    published = Life(replace(known.job, id=job_id, tick_no=None), attempts, effects, replace(known.tick, plans=()))
    draft = DraftEvidence(DRAFT, status, job_id if status == "approved" else None, words)
    return replace(evidence(*([published] if job else [])), drafts=[draft], told=told)


@pytest.mark.parametrize(
    ("history", "says"),
    [
        (
            with_draft("approved", ReviewerAnswer(DRAFT, words="words of 1"), ReviewerAnswer(DRAFT, status="approved")),
            "",
        ),
        (with_draft("rejected", ReviewerAnswer(DRAFT, status="rejected"), job=False), ""),
        (with_draft("pending", job=False), ""),
        (with_draft("pending", ReviewerAnswer(DRAFT, status="approved"), job=False), "was told that draft"),
        (with_draft("approved", ReviewerAnswer(DRAFT, status="rejected")), "is rejected, and it is approved"),
        (with_draft("approved", job=False), "is approved and has no job"),
        (with_draft("rejected"), "is rejected and has a job"),
        (with_draft("approved", ReviewerAnswer(DRAFT, words="others")), "made draft"),
        (with_draft("approved", words="what nobody said"), "was approved"),
        (with_draft("approved", ReviewerAnswer(uuid.UUID(int=12), status="approved")), "is not there"),
    ],
)
def test_a_broken_decision_about_a_draft_is_found(history: Evidence, says: str) -> None:
    found = [one for one in judge(history).violations if one.invariant != 6]
    assert [one.invariant for one in found] == ([7] if says else [])
    assert all(says in one.what for one in found)


@pytest.mark.parametrize(
    ("heard", "says"),
    [
        ([("1", "a"), ("2", "b")], ""),
        ([("1", "a"), ("1", "a"), ("2", "b")], ""),
        ([("2", "b")], "event 1 was told to nobody"),
        ([("1", "a"), ("1", "c"), ("2", "b")], "event 1 was told by 2 jobs"),
        ([("1", "a"), ("2", "b"), ("3", "d")], "event 3 was told and did not happen"),
    ],
)
def test_every_event_reaches_the_webhook_as_one_delivery(heard: list[tuple[str, str]], says: str) -> None:
    told = [ReceivedDelivery(event_id, delivery, at(number)) for number, (event_id, delivery) in enumerate(heard)]
    verdict = judge(replace(evidence(), happened=["1", "2"], heard=told))
    assert [one.invariant for one in verdict.violations] == ([8] if says else [])
    assert all(one.what == says for one in verdict.violations)
    assert (verdict.deliveries, verdict.heard) == (len(heard), len(dict(heard)))


def test_the_kill_switch_does_not_hold_deliveries_which_report_it() -> None:
    told = [ReceivedDelivery("1", "a", at(1)), ReceivedDelivery("2", "b", at(70))]
    history = replace(evidence(stops=(Stop(at(50), at(80)),)), happened=["1", "2"], heard=told)
    assert judge(history).violations == ()
    (found,) = judge(replace(history, silenced=[Silenced("fleet_hooks", 7, "kill switch: drill")])).violations
    assert (found.invariant, "fleet_hooks" in found.what) == (8, True)


def test_two_rows_of_one_tick_are_found() -> None:
    known = life(1, "post", "done")
    found = judge(replace(evidence(known), ticks=[known.tick, known.tick])).violations
    assert [one.invariant for one in found] == [4]


@pytest.mark.parametrize(("arrived_s", "guilty"), [(499, False), (501.5, False), (503, True), (561, False)])
def test_nothing_may_arrive_while_the_kill_switch_is_on(arrived_s: float, guilty: bool) -> None:
    known = life(1, "comment", "done")
    effects = (replace(known.effects[0], arrived_at=at(arrived_s)),)
    found = judge(evidence(replace(known, effects=effects), stops=(Stop(at(500), at(560)),))).violations
    assert [one.invariant for one in found] == ([5] if guilty else [])


def test_a_kill_switch_that_is_still_on_counts_for_ever() -> None:
    known = life(1, "comment", "done")
    assert judge(evidence(known, stops=(Stop(at(400), None),))).violations[0].invariant == 5


def test_a_violation_names_the_acts_of_its_jobs_life_the_last_ones_first() -> None:
    spoilt = one_more(life(1, "post", "done"))
    acts = [
        FaultRecord(1, at(-50), at(-40), "long over", ""), FaultRecord(2, at(-5), at(5), "began before", ""),
        FaultRecord(3, at(100), None, "in the midst", ""), FaultRecord(4, at(600), at(700), "later", ""),
    ]  # fmt: skip
    assert judge(evidence(spoilt), acts).violations == (
        Violation(1, f"the post stands 2 times: {', '.join(e.subject for e in spoilt.effects[1:])}",
                  str(spoilt.job.id), (3, 2)),
    )  # fmt: skip
    assert judge(evidence(spoilt)).duplicates == 1
