"""Lines and messages to users: one line a user and matter, and one job a message and address.

Lines are added in the transaction of what they report. `collecting` puts the lines that wait into one message a user.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fleet.access import organisations
from fleet.access.models import UserRow
from fleet.access.roles import Role, allows
from fleet.core import ids, text
from fleet.core.db import Tx
from fleet.core.errors import Conflict
from fleet.engine import publish, system_agents
from fleet.engine.agents.models import AgentRow
from fleet.engine.deps import Deps
from fleet.engine.jobs.ledger import NewJob
from fleet.features.notices.kinds import NOTIFY_USER
from fleet.features.notices.models import NoticeLineRow, UserAddressRow, UserNoticesRow
from fleet.features.notices.rules import NEEDS, defaults
from fleet.features.notices.topics import Topic

_LISTED = 20
_LEAST_DAYS = 30
"""A line is kept at least this long: it keeps a user from being told of the same matter again."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """A user who has an address and chose a topic."""

    id: uuid.UUID
    name: str
    role: Role
    organisations: frozenset[uuid.UUID] | None = None
    """Where the role holds; None: everywhere."""

    def sees(self, organisation_id: uuid.UUID | None) -> bool:
        """Return whether this user sees what belongs to an organisation; None: to the whole fleet."""
        return self.organisations is None or organisation_id in self.organisations


@dataclass(frozen=True, slots=True)
class NoticeItem:
    """What one user is told about one matter. `path` leads to its page; `words` may have several lines."""

    user_id: uuid.UUID
    topic: Topic
    matter: str
    words: str
    path: str


def recipients(tx: Tx, topic: Topic) -> list[Recipient]:
    """Return the users who are told about a topic: they have an address, the permission, and chose it."""
    query = (
        sa.select(UserRow.id, UserRow.name, UserRow.role, UserNoticesRow.topics, organisations.OF_USER)
        .outerjoin(UserNoticesRow, UserNoticesRow.user_id == UserRow.id)
        .where(UserRow.removed_at.is_(None), sa.exists().where(UserAddressRow.user_id == UserRow.id))
        .order_by(UserRow.name)
    )
    found = []
    for user_id, name, written, topics, own in tx.execute(query):
        role = Role(written)
        chosen = defaults(role).topics if topics is None else topics
        if topic in chosen and allows(role, NEEDS[topic]):
            found.append(Recipient(user_id, name, role, organisations.read(own)))
    return found


def add(tx: Tx, lines: Iterable[NoticeItem]) -> None:
    """Add lines; a user who was told of a matter before is not told again."""
    rows = [
        {"user_id": one.user_id, "topic": one.topic, "matter": one.matter[:200], "path": one.path[:300],
         "words": text.cut(one.words, 1000)}
        for one in lines
    ]  # fmt: skip
    if rows:
        tx.execute(insert(NoticeLineRow).on_conflict_do_nothing(), rows)


def send(deps: Deps, tx: Tx, user_id: uuid.UUID) -> int:
    """Put the waiting lines of a user into one message, with a job for each address; return how many jobs.

    Without an address the lines wait for one.
    """
    sender = agent(tx)
    found = tx.session.scalars(sa.select(UserAddressRow.id).where(UserAddressRow.user_id == user_id)).all()
    if sender is None or not found:
        return 0
    message_id = ids.new()
    waiting = (NoticeLineRow.user_id == user_id, NoticeLineRow.message_id.is_(None))
    tx.execute(sa.update(NoticeLineRow).where(*waiting).values(message_id=message_id))
    jobs = [_job(sender, one, message=str(message_id)) for one in found]
    return len(publish.add_jobs(tx, deps.publisher, jobs))


def send_test(deps: Deps, tx: Tx, address_id: uuid.UUID) -> uuid.UUID:
    """Add the job of a test message; return its id. Raises Conflict in a fleet without an agent that sends."""
    sender = agent(tx)
    if sender is None:
        raise Conflict("No agent of this fleet sends notices.", fix="Have approvals or webhooks (FLEET_FEATURES).")
    job = _job(sender, address_id)
    publish.add_jobs(tx, deps.publisher, [job])
    return job.id


def _job(sender: uuid.UUID, address_id: uuid.UUID, **payload: str) -> NewJob:
    return NewJob(
        id=ids.new(), agent_id=sender, kind=NOTIFY_USER, surface=system_agents.SURFACE,
        payload={"address": str(address_id), **payload},
    )  # fmt: skip


def agent(tx: Tx) -> uuid.UUID | None:
    """Return one of the agents that run the fleet: the approval agent, if there is one."""
    query = sa.select(AgentRow.id).where(AgentRow.kind.in_(system_agents.kinds()), AgentRow.deleted_at.is_(None))
    found: uuid.UUID | None = tx.scalar(query.order_by(AgentRow.kind).limit(1))
    return found


def lines_of(tx: Tx, message_id: uuid.UUID) -> tuple[list[NoticeLineRow], int]:
    """Return the first lines of a message, and how many it has."""
    which = NoticeLineRow.message_id == message_id
    number = int(tx.scalar(sa.select(sa.func.count()).select_from(NoticeLineRow).where(which)) or 0)
    query = sa.select(NoticeLineRow).where(which).order_by(NoticeLineRow.id).limit(_LISTED)
    return list(tx.session.scalars(query)), number


def body(lines: Sequence[NoticeLineRow], number: int, address_of_ours: str) -> str:
    """Return a message as plain text: each line with its link, then how many more there are."""
    shown = [f"{one.words}\n{address_of_ours}{one.path}" for one in lines]
    if number > len(lines):
        shown.append(f"... and {number - len(lines):,} more: {address_of_ours}/review")
    return "\n\n".join([*shown, f"What you are told, and when: {address_of_ours}/account/notices"])


def unsent(tx: Tx) -> Collection[uuid.UUID]:
    """Return the users with lines that wait, and an address."""
    query = sa.select(NoticeLineRow.user_id).where(NoticeLineRow.message_id.is_(None))
    query = query.where(sa.exists().where(UserAddressRow.user_id == NoticeLineRow.user_id))
    return list(tx.session.scalars(query.distinct()))


def prune(tx: Tx, *, days: int, limit: int) -> int:
    """Delete lines that are older than this many days, and at least 30; return how many."""
    age = sa.literal(timedelta(days=max(days, _LEAST_DAYS)), sa.Interval)
    old = sa.select(NoticeLineRow.id).where(NoticeLineRow.created_at < sa.func.clock_timestamp() - age).limit(limit)
    return tx.execute(sa.delete(NoticeLineRow).where(NoticeLineRow.id.in_(old))).rowcount
