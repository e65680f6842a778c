"""The rows of engagement: add posts, find those that are due, store what was read. Inside the caller's transaction."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fleet.accounts.models import key_of
from fleet.accounts.service import AccountKey
from fleet.adapters.social import DELETE, POST, AccountMetrics
from fleet.core import events
from fleet.core.db import Base, Tx, sql
from fleet.core.db.sql import Statement
from fleet.engine import registry
from fleet.engine.agents.models import AgentAccountRow, AgentRow
from fleet.engine.jobs.models import JobRow
from fleet.engine.jobs.states import JobState
from fleet.features.engagement import rules
from fleet.features.engagement.models import AccountDayRow, EngagementHourRow, MeasuredAccountRow, PostMetricsRow
from fleet.features.engagement.rules import COUNTS, DuePost, Measurement

_STATEMENTS = "fleet.features.engagement.sql"
_ADD = Statement(sql.read(_STATEMENTS, "add_post"))
_SAVE = Statement(sql.read(_STATEMENTS, "save_counts"), prepared=False)
SUMS_FOR_DAYS = 800
"""Sums by hour and accounts by day stay at least so long: reports compare years, and they name nobody."""
_LONGEST_PROBLEM = 300


def add_post(
    tx: Tx, *, post_job: uuid.UUID, agent_id: uuid.UUID, account_id: uuid.UUID | None, surface: str, remote_id: str,
    posted_at: datetime, tempo: float = 1.0,
) -> None:  # fmt: skip
    """Have a published post measured, from the first age of the plan on."""
    tx.run(
        _ADD, post_job=post_job, agent_id=agent_id, account_id=key_of(account_id), surface=surface,
        remote_id=remote_id, posted_at=posted_at, next_at=rules.next_at(posted_at, 0, tempo),
    )  # fmt: skip


def begin(tx: Tx, account_id: uuid.UUID, now: datetime, tempo: float = 1.0) -> MeasuredAccountRow:
    """Return the row of an account that is measured now. The first time, its posts of the last weeks are added."""
    new = insert(MeasuredAccountRow).values(account_id=account_id, since=now).on_conflict_do_nothing()
    if tx.scalar(new.returning(MeasuredAccountRow.account_id)) is not None:
        for row in tx.execute(_published(account_id, now - rules.PLAN[-1] / tempo)).all():
            posted_at = row.sending_at or row.finished_at
            add_post(tx, post_job=row.id, agent_id=row.agent_id, account_id=account_id, surface=row.surface,
                     remote_id=row.remote_id, posted_at=posted_at, tempo=tempo)  # fmt: skip
    return tx.session.get_one(MeasuredAccountRow, account_id)


def _published(account_id: uuid.UUID, since: datetime) -> sa.Select[*tuple[Any, ...]]:
    kinds = [kind for kind in registry.current().jobs if registry.current().action_of(kind) == POST.name]
    further = sa.select(AgentAccountRow.agent_id).where(AgentAccountRow.account_id == account_id)
    agents = sa.select(AgentRow.id).where((AgentRow.account_id == account_id) | AgentRow.id.in_(further))
    which = (
        JobRow.agent_id.in_(agents), JobRow.kind.in_(kinds), JobRow.created_at > since,
        JobRow.account_id == account_id, JobRow.state == JobState.DONE, JobRow.remote_id.is_not(None),
    )  # fmt: skip
    columns = (JobRow.id, JobRow.agent_id, JobRow.surface, JobRow.remote_id, JobRow.sending_at, JobRow.finished_at)
    return sa.select(*columns).where(*which)


def accounts_with_due_posts(tx: Tx, account_ids: Sequence[uuid.UUID], now: datetime) -> set[uuid.UUID]:
    """Return those of some accounts that have posts to measure now."""
    one = sa.func.unnest(sa.literal(list(account_ids), sa.ARRAY(sa.Uuid))).column_valued("account")
    is_due = sa.exists().where(PostMetricsRow.account_id == one, PostMetricsRow.next_at <= now)
    return set(tx.session.scalars(sa.select(one).where(is_due)))


def states(tx: Tx, account_ids: Sequence[uuid.UUID]) -> Mapping[uuid.UUID, MeasuredAccountRow]:
    """Return how measuring some accounts goes, by their ids."""
    rows = tx.session.scalars(sa.select(MeasuredAccountRow).where(MeasuredAccountRow.account_id.in_(account_ids)))
    return {row.account_id: row for row in rows}


def due_posts(tx: Tx, account_id: uuid.UUID, now: datetime, *, limit: int) -> list[DuePost]:
    """Return posts of an account that are due, those that have waited longest first."""
    row = PostMetricsRow
    query = sa.select(row.post_job, row.agent_id, row.remote_id, row.posted_at, row.stage, row.failures,
                      row.gone_seen_at)  # fmt: skip
    query = query.where(row.account_id == account_id, row.next_at <= now).order_by(row.next_at).limit(limit)
    return [DuePost(str(one.post_job), str(one.agent_id), *one[2:]) for one in tx.execute(query)]


def save_posts(
    tx: Tx, account: AccountKey, readings: Mapping[DuePost, Measurement], *, followers: int | None, at: datetime,
    job_id: uuid.UUID,
) -> int:  # fmt: skip
    """Store readings; posts that turn out to be gone are events. Returns how many are gone."""
    rows = [_row(tx, post, reading, followers) for post, reading in readings.items()]
    saved = tx.run(_SAVE, readings=rows, at=at, job_id=job_id).fetchall()
    reasons = {row["post_job"]: row["gone_reason"] for row in rows}
    gone = [row for row in saved if row.is_gone]
    for row in gone:
        events.emit(tx, "post.gone", agent_id=row.agent_id, job_id=row.post_job, account=account.name,
                    post=row.remote_id, why=reasons[str(row.post_job)])  # fmt: skip
    return len(gone)


def _row(tx: Tx, post: DuePost, reading: Measurement, followers: int | None) -> dict[str, object]:
    counts = reading.counts
    return {
        "post_job": post.post_job, "stage": reading.stage, "next_at": reading.next_at and reading.next_at.isoformat(),
        "is_read": counts is not None, **{name: counts and getattr(counts, name) for name in COUNTS},
        "interactions": counts and counts.interactions, "audience": counts and counts.audience(followers),
        "counts": counts and counts.data(), "is_day": reading.is_day, "is_gone": reading.is_gone,
        "gone_seen_at": reading.gone_seen_at and reading.gone_seen_at.isoformat(),
        "gone_reason": _why_gone(tx, post) if reading.is_gone else "", "failures": reading.failures,
        "problem": reading.problem[:_LONGEST_PROBLEM],
    }  # fmt: skip


def _why_gone(tx: Tx, post: DuePost) -> str:
    """Return why a post is gone: the fleet removed it, or somebody else did."""
    kinds = [kind for kind in registry.current().jobs if registry.current().action_of(kind) == DELETE.name]
    which = (JobRow.agent_id == uuid.UUID(post.agent_id), JobRow.kind.in_(kinds), JobRow.target == post.remote_id,
             JobRow.state == JobState.DONE)  # fmt: skip
    if kinds and tx.scalar(sa.select(JobRow.id).where(*which).limit(1)) is not None:
        return "the fleet removed it"
    return "its network no longer has it: it was removed there, or the account is suspended"


def save_account(
    tx: Tx, account_id: uuid.UUID, surface: str, found: AccountMetrics, *, at: datetime, job_id: uuid.UUID
) -> None:
    """Store the followers of an account for the day; a later reading of a day replaces an earlier one."""
    counts = {"followers": found.followers, "following": found.following, "posts": found.posts}
    day = insert(AccountDayRow).values(
        account_id=account_id, day=at.astimezone(UTC).date(), surface=surface, measured_at=at, measured_by=job_id,
        **counts,
    )  # fmt: skip
    changed = {name: day.excluded[name] for name in (*counts, "surface", "measured_at", "measured_by")}
    tx.execute(day.on_conflict_do_update(
        index_elements=[AccountDayRow.account_id, AccountDayRow.day], set_=changed,
        where=AccountDayRow.measured_at <= day.excluded.measured_at,
    ))  # fmt: skip
    followers = sa.func.coalesce(sa.literal(found.followers, sa.Integer), MeasuredAccountRow.followers)
    which = sa.update(MeasuredAccountRow).where(MeasuredAccountRow.account_id == account_id)
    tx.execute(which.values(followers=followers, followers_at=at))


def succeed(tx: Tx, account: AccountKey, *, at: datetime) -> None:
    """Note that an account was measured; that it can be measured again is an event."""
    row = tx.session.get_one(MeasuredAccountRow, account.id, with_for_update=True)
    if row.failures:
        events.emit(tx, "account.measurable", account=account.name)
    row.measured_at, row.failures, row.retry_at, row.problem = at, 0, None, ""


def fail(tx: Tx, account: AccountKey, why: str, *, at: datetime, tempo: float = 1.0) -> None:
    """Note that an account could not be measured; the first failure in a row is an event."""
    row = tx.session.get_one(MeasuredAccountRow, account.id, with_for_update=True)
    if not row.failures:
        events.emit(tx, "account.unmeasurable", account=account.name, why=why[:_LONGEST_PROBLEM])
    row.failures = min(row.failures + 1, 1000)
    row.failed_at, row.retry_at, row.problem = at, at + rules.rest(row.failures, tempo), why[:_LONGEST_PROBLEM]


def prune_posts(tx: Tx, *, days: int, limit: int) -> int:
    """Delete the counts of posts that were published longer ago than `days`; their sums stay."""
    return _prune(tx, PostMetricsRow, PostMetricsRow.posted_at, days, limit)


def prune_hours(tx: Tx, *, days: int, limit: int) -> int:
    """Delete sums of hours that are older than `days`, and than `SUMS_FOR_DAYS`."""
    return _prune(tx, EngagementHourRow, EngagementHourRow.hour, max(days, SUMS_FOR_DAYS), limit)


def prune_account_days(tx: Tx, *, days: int, limit: int) -> int:
    """Delete days of accounts that are older than `days`, and than `SUMS_FOR_DAYS`."""
    return _prune(tx, AccountDayRow, AccountDayRow.day, max(days, SUMS_FOR_DAYS), limit)


def _prune(tx: Tx, table: type[Base], moment: sa.orm.InstrumentedAttribute[object], days: int, limit: int) -> int:
    keys = sa.inspect(table).primary_key
    old = sa.select(*keys).where(moment < tx.now() - timedelta(days=days)).order_by(moment).limit(limit).subquery()
    gone = sa.delete(table).where(*(key == old.c[key.name] for key in keys))
    return tx.execute(gone.execution_options(synchronize_session=False)).rowcount
