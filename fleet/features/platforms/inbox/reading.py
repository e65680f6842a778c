"""The inbox of accounts: read notifications from a platform, keep each once, and mark what is answered.

Reading is outside of transactions; the rest is inside its caller's.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fleet.accounts.models import AccountRow, key_of
from fleet.adapters.base import LONGEST_ID, Account, Adapter
from fleet.adapters.social import FeedItem, Notification, NotifyingAdapter
from fleet.core import ids
from fleet.core.db import Tx
from fleet.engine.agents import config
from fleet.engine.agents.loop import ActingAgent
from fleet.engine.agents.models import AgentAccountRow, AgentRow
from fleet.engine.attempts.work import Work
from fleet.features.platforms.inbox import opt_outs
from fleet.features.platforms.inbox.models import InboxItemRow, InboxPositionRow
from fleet.features.platforms.inbox.states import InboxState
from fleet.features.platforms.inbox.triage import OLDEST, OpenItem, Triage, people, triage_all
from fleet.features.platforms.kinds import PlatformConfig
from fleet.features.platforms.networks import NETWORKS

PAGE, MOST_PAGES = 100, 5
"""Notifications in one call, and calls in one tick: a flood is read in several ticks."""
MOST_OPEN = 20
_LONGEST_TEXT_CHARS = 2_000
_DAY = timedelta(days=1)
_ANSWERING = (InboxState.OPEN, InboxState.ANSWERED, InboxState.PROPOSED)


@dataclass(frozen=True, slots=True)
class News:
    """New notifications of an account, oldest first, and the cursors before and after them."""

    items: tuple[Notification, ...]
    before: str | None
    after: str | None


def read(adapter: Adapter, account: Account, before: str | None) -> News:
    """Read new notifications; at most five hundred. Raises an AdapterError."""
    if not isinstance(adapter, NotifyingAdapter):
        return News((), before, before)
    found: list[Notification] = []
    cursor = before
    for _ in range(MOST_PAGES):
        page = adapter.notifications(account, cursor=cursor, limit=PAGE)
        found += page.items
        if page.cursor is None or page.cursor == cursor:
            break
        cursor = page.cursor
        if len(page.items) < PAGE:
            break
    return News(tuple(_storable(one) for one in found if len(one.id) <= LONGEST_ID), before, cursor)


def _storable(one: Notification) -> Notification:
    """Return a notification without what Postgres does not keep: NUL, and half of a surrogate pair."""
    return replace(one, author=_kept(one.author), author_id=_kept(one.author_id), author_name=_kept(one.author_name),
                   text=_kept(one.text))  # fmt: skip


def _kept(said: str) -> str:
    return said.replace("\0", "").encode("utf-8", "ignore").decode()


def position(tx: Tx, account_id: uuid.UUID | None) -> str | None:
    """Return how far the notifications of an account have been read."""
    found: str | None = tx.scalar(
        sa.select(InboxPositionRow.cursor).where(InboxPositionRow.account_id == key_of(account_id))
    )
    return found


def known_to(
    tx: Tx, surface: str, account_id: uuid.UUID | None, news: Sequence[Notification], *, most_answers: int,
    answers: bool, now: datetime,
) -> Triage:  # fmt: skip
    """Return what the triage of notifications needs to know."""
    names, remote_ids = people(news)
    return Triage(
        now=now,
        own_names=fleet_names(tx, surface, names, remote_ids),
        opted_out=opt_outs.among(tx, surface, names, remote_ids),
        answered=_answered(tx, account_id, remote_ids, now - _DAY),
        most_answers=most_answers,
        answers=answers,
    )


def fleet_names(tx: Tx, surface: str, names: Collection[str], remote_ids: Collection[str]) -> set[str]:
    """Return the names (in lower case) and ids among these that agents of this fleet have on a platform.

    An agent may have another name there than in the fleet.
    """
    if not names and not remote_ids:
        return set()
    lower = sa.func.lower(AgentRow.username)
    found = set(tx.session.scalars(sa.select(lower).where(lower.in_(names), AgentRow.surface == surface)))
    main = sa.select(AgentRow.remote_account).where(
        AgentRow.surface == surface, AgentRow.remote_account.in_(remote_ids)
    )
    further = sa.select(AgentAccountRow.remote_id).where(AgentAccountRow.remote_id.in_(remote_ids))
    return found | set(tx.session.scalars(main.union(further)))


def keep(tx: Tx, agent: ActingAgent, news: News, known: Triage) -> None:
    """Keep new notifications, each once, with what is to be made of them, and add the opt-outs among them.

    Those that were kept before change nothing: a platform may repeat them. If another agent of the account has read
    further meanwhile, this changes nothing that it wrote.
    """
    key = key_of(agent.account_id)
    judged = triage_all(_unknown(tx, key, news.items), known)
    if judged:
        rows = [
            {**_columns(key, one, known.now), "agent_id": agent.id, "state": str(state), "reason": reason}
            for one, state, reason in judged
        ]
        tx.execute(insert(InboxItemRow).values(rows).on_conflict_do_nothing())
        organisation_id = tx.scalar(sa.select(AccountRow.organisation_id).where(AccountRow.id == key))
        for one, state, _ in judged:
            if state is InboxState.OPTED_OUT:
                opt_outs.add(tx, agent.surface, one.author, by="themselves", reason=one.text[:200],
                             remote_id=one.author_id, organisation_id=organisation_id)  # fmt: skip
    if news.after is not None and news.after != news.before:
        moved = insert(InboxPositionRow).values(account_id=key, cursor=news.after, read_at=known.now)
        moved = moved.on_conflict_do_update(
            index_elements=[InboxPositionRow.account_id],
            set_={"cursor": moved.excluded.cursor, "read_at": moved.excluded.read_at},
            where=InboxPositionRow.cursor.is_not_distinct_from(news.before),
        )
        tx.execute(moved)


def _unknown(tx: Tx, account_id: uuid.UUID, news: Sequence[Notification]) -> list[Notification]:
    """Return the notifications without a row."""
    ids_of = [row_id(account_id, one.id) for one in news]
    kept = set(tx.session.scalars(sa.select(InboxItemRow.id).where(InboxItemRow.id.in_(ids_of)))) if news else set()
    return [one for one, its_id in zip(news, ids_of, strict=True) if its_id not in kept]


def _columns(account_id: uuid.UUID, one: Notification, now: datetime) -> Mapping[str, Any]:
    return {
        "id": row_id(account_id, one.id), "account_id": account_id, "remote_id": one.id,
        "kind": str(one.kind), "author": one.author[:LONGEST_ID], "author_id": one.author_id[:LONGEST_ID],
        "author_name": one.author_name[:100], "by_agent": one.by_agent, "item_id": one.item_id, "about": one.about,
        "text": one.text[:_LONGEST_TEXT_CHARS], "said_at": one.created_at or now, "seen_at": now,
    }  # fmt: skip


def row_id(account_id: uuid.UUID, remote_id: str) -> uuid.UUID:
    """Return the id of a notification's row: the same however often it is read."""
    return ids.derived("inbox", account_id, remote_id)


