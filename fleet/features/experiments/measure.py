"""Readings of a post after 1, 24 and 72 hours: planned when it is done, read by jobs of their own, recorded once.

Called by `fleet.engine.attempts.perform` in the transaction that finishes a job, so that a finished post has its
readings planned and a finished reading is in the table. Reads from a surface and never writes to one.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from fleet.adapters.social import FeedItem
from fleet.core import ids
from fleet.core.db import Tx
from fleet.engine import publish
from fleet.engine.attempts.work import Work
from fleet.engine.jobs.ledger import NewJob
from fleet.engine.jobs.outcomes import Done
from fleet.features.experiments import engagement
from fleet.features.experiments.engagement import Reading
from fleet.features.experiments.kinds import AGES_H
from fleet.features.experiments.settings import ExperimentsSettings

MEASURE = "measure"
"""The kind of job, as it is registered in feature.py."""
LATE = 1.5
"""A reading later than this many times its age belongs to another age, and is left out."""

_SLACK = timedelta(seconds=30)  # a fleet with a tempo has hours shorter than the sweep's interval
_SOON = timedelta(milliseconds=1)


def plan(tx: Tx, work: Work, done: Done) -> None:
    """Plan the readings of a finished post, where experiments need them."""
    measures_all = work.settings.of(ExperimentsSettings).measure_posts
    if measures_all or work.claim.payload.get("variants"):
        follow(tx, work, done)


def follow(tx: Tx, work: Work, done: Done) -> None:
    """Plan the readings of what a finished job has published."""
    if done.remote_id is not None:
        # They are due later: the sweep publishes each when its time has come.
        publish.add_jobs(tx, work.deps.publisher, _readings(work, done.remote_id, tx.now()))


def keep(tx: Tx, work: Work, done: Done) -> None:
    """Write down a reading that is done."""
    claim, told = work.claim, work.claim.payload
    reading = Reading(
        post_job=uuid.UUID(told["post_job"]), age_h=told["age_h"], agent_id=claim.agent_id, surface=claim.surface,
        remote_id=str(claim.target), posted_at=datetime.fromisoformat(told["posted_at"]), **done.result,
    )  # fmt: skip
    engagement.keep(tx, reading)


def is_late(age_h: int, posted_at: datetime, now: datetime, tempo: float) -> bool:
    """Return whether a reading made now would be too late for its age."""
    return now - posted_at > age_of(age_h, tempo) * LATE + _SLACK


def age_of(age_h: int, tempo: float) -> timedelta:
    """Return an age in real time: a fleet with a tempo measures earlier."""
    return timedelta(hours=age_h) / tempo


def counts(item: FeedItem) -> dict[str, int | None]:
    """Return the counts of an item, made consistent: a surface may count on several machines."""
    likes, comments = max(0, item.likes), max(0, item.comments)
    return {
        "likes": likes, "comments": comments,
        "likes_by_agents": _part(item.likes_by_agents, likes),
        "comments_by_agents": _part(item.comments_by_agents, comments),
    }  # fmt: skip


def _part(number: int | None, whole: int) -> int | None:
    return None if number is None else min(max(0, number), whole)


def _readings(work: Work, remote_id: str, now: datetime) -> list[NewJob]:
    claim, tempo = work.claim, work.deps.settings.tempo
    # A post whose outcome was unknown for a while counts from the time of its sending.
    posted_at = claim.sending_at or now
    return [
        NewJob(
            id=ids.derived("measure", claim.job_id, age_h), agent_id=claim.agent_id, kind=MEASURE,
            surface=claim.surface, target=remote_id, due_in=max(_SOON, posted_at + age_of(age_h, tempo) - now),
            account_id=claim.account_id,
            payload={"post_job": str(claim.job_id), "age_h": age_h, "posted_at": posted_at.isoformat()},
        )
        for age_h in AGES_H
    ]  # fmt: skip
