"""The checker: compares the ledger with what was written on the surface, and names every broken promise.

Pure: evidence in, verdict out. The invariants are those of ARCHITECTURE.md, with their numbers. A suspended process
that is past its last check of the lease can write late (point `job.cleared`); on a surface that honours no keys that
doubles an effect, and is reported as such.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from uuid import UUID

from fleet.chaos.judge.evidence import AttemptEvidence, Evidence, Tick
from fleet.chaos.log import FaultRecord
from fleet.chaos.world.writes import EffectEvidence, JobEvidence
from fleet.core import ids

_ORDER = re.compile(r"[^:]+:image(?::\d+(?=:|$))?")
"""The order of a picture within its key: a post orders one, a scan one for each post that it proposes."""

FINAL = frozenset({"done", "dead", "skipped", "cancelled"})
PUBLIC = frozenset({"post", "comment"})
SOCIAL = frozenset({"react", "connect", "repost", "follow"})
"""Reactions, friend requests, reposts and follows: repeated ones have no further effect on the surface."""
ON_THE_WIRE = timedelta(seconds=2)
"""A request that was cleared before the kill switch was thrown may arrive so long after it."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that was broken: which one, by which job, and the numbers of the acts during the job's life."""

    invariant: int
    what: str
    job_id: str | None = None
    acts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class JudgeResult:
    """The findings. `duplicates` are effects beyond the first of a job, `losses` jobs without an end; `answers`
    counts decisions that were confirmed to a person, `heard` events that reached a webhook, in `deliveries`.
    """

    violations: tuple[Violation, ...]
    duplicates: int
    losses: int
    effects: int = 0
    fenced: int = 0
    lost_attempts: int = 0
    likes_put_back: int = 0
    answers: int = 0
    deliveries: int = 0
    heard: int = 0


def judge(evidence: Evidence, acts: Sequence[FaultRecord] = ()) -> JudgeResult:
    """Check the evidence against all eight invariants."""
    case = _Case(evidence)
    found = [
        *_each_effect_once(case), *_no_strangers(case), *_nothing_lost(case), *_tokens_rise(case), *_ticks_once(case),
        *_stopped_means_stopped(case), *_paid_once(case), *_as_told(case), *_all_heard(case),
        *(Violation(one.invariant, one.what) for one in evidence.findings),
    ]  # fmt: skip
    kinds = Counter(effect.kind for effect in evidence.effects if effect.username in evidence.fleet)
    return JudgeResult(
        tuple(_with_acts(violation, case, acts) for violation in found),
        duplicates=sum(len(of) - 1 for of in case.shown.values() if len(of) > 1),
        losses=sum(job.state not in FINAL for job in evidence.jobs) + len(case.missing),
        effects=sum(kinds[kind] for kind in PUBLIC | SOCIAL) + kinds["like"] - kinds["unlike"],
        fenced=evidence.fenced,
        lost_attempts=sum(attempt.outcome == "lost" for attempt in evidence.attempts),
        likes_put_back=kinds["unlike"],
        answers=len(evidence.told),
        deliveries=len(evidence.heard),
        heard=len({one.event_id for one in evidence.heard}),
    )


