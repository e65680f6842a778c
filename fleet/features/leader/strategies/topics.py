"""What posts about each topic reached: the evidence for the weights of topics.

The topic of a post is in its job. Its counts are the newest ones of any feature that reads them ("publishing.counts"),
of posts that are a day old or older, so that all had time for reactions.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from fleet.adapters.social import POST
from fleet.core.db import Tx
from fleet.engine import registry
from fleet.engine.deps import Deps
from fleet.engine.jobs.models import JobRow
from fleet.engine.jobs.states import JobState

_MOST_POSTS = 5000


def samples(
    deps: Deps, tx: Tx, agent_ids: Sequence[uuid.UUID], since: datetime, until: datetime
) -> Iterator[tuple[uuid.UUID, tuple[str, int, float, float]]]:
    """Yield (agent, (topic, 1, log(1 + reactions), its square)) of each measured post with a topic."""
    topic = JobRow.payload["topic"].astext
    age = timedelta(days=1) / deps.settings.tempo
    done = (JobRow.kind == POST.name, JobRow.state == JobState.DONE, JobRow.agent_id.in_(agent_ids))
    when = (JobRow.finished_at >= since, JobRow.finished_at < until - age, topic.is_not(None))
    query = sa.select(JobRow.id, JobRow.agent_id, topic).where(*done, *when)
    posts = tx.execute(query.order_by(JobRow.finished_at.desc()).limit(_MOST_POSTS)).all()
    found: dict[uuid.UUID, tuple[int, int]] = {}
    for counts in registry.current().extensions("publishing.counts") if posts else ():
        found |= counts(tx, [job_id for job_id, _, _ in posts])
    for job_id, agent_id, name in posts:
        if job_id in found:
            log = math.log1p(sum(found[job_id]))
            yield agent_id, (name, 1, log, log * log)
