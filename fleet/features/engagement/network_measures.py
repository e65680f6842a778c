"""How the networks of an organisation do, for the team leader: the extension of "leader.measures".

Only what was measured counts. A post that was never read, or whose audience is unknown, is no post without engagement;
followers that were counted once, or twice within less than half a day, are no growth of nothing.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from fleet.adapters.social import POST
from fleet.core.db import Tx
from fleet.engine.agents.models import AgentRow
from fleet.engine.deps import Deps
from fleet.engine.jobs.models import JobRow
from fleet.engine.points.network_measures import Measured, PostSample
from fleet.features.engagement import queries
from fleet.features.engagement.models import EngagementHourRow, PostMetricsRow
from fleet.features.engagement.queries import AccountGrowth, Slice

_WEEK = timedelta(days=7)
_LEAST_SPAN = timedelta(hours=12)
"""Followers that are counted sooner again say too little about a week."""


def measure(
    deps: Deps, tx: Tx, organisation_id: uuid.UUID, since: datetime, until: datetime
) -> dict[str, Measured]:  # fmt: skip
    """Return engagement and growth by network of an organisation's agents of platforms, from `since` to `until`."""
    engaged = _engagement(tx, organisation_id, since, until)
    grown = _growth(tx, organisation_id, since, until, deps.settings.tempo)
    found = {}
    for name in {*engaged, *grown}:
        percent, posts = engaged.get(name, (None, 0))
        found[name] = Measured(percent, posts, grown.get(name))
    return found


def _own(organisation_id: uuid.UUID, network: sa.SQLColumnExpression[str]) -> sa.ColumnElement[bool]:
    """The agents of a network's own kind, whose jobs the other parts of the score count, too."""
    return sa.and_(AgentRow.organisation_id == organisation_id, AgentRow.kind == network)


def _engagement(
    tx: Tx, organisation_id: uuid.UUID, since: datetime, until: datetime
) -> dict[str, tuple[float, int]]:  # fmt: skip
    hour = EngagementHourRow
    columns = (sa.func.sum(hour.rated), sa.func.sum(hour.audience), sa.func.sum(hour.measured))
    query = sa.select(hour.surface, *columns).join(AgentRow, AgentRow.id == hour.agent_id)
    query = query.where(_own(organisation_id, hour.surface), hour.hour >= since, hour.hour < until, hour.audience > 0)
    return {
        network: (100 * float(rated) / float(audience), int(posts))
        for network, rated, audience, posts in tx.execute(query.group_by(hour.surface))
    }


def _growth(
    tx: Tx, organisation_id: uuid.UUID, since: datetime, until: datetime, tempo: float
) -> dict[str, float]:  # fmt: skip
    query = sa.select(AgentRow.account_id, AgentRow.kind).where(AgentRow.organisation_id == organisation_id)
    own = set(tx.execute(query.where(AgentRow.deleted_at.is_(None))).tuples())
    grown: dict[str, list[AccountGrowth]] = defaultdict(list)
    for one in queries.growth(tx, Slice(since=since, until=until)):
        is_long_enough = one.last_at - one.first_at >= _LEAST_SPAN / tempo
        if is_long_enough and one.first and (one.account_id, one.surface) in own:
            grown[one.surface].append(one)
    return {network: _weekly_percent(found, tempo) for network, found in grown.items()}


def _weekly_percent(found: Sequence[AccountGrowth], tempo: float) -> float:
    """Return the growth of accounts together, in percent of a week: each account by the time between its two counts."""
    gained = sum(one.gained * (_WEEK / tempo / (one.last_at - one.first_at)) for one in found)
    return 100 * gained / sum(one.first for one in found)


def samples(
    deps: Deps, tx: Tx, organisation_id: uuid.UUID, since: datetime, until: datetime
) -> list[PostSample]:  # fmt: skip
    """Return what posts of an organisation's agents of platforms reached within a day, by agent and hour, and by agent
    and format. The extension of "leader.samples".
    """
    hour = EngagementHourRow
    own = _own(organisation_id, hour.surface)
    query = sa.select(hour.agent_id, hour.hour, sa.func.sum(hour.day_posts), sa.func.sum(hour.day_log),
                      sa.func.sum(hour.day_log_squares))  # fmt: skip
    query = query.join(AgentRow, AgentRow.id == hour.agent_id)
    query = query.where(own, hour.hour >= since, hour.hour < until, hour.day_posts > 0)
    found = [
        PostSample(agent_id, int(posts), log_sum, squares, at=at)
        for agent_id, at, posts, log_sum, squares in tx.execute(query.group_by(hour.agent_id, hour.hour))
    ]
    post = PostMetricsRow
    kind = sa.func.coalesce(JobRow.payload["format"].astext, POST.name).label("kind")
    log = sa.func.ln(1 + post.interactions)
    of_day = (post.posted_at >= since, post.posted_at < until - timedelta(days=1) / deps.settings.tempo)
    by_format = sa.select(post.agent_id, kind, sa.func.count(), sa.func.sum(log), sa.func.sum(log * log))
    by_format = by_format.join(AgentRow, AgentRow.id == post.agent_id).join(JobRow, JobRow.id == post.post_job)
    by_format = by_format.where(_own(organisation_id, post.surface), *of_day, post.interactions.is_not(None))
    found += [
        PostSample(agent_id, int(posts), float(log_sum), float(squares), format=name)
        for agent_id, name, posts, log_sum, squares in tx.execute(by_format.group_by(post.agent_id, kind))
    ]
    return found
