"""Record assignments and readings, each once however often it is tried, and sum them for people.

Called by `fleet.engine` inside its transactions. Sums are made by the database: an experiment has many posts.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fleet.core.db import Base, Tx
from fleet.features.experiments.models import AssignmentRow, EngagementRow


@dataclass(frozen=True, slots=True)
class Assignment:
    """A post's variant in one experiment. Posts of one agent and `unit` share a throw."""

    experiment: str
    post_job: uuid.UUID
    variant: str
    agent_id: uuid.UUID
    unit: str


@dataclass(frozen=True, slots=True)
class Reading:
    """The counts of a post at one age. `None` by agents: the surface does not mark them."""

    post_job: uuid.UUID
    age_h: int
    agent_id: uuid.UUID
    surface: str
    remote_id: str
    posted_at: datetime
    likes: int
    comments: int
    likes_by_agents: int | None = None
    comments_by_agents: int | None = None


def assign(tx: Tx, assignments: Sequence[Assignment]) -> None:
    """Record assignments; an existing one stays as it is."""
    if assignments:
        tx.execute(insert(AssignmentRow).on_conflict_do_nothing(), [asdict(one) for one in assignments])


def keep(tx: Tx, reading: Reading) -> bool:
    """Record a reading; False if this post has one at this age."""
    statement = insert(EngagementRow).values(**asdict(reading)).on_conflict_do_nothing().returning(EngagementRow.age_h)
    return tx.scalar(statement) is not None


def latest_counts(tx: Tx, post_jobs: Collection[uuid.UUID]) -> dict[uuid.UUID, tuple[int, int]]:
    """Return the likes and comments of posts as they were read last, by the posts' jobs; unread ones are left out."""
    newest = (
        sa.select(EngagementRow.post_job, EngagementRow.likes, EngagementRow.comments)
        .where(EngagementRow.post_job.in_(post_jobs))
        .distinct(EngagementRow.post_job)
        .order_by(EngagementRow.post_job, EngagementRow.age_h.desc())
    )
    return {row.post_job: (row.likes, row.comments) for row in tx.execute(newest)}


def counts_at(tx: Tx, post_jobs: Collection[uuid.UUID], age_h: int) -> dict[uuid.UUID, int]:
    """Return likes and comments of posts at an age, by the posts' jobs; posts that were not read then are left out.

    Those of agents are taken off where the surface marks them. The extension of "publishing.readings".
    """
    one = EngagementRow
    by_agents = sa.func.coalesce(one.likes_by_agents, 0).cast(sa.BigInteger) + sa.func.coalesce(
        one.comments_by_agents, 0
    )
    query = sa.select(one.post_job, one.likes.cast(sa.BigInteger) + one.comments - by_agents)
    return {row[0]: int(row[1]) for row in tx.execute(query.where(one.post_job.in_(post_jobs), one.age_h == age_h))}


@dataclass(frozen=True, slots=True)
class VariantTally:
    """How many posts a variant was assigned, the latest when, and how many of them have been read at least once."""

    experiment: str
    variant: str
    assigned: int
    measured: int
    latest: datetime


def tallies(tx: Tx, experiment: str | None = None) -> list[VariantTally]:
    """Return the tallies of one experiment, or of all, by experiment and variant."""
    query = (
        sa.select(
            AssignmentRow.experiment, AssignmentRow.variant, sa.func.count(AssignmentRow.post_job.distinct()),
            sa.func.count(EngagementRow.post_job.distinct()), sa.func.max(AssignmentRow.assigned_at),
        )
        .join_from(AssignmentRow, EngagementRow, EngagementRow.post_job == AssignmentRow.post_job, isouter=True)
        .group_by(AssignmentRow.experiment, AssignmentRow.variant)
        .order_by(AssignmentRow.experiment, AssignmentRow.variant)
    )  # fmt: skip
    if experiment is not None:
        query = query.where(AssignmentRow.experiment == experiment)
    return [VariantTally(*row) for row in tx.execute(query)]


@dataclass(frozen=True, slots=True)
class Engagement:
    """Likes and comments together of a variant's units, each unit counting by the mean of its posts."""

    units: int
    mean: float
    variance: float


@dataclass(frozen=True, slots=True)
class Sums:
    """The counts of a variant's posts at one age. Users that the surface does not mark are in `everybody` alone."""

    variant: str
    posts: int
    everybody: Engagement
    people: Engagement
    agents: Engagement


def sums(tx: Tx, experiment: str, age_h: int) -> dict[str, Sums]:
    """Return each variant's sums at an age, by variant; variants without readings are left out."""
    # The sum of two four-byte numbers, which a surface chooses, can need more than four bytes.
    all_of_it = EngagementRow.likes.cast(sa.BigInteger) + EngagementRow.comments
    by_agents = EngagementRow.likes_by_agents.cast(sa.BigInteger) + EngagementRow.comments_by_agents
    values = {"everybody": all_of_it, "people": all_of_it - by_agents, "agents": by_agents}
    units = (
        sa.select(
            AssignmentRow.variant, sa.func.count().label("posts"),
            *(sa.func.avg(value).label(name) for name, value in values.items()),
        )
        .join_from(AssignmentRow, EngagementRow, EngagementRow.post_job == AssignmentRow.post_job)
        .where(AssignmentRow.experiment == experiment, EngagementRow.age_h == age_h)
        .group_by(AssignmentRow.variant, AssignmentRow.agent_id, AssignmentRow.unit)
        .subquery("units")
    )  # fmt: skip
    told = [column for name in values for column in _told(units.c[name])]
    query = sa.select(units.c.variant, sa.func.sum(units.c.posts), *told).group_by(units.c.variant)
    return {
        row[0]: Sums(row[0], int(row[1]), *(_got(row[at : at + 3]) for at in (2, 5, 8))) for row in tx.execute(query)
    }


def _told(column: sa.ColumnElement[Any]) -> tuple[sa.ColumnElement[Any], ...]:
    return sa.func.count(column), sa.func.avg(column), sa.func.var_samp(column)


def _got(row: Sequence[Any]) -> Engagement:
    units, mean, variance = row
    return Engagement(int(units), float(mean or 0), float(variance or 0))


def prune_readings(tx: Tx, *, days: int, limit: int) -> int:
    """Delete readings made longer ago than `days`; return how many."""
    return _prune(tx, EngagementRow, EngagementRow.measured_at, days, limit)


def prune_assignments(tx: Tx, *, days: int, limit: int) -> int:
    """Delete assignments made longer ago than `days`; return how many."""
    return _prune(tx, AssignmentRow, AssignmentRow.assigned_at, days, limit)


def _prune(tx: Tx, table: type[Base], moment: Any, days: int, limit: int) -> int:
    keys = sa.inspect(table).primary_key
    # Not clock_timestamp: a value that changes within a statement cannot use an index.
    old = sa.func.statement_timestamp() - sa.literal(timedelta(days=days), sa.Interval)
    victims = sa.select(*keys).where(moment < old).order_by(moment).limit(limit).subquery()
    gone = sa.delete(table).where(*(key == victims.c[key.name] for key in keys))
    return tx.execute(gone.execution_options(synchronize_session=False)).rowcount
