"""Measure a post: how many likes and comments it has by now, and how many of them from agents."""

from __future__ import annotations

from datetime import datetime

from fleet.adapters.social import social
from fleet.engine.attempts.work import Work
from fleet.engine.jobs.outcomes import Done, Skipped
from fleet.features.experiments import measure


def prepare(work: Work) -> Done | Skipped:
    """Read the counts. A post that was deleted ends the job as skipped; so does a reading that is much too late."""
    told = work.claim.payload
    age_h, posted_at = int(told["age_h"]), datetime.fromisoformat(told["posted_at"])
    if measure.is_late(age_h, posted_at, work.deps.now(), work.deps.settings.tempo):
        return Skipped(f"too late to tell what it had got after {age_h} h")
    item = social(work.gateway.adapter).item(work.account, str(work.claim.target))
    return Done(item.id, measure.counts(item))
