"""What the ledger says of an account's posts: effects around a time, posts that were not seen, and missed ones."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fleet.accounts.models import SETTINGS_ACCOUNT
from fleet.adapters.base import LONGEST_ID, Account
from fleet.adapters.social import COMMENT, DELETE, EDIT, POST, REPOST
from fleet.core.db import Tx
from fleet.engine import registry
from fleet.engine.agents.models import NOWHERE, AgentAccountRow, AgentRow
from fleet.engine.jobs.filters import words_of
from fleet.engine.jobs.models import JobRow
from fleet.engine.jobs.states import DeadReason, JobState
from fleet.features.reconciliation.models import MissedPostRow, ReconciledObjectRow
from fleet.features.reconciliation.posts.rules import LedgerPost

BATCH = 20
"""Posts that are read by their ids between two transactions, at most."""
MOST = 5000
_SENT = (JobState.SENDING, JobState.UNKNOWN, JobState.DONE, JobState.RUNNING, JobState.READY)
_LATE = timedelta(days=1)
"""How long a job may wait before it is sent, as most kinds expire."""
_STORY = "story"
"""A format of posts that networks remove by themselves."""


@dataclass(frozen=True, slots=True)
class PostsAccount:
    """An account whose posts are compared. `job_account_id` None: the account of the settings."""

    account_id: uuid.UUID
    name: str
    adapter: str

    @property
    def job_account_id(self) -> uuid.UUID | None:
        """The account as jobs name it."""
        return None if self.account_id == SETTINGS_ACCOUNT else self.account_id


def kinds_of(action: str) -> list[str]:
    """Return the kinds of job that do an action."""
    known = registry.current()
    return [kind for kind in known.jobs if known.action_of(kind) == action]


def _mine(where: PostsAccount) -> sa.ColumnElement[bool]:
    key = where.job_account_id
    return JobRow.account_id.is_(None) if key is None else JobRow.account_id == key


def _effects(where: PostsAccount) -> sa.Select[Any]:
    row = JobRow
    text = sa.func.coalesce(row.result["text"].astext, words_of(row.checkpoint), row.payload["text"].astext, "")
    link = sa.func.coalesce(row.payload["link"]["url"].astext, "")
    query = sa.select(
        row.id, row.agent_id, AgentRow.username, row.remote_id, text, row.sending_at, row.kind, row.state, link,
        row.created_at,
    ).outerjoin(AgentRow, AgentRow.id == row.agent_id)  # fmt: skip
    lost = sa.and_(row.state == JobState.DEAD, row.dead_reason == DeadReason.UNKNOWN_OUTCOME)
    return query.where(row.surface == where.adapter, _mine(where), sa.or_(row.state.in_(_SENT), lost))


def _post(row: Any, posts: Collection[str]) -> LedgerPost:
    job_id, agent_id, author, remote_id, text, at, kind, state, link, born = row
    return LedgerPost(
        job_id=job_id, agent_id=agent_id, author=author or "", remote_id=remote_id or "", text=text, at=at,
        is_post=kind in posts, is_lost=state == JobState.DEAD, link=link, born=born,
    )  # fmt: skip


def effects(
    tx: Tx, where: PostsAccount, ids: Collection[str], *, since: datetime, until: datetime, floor: datetime
) -> list[LedgerPost]:  # fmt: skip
    """Return the effects with these ids, and the posts that were, or may have been, sent between two times.

    A post can have the time at which its job was added, so a job may have been sent later than its post says. Effects
    with an id that are not found around the page's time are looked for since `floor` (ix_jobs_surface_writes).
    """
    posts, row = kinds_of(POST.name), JobRow
    around = row.sending_at.between(since, until + _LATE)
    near = _effects(where).where(around, row.kind.in_(posts))
    near = near.order_by(row.state == JobState.DONE, row.sending_at).limit(MOST)
    found = {one.job_id: one for one in (_post(each, posts) for each in tx.execute(near).tuples())}
    for times in (around, row.sending_at >= floor):
        wanted = set(ids) - {one.remote_id for one in found.values()}
        if wanted:
            query = _effects(where).where(times, row.remote_id.in_(wanted), row.kind.in_(_kinds_with_posts()))
            found |= {one.job_id: one for one in (_post(each, posts) for each in tx.execute(query).tuples())}
    return _edited(tx, where, list(found.values()))


def _kinds_with_posts() -> list[str]:
    """Return the kinds of job that leave posts or replies in the list of an account."""
    return [kind for action in (POST, COMMENT, REPOST, EDIT) for kind in kinds_of(action.name)]


def unseen(
    tx: Tx, where: PostsAccount, run_id: uuid.UUID, *, since: datetime, until: datetime,
    after: tuple[datetime, uuid.UUID] | None,
) -> list[LedgerPost]:  # fmt: skip
    """Return published posts that a run has not seen, oldest first, at most `BATCH`: those that Fleet deleted are none.

    `after` is the place of the last one before. Agents that left took their posts with them.
    """
    row, posts = JobRow, kinds_of(POST.name)
    seen = sa.select(ReconciledObjectRow.external_id).where(ReconciledObjectRow.run_id == run_id)
    query = _effects(where).where(
        row.sending_at.between(since, until), row.state == JobState.DONE, row.kind.in_(posts),
        row.remote_id.is_not(None), row.remote_id.not_in(seen), AgentRow.deleted_at.is_(None),
        sa.func.coalesce(row.payload["format"].astext, "") != _STORY,
    )  # fmt: skip
    if after is not None:
        query = query.where(sa.tuple_(row.sending_at, row.id) > sa.tuple_(sa.literal(after[0]), sa.literal(after[1])))
    query = query.order_by(row.sending_at, row.id).limit(BATCH)
    return _edited(tx, where, [_post(one, posts) for one in tx.execute(query).tuples()])


def missed(tx: Tx, where: PostsAccount, since: datetime) -> list[LedgerPost]:
    """Return the published posts that one reading has missed, oldest first, at most `BATCH`."""
    row, posts, own = JobRow, kinds_of(POST.name), MissedPostRow
    which = sa.select(own.job_id).where(own.account_id == where.account_id)
    query = _effects(where).where(row.id.in_(which), row.sending_at >= since).order_by(row.sending_at, row.id)
    return _edited(tx, where, [_post(one, posts) for one in tx.execute(query.limit(BATCH)).tuples()])


def _edited(tx: Tx, where: PostsAccount, found: Sequence[LedgerPost]) -> list[LedgerPost]:
    """Give posts the text of their last edit by a job, and leave out those that a job deleted."""
    ids = {one.remote_id for one in found if one.remote_id}
    edits, deletes = kinds_of(EDIT.name), kinds_of(DELETE.name)
    if not ids or not (edits or deletes):
        return list(found)
    row = JobRow
    query = sa.select(row.target, row.kind, row.result["text"].astext).where(
        row.surface == where.adapter, _mine(where), row.kind.in_([*edits, *deletes]), row.state == JobState.DONE,
        row.sending_at >= min(one.at for one in found), row.target.in_(ids),
    ).order_by(row.sending_at)  # fmt: skip
    changed = {target: (kind, text) for target, kind, text in tx.execute(query).tuples()}
    kept = [one for one in found if changed.get(one.remote_id, ("", ""))[0] not in deletes]
    return [
        _with_text(one, changed[one.remote_id][1]) if one.remote_id in changed else one for one in kept
    ]  # fmt: skip


def _with_text(one: LedgerPost, text: str | None) -> LedgerPost:
    return replace(one, text=text or one.text)


def note_seen(tx: Tx, run_id: uuid.UUID, ids: Collection[str], *, is_known: bool = True) -> None:
    """Note the posts that a run has seen."""
    if ids:
        rows = [{"run_id": run_id, "external_id": one[:LONGEST_ID], "is_known": is_known} for one in sorted(ids)]
        tx.execute(insert(ReconciledObjectRow).values(rows).on_conflict_do_nothing())


def count_seen(tx: Tx, run_id: uuid.UUID) -> int:
    """Return how many posts of the ledger a run has seen."""
    row = ReconciledObjectRow
    found: int | None = tx.scalar(sa.select(sa.func.count()).where(row.run_id == run_id, row.is_known))
    return found or 0


def first_missed(tx: Tx, account_id: uuid.UUID) -> datetime | None:
    """Return when the posts of an account that were missed once were missed first."""
    row = MissedPostRow
    found: datetime | None = tx.scalar(sa.select(sa.func.min(row.first_at)).where(row.account_id == account_id))
    return found


def missed_at(tx: Tx, account_id: uuid.UUID, jobs: Collection[uuid.UUID]) -> dict[uuid.UUID, datetime]:
    """Return when posts were missed first, by their jobs."""
    row = MissedPostRow
    query = sa.select(row.job_id, row.first_at).where(row.account_id == account_id, row.job_id.in_(jobs))
    return dict(tx.execute(query).tuples().all()) if jobs else {}


def miss(tx: Tx, account_id: uuid.UUID, organisation_id: uuid.UUID, jobs: Collection[uuid.UUID], at: datetime) -> None:
    """Note that posts were missed for the first time."""
    if jobs:
        rows = [{"account_id": account_id, "organisation_id": organisation_id, "job_id": one, "first_at": at}
                for one in sorted(jobs)]  # fmt: skip
        tx.execute(insert(MissedPostRow).values(rows).on_conflict_do_nothing())


def forget_missed(tx: Tx, account_id: uuid.UUID, jobs: Collection[uuid.UUID]) -> None:
    """Forget that posts were missed: they were seen again, or are known to be deleted."""
    if jobs:
        row = MissedPostRow
        tx.execute(sa.delete(row).where(row.account_id == account_id, row.job_id.in_(jobs))
                   .execution_options(synchronize_session=False))  # fmt: skip


def forget_old_missed(tx: Tx, account_id: uuid.UUID, since: datetime) -> None:
    """Forget posts that were missed once and are too old to be read again, or whose jobs are pruned."""
    row = MissedPostRow
    kept = sa.select(JobRow.id).where(JobRow.id == row.job_id, JobRow.sending_at >= since)
    tx.execute(sa.delete(row).where(row.account_id == account_id, ~sa.exists(kept))
               .execution_options(synchronize_session=False))  # fmt: skip


def accounts_with_agents(tx: Tx) -> set[uuid.UUID]:
    """Return the accounts through which agents post."""
    known = registry.current()
    kinds = [kind for kind, one in known.agents.items() if POST.name in one.actions]
    main = sa.select(sa.func.coalesce(AgentRow.account_id, SETTINGS_ACCOUNT)).where(
        AgentRow.deleted_at.is_(None), AgentRow.kind.in_(kinds), AgentRow.surface != NOWHERE)  # fmt: skip
    further = sa.select(AgentAccountRow.account_id).join(AgentRow, AgentRow.id == AgentAccountRow.agent_id).where(
        AgentRow.deleted_at.is_(None), AgentRow.kind.in_(kinds))  # fmt: skip
    return set(tx.session.scalars(main.union(further)))


def authors(tx: Tx, where: PostsAccount) -> frozenset[str]:
    """Return the usernames of the agents that act through an account."""
    return frozenset(one.username for one in _agents(tx, where))


def readers(tx: Tx, where: PostsAccount, agents: Collection[uuid.UUID]) -> dict[uuid.UUID, Account]:
    """Return agents as their network knows them: one that shows a post to its author alone is asked by its author."""
    own = AgentAccountRow
    query = sa.select(own.agent_id, own.remote_id).where(own.account_id == where.account_id, own.agent_id.in_(agents))
    further = dict(tx.execute(query).tuples().all())
    return {
        one.id: Account(str(one.id), one.username, one.name, one.persona_id,
                        remote_id=further.get(one.id, one.remote_account))
        for one in tx.session.scalars(sa.select(AgentRow).where(AgentRow.id.in_(agents)))
    }  # fmt: skip


def _agents(tx: Tx, where: PostsAccount) -> Sequence[AgentRow]:
    further = sa.select(AgentAccountRow.agent_id).where(AgentAccountRow.account_id == where.account_id)
    key = where.job_account_id
    main = AgentRow.account_id.is_(None) if key is None else AgentRow.account_id == key
    query = sa.select(AgentRow).where(sa.or_(sa.and_(main, AgentRow.surface != NOWHERE), AgentRow.id.in_(further)),
                                      AgentRow.deleted_at.is_(None))  # fmt: skip
    return tx.session.scalars(query).all()
