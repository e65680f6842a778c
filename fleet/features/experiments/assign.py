"""Experiments in the loop: the variant of a post, and its effect on the post.

Called at the extension points of publishing. The choice itself is `fleet.features.experiments.variants`; here it meets
agents and jobs. Nothing is decided by results: people read them through `fleet.features.experiments.service`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from fleet.core.db import Tx
from fleet.engine import schedule
from fleet.engine.agents.loop import ActingAgent
from fleet.engine.deps import Deps
from fleet.engine.jobs.ledger import NewJob
from fleet.features.experiments import engagement, variants
from fleet.features.experiments.engagement import Assignment
from fleet.features.experiments.service import experiments_of, known_of
from fleet.features.experiments.variants import Dimension, Experiment, Variant
from fleet.features.personas.service import schedule_of
from fleet.features.publishing.kinds import POST
from fleet.llm.base import Style


def waits(deps: Deps, agent: ActingAgent, now: datetime) -> dict[str, str]:
    """Return the actions that an agent does not take at this hour, and why: outside of its day's window it does not
    post.

    The window is drawn for each local day, so decisions stay pure, no post waits in a queue, and caps hold as ever.
    """
    found = _window(deps, agent, now)
    if found is None:
        return {}
    start, end = found[1].hours or (0, 24)
    rhythm = schedule_of(deps, agent.persona_id, agent.id, agent.organisation_id)
    if start <= schedule.local_time(rhythm, now).hour < end:
        return {}
    return {"post": f"today I post from {start} to {end} o'clock"}


def plan(
    deps: Deps, agent: ActingAgent, now: datetime, jobs: Sequence[NewJob]
) -> tuple[list[NewJob], Callable[[Tx], None] | None]:
    """Return the jobs, posts with their variants, and the write that records the assignments with the decision."""
    if not experiments_of(deps):
        return list(jobs), None
    assignments = [one for job in jobs if job.kind == POST for one in _assigned(deps, agent, now, job)]
    given: dict[Any, dict[str, str]] = {}
    for one in assignments:
        given.setdefault(one.post_job, {})[one.experiment] = one.variant
    told = [
        replace(job, payload={**job.payload, "variants": given[job.id]}) if job.id in given else job for job in jobs
    ]
    return told, functools.partial(_record, assignments) if assignments else None


def _record(assignments: Sequence[Assignment], tx: Tx) -> None:
    engagement.assign(tx, assignments)


def styles(deps: Deps, payload: Mapping[str, Any]) -> tuple[Style, ...]:
    """Return the style of a post, by the variants in its job."""
    given = payload.get("variants", {})
    # Also of an experiment that was stopped meanwhile: the post counts for its variant.
    known = known_of(deps) if given else {}
    found = [known[name].variant(variant) for name, variant in given.items() if name in known]
    return tuple(variant.style for variant in found if variant is not None and variant.style is not None)


def _assigned(deps: Deps, agent: ActingAgent, now: datetime, job: NewJob) -> list[Assignment]:
    tick = variants.unit_of_tick(job.tick_no or 0)
    chosen = [
        (experiment, variants.pick(experiment, agent.id, tick), tick)
        for experiment in experiments_of(deps)
        if experiment.dimension is not Dimension.POSTING_HOUR
    ]
    # A person who requests a post wants it now: its hour is not the agent's choice.
    window = None if job.requested_by is not None else _window(deps, agent, now)
    if window is not None:
        chosen.append(window)
    return [
        Assignment(experiment.name, job.id, variant.name, agent.id, unit) for experiment, variant, unit in chosen
    ]  # fmt: skip


def _window(deps: Deps, agent: ActingAgent, now: datetime) -> tuple[Experiment, Variant, str] | None:
    """Return the hours in which an agent posts on its present local day; None if no experiment sets any."""
    of_hours = (one for one in experiments_of(deps) if one.dimension is Dimension.POSTING_HOUR)
    experiment = next(of_hours, None)
    if experiment is None:
        return None
    rhythm = schedule_of(deps, agent.persona_id, agent.id, agent.organisation_id)
    if not variants.fits_every_day(experiment, schedule.week(rhythm, now)):
        return None
    day = variants.unit_of_day(schedule.local_time(rhythm, now).date())
    return experiment, variants.pick(experiment, agent.id, day), day