class _Case:
    """The evidence, sorted."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.jobs = {str(job.id): job for job in evidence.jobs}
        self.shown: dict[str, list[EffectEvidence]] = defaultdict(list)
        self.pictures: Counter[str] = Counter()
        self.net_likes: Counter[tuple[str, str]] = Counter()
        self.standing = {(one.kind, one.username, one.subject) for one in evidence.effects if one.kind in SOCIAL}
        for effect in evidence.effects:
            self._sort(effect)
        self.attempts: dict[UUID, list[AttemptEvidence]] = defaultdict(list)
        for attempt in evidence.attempts:
            self.attempts[attempt.job_id].append(attempt)
        self.missing = list(self._missing())

    def _sort(self, effect: EffectEvidence) -> None:
        if effect.kind in PUBLIC | SOCIAL and effect.job_key:
            self.shown[effect.job_key].append(effect)
        elif effect.kind == "image" and effect.key:
            order = _ORDER.match(effect.key)
            self.pictures[order[0] if order else effect.key] += 1
        elif effect.kind in ("like", "unlike"):
            self.net_likes[effect.username, effect.subject] += 1 if effect.kind == "like" else -1

    def _missing(self) -> Iterator[tuple[Tick, UUID]]:
        """Yield the jobs of decisions that are missing from the ledger.

        A second like or comment of an agent on one post is no loss: the ledger refuses it.
        """
        reactions = {(job.agent_id, job.kind, job.target) for job in self.evidence.jobs}
        for tick in self.evidence.ticks:
            for ordinal, (kind, target) in enumerate(tick.plans):
                job_id = ids.job(tick.agent_id, tick.tick_no, ordinal)
                refused = kind in ("like", "comment") and (tick.agent_id, kind, target) in reactions
                if str(job_id) not in self.jobs and not refused:
                    yield tick, job_id


def _each_effect_once(case: _Case) -> Iterator[Violation]:
    """1: at most once, and exactly once when done."""
    for job in case.evidence.jobs:
        if job.kind == "like":
            yield from _like(case, job)
        elif job.kind in PUBLIC:
            yield from _public(job, case.shown.get(str(job.id), []))
        elif job.kind in SOCIAL:
            yield from _social(case, job, case.shown.get(str(job.id), []))


def _like(case: _Case, job: JobEvidence) -> Iterator[Violation]:
    stands = case.net_likes[job.username, str(job.target)]
    if job.state == "done" and stands != 1:
        yield _of(1, job, f"the like is done, and {stands} stand" if stands else "the like is done and does not stand")


def _social(case: _Case, job: JobEvidence, effects: Sequence[EffectEvidence]) -> Iterator[Violation]:
    if len(effects) > 1:
        yield _of(1, job, f"the {job.kind} took effect {len(effects)} times")
    if job.state == "done" and (job.kind, job.username, str(job.target)) not in case.standing:
        yield _of(1, job, f"the {job.kind} is done and does not stand")
    for effect in effects:
        if (effect.kind, effect.username, effect.subject) != (job.kind, job.username, str(job.target)):
            where = f"{effect.subject}, under {effect.username}"
            yield _of(1, job, f"the {job.kind} of {job.target} became a {effect.kind} of {where}")
        if _must_not_stand(job):
            yield _of(1, job, f"the {job.kind} is {job.state} and stands all the same")


def _public(job: JobEvidence, effects: Sequence[EffectEvidence]) -> Iterator[Violation]:
    if len(effects) > 1:
        yield _of(1, job, f"the {job.kind} stands {len(effects)} times: {', '.join(e.subject for e in effects)}")
    if job.state == "done" and not effects:
        yield _of(1, job, f"the {job.kind} is done and does not stand")
    if job.state == "done" and effects and job.remote_id not in {effect.subject for effect in effects}:
        yield _of(1, job, f"the ledger says {job.remote_id}, the surface {effects[0].subject}")
    if effects and _must_not_stand(job):
        why = f" ({job.dead_reason})" if job.dead_reason else ""
        yield _of(1, job, f"the {job.kind} is {job.state}{why} and stands all the same")
    for effect in effects:
        if effect.username != job.username:
            yield _of(1, job, f"the {job.kind} stands under {effect.username}, not {job.username}")


def _must_not_stand(job: JobEvidence) -> bool:
    """Return whether the ledger says that there is no effect; an unknown outcome does not."""
    return job.state in ("skipped", "ready") or (
        job.state in ("dead", "cancelled") and job.dead_reason != "unknown_outcome"
    )


def _no_strangers(case: _Case) -> Iterator[Violation]:
    """1 again: every effect under the fleet's names belongs to one of its jobs."""
    for effect in case.evidence.effects:
        if effect.username in case.evidence.fleet and (effect.job_key is None or effect.job_key not in case.jobs):
            yield Violation(1, f"{effect.kind} {effect.subject} by {effect.username} belongs to no job", effect.job_key)


def _nothing_lost(case: _Case) -> Iterator[Violation]:
    """2: every job has ended, every decision's jobs are there, no tick is left open."""
    for job in case.evidence.jobs:
        if job.state not in FINAL:
            yield _of(2, job, f"the {job.kind} is still {job.state}")
    for tick, job_id in case.missing:
        what = f"tick {tick.tick_no} of agent {tick.agent_id} asked for a job that is not there"
        yield Violation(2, what, str(job_id))
    for tick in case.evidence.ticks:
        if tick.state in ("due", "deciding"):
            yield Violation(2, f"tick {tick.tick_no} of agent {tick.agent_id} is still {tick.state}")


def _tokens_rise(case: _Case) -> Iterator[Violation]:
    """3: one attempt ends a job, none with an older token after it, and no token is above the job's own."""
    for job in case.evidence.jobs:
        attempts = sorted(case.attempts.get(job.id, []), key=lambda attempt: attempt.token)
        done = [attempt for attempt in attempts if attempt.outcome == "done"]
        if len(done) > 1:
            yield _of(3, job, f"{len(done)} attempts say that they did it, tokens {[a.token for a in done]}")
        if done and job.state != "done":
            yield _of(3, job, f"an attempt says done, the job {job.state}")
        if any(attempt.token > job.token for attempt in attempts):
            yield _of(3, job, f"an attempt holds token {attempts[-1].token}, the job only {job.token}")
        for earlier, later in pairwise(attempts):
            if _wrote_late(earlier, later):
                yield _of(3, job, f"token {earlier.token} wrote {earlier.outcome} after {later.token} was claimed")


def _wrote_late(earlier: AttemptEvidence, later: AttemptEvidence) -> bool:
    """Return whether an attempt's end changed the job after another worker had claimed it."""
    harmless = earlier.outcome in (None, "lost", "fenced")
    return not harmless and earlier.ended_at is not None and earlier.ended_at > later.started_at