def open_items(tx: Tx, account_id: uuid.UUID | None, now: datetime) -> list[OpenItem]:
    """Return the open notifications of an account that are young enough to be answered, oldest first.

    Older ones are closed.
    """
    which = (InboxItemRow.account_id == key_of(account_id), InboxItemRow.state == InboxState.OPEN)
    found = tx.session.scalars(sa.select(InboxItemRow).where(*which).order_by(InboxItemRow.said_at).limit(MOST_OPEN))
    rows = found.all()
    if any(row.said_at <= now - OLDEST for row in rows):
        closed = sa.update(InboxItemRow).where(*which, InboxItemRow.said_at <= now - OLDEST)
        tx.execute(closed.values(state=InboxState.IGNORED, reason="nobody answered it within a day"))
        return open_items(tx, account_id, now)
    return [
        OpenItem(str(row.id), str(row.item_id), row.author, row.author_id, row.author_name, row.text) for row in rows
    ]


def mark_answered(tx: Tx, jobs: Mapping[uuid.UUID, uuid.UUID]) -> None:
    """Mark open notifications as answered, each by its job."""
    for item_id, job_id in jobs.items():
        is_open = (InboxItemRow.id == item_id, InboxItemRow.state == InboxState.OPEN)
        tx.execute(sa.update(InboxItemRow).where(*is_open).values(state=InboxState.ANSWERED, job_id=job_id))


@contextmanager
def fresh(work: Work) -> Iterator[Tx]:
    """Read the inbox of a job's account and keep what is new; the block ends the transaction that keeps it.

    Raises an AdapterError.
    """
    agent = work.agent
    with work.deps.db.transaction() as tx:
        before = position(tx, agent.account_id)
    news = read(work.gateway.adapter, work.account, before)
    own, now = config.read(PlatformConfig, agent.config), work.deps.now()
    with work.deps.db.transaction() as tx:
        known = known_to(tx, agent.surface, agent.account_id, news.items, most_answers=own.answers_to_one,
                         answers=own.answers, now=now)  # fmt: skip
        keep(tx, agent, news, known)
        yield tx


class InboxSource:
    """What scans of supervised agents see besides their feed: open mentions first, and nobody to be left alone.

    The extension of "drafts.sources".
    """

    @staticmethod
    def extend(work: Work, feed: list[FeedItem]) -> list[FeedItem]:
        """Return the open mentions of the agent's account, then its feed without people who are left alone."""
        agent = work.agent
        if agent.surface not in NETWORKS:
            return feed
        own, now = config.read(PlatformConfig, agent.config), work.deps.now()
        with fresh(work) as tx:
            waiting = open_items(tx, agent.account_id, now) if own.answers else []
            names, remote_ids = people([*feed, *waiting])
            shunned = opt_outs.among(tx, agent.surface, names, remote_ids)
        mentions = [
            FeedItem(one.item_id, one.author, one.author_name, one.text, now, author_id=one.author_id)
            for one in waiting
        ]
        return [one for one in (*mentions, *feed) if not {one.author.casefold(), one.author_id} & shunned]

    @staticmethod
    def mark(tx: Tx, work: Work, item_ids: Sequence[str]) -> None:
        """Mark the mentions among these posts as proposed to people."""
        if work.agent.surface in NETWORKS:
            which = (InboxItemRow.account_id == key_of(work.agent.account_id), InboxItemRow.item_id.in_(item_ids),
                     InboxItemRow.state == InboxState.OPEN)  # fmt: skip
            tx.execute(sa.update(InboxItemRow).where(*which).values(state=InboxState.PROPOSED))


def _answered(tx: Tx, account_id: uuid.UUID | None, author_ids: Collection[str], since: datetime) -> dict[str, int]:
    which = (
        InboxItemRow.account_id == key_of(account_id), InboxItemRow.author_id.in_(author_ids),
        InboxItemRow.seen_at > since, InboxItemRow.state.in_(_ANSWERING),
    )  # fmt: skip
    query = sa.select(InboxItemRow.author_id, sa.func.count()).where(*which).group_by(InboxItemRow.author_id)
    return dict(tx.execute(query).tuples().all())


def prune(tx: Tx, *, days: float, limit: int) -> int:
    """Delete up to `limit` notifications that are older than `days`; return how many. Opt-outs stay."""
    old = sa.select(InboxItemRow.id).where(InboxItemRow.seen_at < tx.now() - timedelta(days=days))
    old = old.order_by(InboxItemRow.seen_at).limit(limit)
    return tx.execute(sa.delete(InboxItemRow).where(InboxItemRow.id.in_(old))).rowcount