def _ticks_once(case: _Case) -> Iterator[Violation]:
    """4: one row and one decision for each tick."""
    for key, number in Counter((tick.agent_id, tick.tick_no) for tick in case.evidence.ticks).items():
        if number > 1:
            yield Violation(4, f"tick {key[1]} of agent {key[0]} has {number} rows")
    for tick in case.evidence.ticks:
        if tick.thoughts > 1:
            yield Violation(4, f"tick {tick.tick_no} of agent {tick.agent_id} was decided {tick.thoughts} times")
        if tick.thoughts and tick.state != "decided":
            yield Violation(4, f"tick {tick.tick_no} of agent {tick.agent_id} is {tick.state}, yet it was decided")


def _stopped_means_stopped(case: _Case) -> Iterator[Violation]:
    """5: after the kill switch is turned on no agent's write arrives except those already on the wire.

    Deliveries to webhooks are no agent's writes: they report the kill switch (8).
    """
    for effect in case.evidence.effects:
        if effect.username not in case.evidence.fleet:
            continue
        for stop in case.evidence.stops:
            late = effect.arrived_at - stop.since
            if late > ON_THE_WIRE and (stop.until is None or effect.arrived_at < stop.until):
                what = f"{effect.kind} {effect.subject} arrived {late.total_seconds():.1f} s after the kill switch"
                yield Violation(5, what, effect.job_key)


def _paid_once(case: _Case) -> Iterator[Violation]:
    """6: one paid picture for each job, and the text on the surface is the one that was paid for."""
    for key, number in case.pictures.items():
        if number > 1:
            yield Violation(6, f"the picture was paid {number} times", key.partition(":")[0])
        scan, _, place = key.partition(":image:")
        post = ids.derived("publish", ids.derived("draft", scan, place))  # of the draft that the picture was made for
        if place.isdecimal() and f"{post}:image" in case.pictures:
            yield Violation(6, "the picture was paid by the scan that proposed it, and again by the post", str(post))
    for job_id, effects in case.shown.items():
        job = case.jobs.get(job_id)
        if job is not None and job.text is not None:
            for effect in effects:
                if effect.content.strip() != job.text.strip():
                    yield _of(6, job, f"it says {effect.content!r}, and {job.text!r} was paid for")


def _as_told(case: _Case) -> Iterator[Violation]:
    """7: decisions that were confirmed to a person stay; an approved draft has one job, any other none."""
    drafts = {draft.id: draft for draft in case.evidence.drafts}
    for told in case.evidence.told:
        draft = drafts.get(told.draft_id)
        if draft is None:
            yield Violation(7, f"a person decided about draft {told.draft_id}, and it is not there")
        elif told.status is not None and told.status != draft.status:
            yield Violation(7, f"a person was told that draft {draft.id} is {told.status}, and it is {draft.status}")
        elif told.words is not None and told.words != draft.words:
            yield Violation(7, f"a person made draft {draft.id} say {told.words!r}, and it says {draft.words!r}")
    for draft in drafts.values():
        job_id = str(ids.derived("publish", draft.id))
        if (draft.status == "approved") != (job_id in case.jobs):
            has = "has a job" if job_id in case.jobs else "has no job"
            yield Violation(7, f"draft {draft.id} is {draft.status} and {has}", job_id)
        for effect in case.shown.get(job_id, ()):
            if effect.kind in PUBLIC and effect.content.strip() != (draft.words or "").strip():
                yield Violation(7, f"it says {effect.content!r}, and {draft.words!r} was approved", job_id)


def _all_heard(case: _Case) -> Iterator[Violation]:
    """8: every event reaches a webhook that subscribed to it, as one delivery; no delivery reports an event that did
    not happen.

    No kill switch and no pause of the fleet keeps the agents that report it from waking.
    """
    for tick in case.evidence.silenced:
        yield Violation(8, f"tick {tick.tick_no} of {tick.username}, which reports to operators, was held: {tick.why}")
    deliveries: dict[str, set[str]] = defaultdict(set)
    for one in case.evidence.heard:
        deliveries[one.event_id].add(one.delivery)
    for event_id in case.evidence.happened:
        if event_id not in deliveries:
            yield Violation(8, f"event {event_id} was told to nobody")
    for event_id in deliveries.keys() - set(case.evidence.happened):
        yield Violation(8, f"event {event_id} was told and did not happen")
    for event_id, jobs in deliveries.items():
        if len(jobs) > 1:
            yield Violation(8, f"event {event_id} was told by {len(jobs)} jobs", min(jobs))


def _of(invariant: int, job: JobEvidence, what: str) -> Violation:
    return Violation(invariant, what, str(job.id))


def _with_acts(violation: Violation, case: _Case, acts: Iterable[FaultRecord]) -> Violation:
    """Add which acts were under way in the life of the violation's job, the last ones first."""
    job = case.jobs.get(violation.job_id or "")
    if job is None:
        return violation
    near = [act for act in acts if _overlaps(act, job.created_at, job.finished_at)]
    return replace(violation, acts=tuple(act.seq for act in reversed(near)))


def _overlaps(act: FaultRecord, since: datetime, until: datetime | None) -> bool:
    return (until is None or act.at <= until) and (act.until or act.at) >= since
