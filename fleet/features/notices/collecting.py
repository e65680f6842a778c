"""Collect what users are told: failures of their agents, alarms, the digest; then send what waits, grouped.

Called by each sweep. One process at a time reads the events, from a position, so that none is missed.
"""

from __future__ import annotations

import functools
import uuid
from collections.abc import Callable, Sequence

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fleet.access.models import UserRow
from fleet.access.roles import WITHIN_ORGANISATIONS, Permission, Role, allows
from fleet.core.db import Tx, visibility
from fleet.core.events import Event
from fleet.engine import registry
from fleet.engine.agents.models import AgentRow
from fleet.engine.deps import Deps
from fleet.engine.events import event_text, positions
from fleet.engine.registry import Ref
from fleet.features.notices import addresses, messages
from fleet.features.notices.messages import NoticeItem, Recipient
from fleet.features.notices.models import UserNoticesRow
from fleet.features.notices.rules import digest_due, may_send
from fleet.features.notices.topics import Topic

FAILURES = ("agent.failed", "job.dead")
ALARMS = ("control.*", "budget.spent", "account.refused", "alert.*", "team.stopped")
REPORTS = "report.built"
_NAMES_ORGANISATION = ("alert.team", "team.stopped", REPORTS)
READER = "notices"
"""The name of the collector's position among the readers of events."""
_COLLECTING = 0x6E6F7469636573  # "notices": any constant works, as long as all sweeps use the same
_AT_ONCE = 1000
_NOBODY_ACTS = {
    "agent.failed": "If nobody acts, it stays stopped: it wakes only when a person starts it.",
    "job.dead": "If nobody acts, it stays a dead letter: a person replays or discards it.",
}
_ALARM_STAYS = "If nobody acts, this stays in force until its own end, if it has one."
_PAGES = {"account": "/accounts", "budget": "/costs", "control": "/controls"}
"""The page of an alarm that names none, by the family of its subject."""


def sweep(deps: Deps) -> int:
    """Collect lines and send messages. Returns 0: nothing was lost."""
    with deps.db.transaction() as tx:
        if tx.scalar(sa.select(sa.func.pg_try_advisory_xact_lock(_COLLECTING))):
            addresses.forget_removed(tx)
            _read_events(tx)
            _digests(deps, tx)
            for user_id in messages.unsent(tx):
                _send(deps, tx, user_id)
    return 0


def _read_events(tx: Tx) -> None:
    """Add lines for events since the last call, and move the position. The first call begins at the present."""
    found = positions.take(tx, READER, only=(*FAILURES, *ALARMS, REPORTS), limit=_AT_ONCE)
    messages.add(tx, [*_failures(tx, found), *_alarms(tx, found), *_reports(tx, found)])


def _failures(tx: Tx, found: Sequence[Event]) -> list[NoticeItem]:
    """Return the lines to owners of agents."""
    trouble = [one for one in found if one.subject in FAILURES and one.agent_id is not None]
    ids = {one.agent_id for one in trouble}
    if not ids:
        return []
    told = {one.name: one for one in messages.recipients(tx, Topic.FAILURES)}
    query = sa.select(AgentRow.id, AgentRow.name, AgentRow.username, AgentRow.owner, AgentRow.organisation_id)
    query = query.where(AgentRow.id.in_(ids))
    agents = {row.id: row for row in tx.execute(query)}
    lines = []
    for event in trouble:
        agent = agents.get(event.agent_id)
        if agent is not None and agent.owner in told and told[agent.owner].sees(agent.organisation_id):
            path = f"/jobs/{event.job_id}" if event.job_id else f"/agents/{agent.username}"
            words = _words(event, agent.name, _NOBODY_ACTS[event.subject])
            lines.append(NoticeItem(told[agent.owner].id, Topic.FAILURES, _matter(event), words, path))
    return lines


def _alarms(tx: Tx, found: Sequence[Event]) -> list[NoticeItem]:
    """Return the lines to users who are told of alarms, as far as they may see the event."""
    alarms = [one for one in found if one.subject not in (*FAILURES, REPORTS)]
    told = messages.recipients(tx, Topic.ALARMS) if alarms else []
    private = registry.current().private
    of_agents = _organisations(tx, alarms)
    lines = []
    for event in alarms:
        needed = private.get(event.subject) or private.get(f"{event.subject.partition('.')[0]}.*")
        words = _words(event, "The fleet", _ALARM_STAYS)
        lines += [
            NoticeItem(one.id, Topic.ALARMS, _matter(event), words, _page(event))
            for one in told
            if (needed is None or allows(one.role, Permission(needed)))
            and (_is_for_all(event) or one.sees(of_agents.get(event.agent_id) or _named(event)))
        ]
    return lines


def _reports(tx: Tx, found: Sequence[Event]) -> list[NoticeItem]:
    """Return the lines about reports, with their first figures, to users who chose them and see the organisation."""
    built = [one for one in found if one.subject == REPORTS]
    told = messages.recipients(tx, Topic.REPORTS) if built else []
    return [
        NoticeItem(one.id, Topic.REPORTS, _matter(event), _summary(event), _page(event))
        for event in built
        for one in told
        if one.sees(_named(event))
    ]


def _summary(event: Event) -> str:
    title, figures = (event_text.clip(str(event.payload.get(name, "")), 300) for name in ("title", "said"))
    return f"{title}\n{figures}" if figures else title


def _organisations(tx: Tx, found: Sequence[Event]) -> dict[uuid.UUID | None, uuid.UUID | None]:
    """Return the organisations of the agents that events are about."""
    ids = {one.agent_id for one in found if one.agent_id is not None}
    query = sa.select(AgentRow.id, AgentRow.organisation_id).where(AgentRow.id.in_(ids))
    return dict(tx.execute(query).tuples().all()) if ids else {}


def _named(event: Event) -> uuid.UUID | None:
    """Return the organisation that an event about a team or a report names; such an event may be about no agent."""
    try:
        return uuid.UUID(str(event.payload["organisation"])) if event.subject in _NAMES_ORGANISATION else None
    except (KeyError, ValueError):
        return None


def _is_for_all(event: Event) -> bool:
    """Return whether an event is about a control of the whole fleet, which members of organisations see, too."""
    return event.subject.startswith("control.") and event.payload.get("scope", "fleet") == "fleet"


def _page(event: Event) -> str:
    """Return the page on which people see what an alarm is about, and act."""
    page = event.payload.get("page")
    if isinstance(page, str) and page.startswith("/"):
        return page
    return _PAGES.get(event.subject.partition(".")[0], "/")


def _words(event: Event, who: str, otherwise: str) -> str:
    told = event_text.describe(event)
    said = event_text.clip(told.words if told else event.subject, 300)
    return f"{event_text.clip(who, 100)}: {said}\nSince {event.occurred_at:%Y-%m-%d %H:%M} UTC. {otherwise}"


def _matter(event: Event) -> str:
    return f"event:{event.position.id}"


def _digests(deps: Deps, tx: Tx) -> None:
    """Add the digest's lines of each user whose hour has come: the counts beside the pages that they may see."""
    told = messages.recipients(tx, Topic.DIGEST)
    if not told:
        return
    now, counted = tx.now(), registry.current().nav
    count = functools.cache(lambda tally: registry.load(tally)(tx))
    for one in told:
        row = tx.session.get(UserNoticesRow, one.id)
        if row is None:
            continue
        day = digest_due(addresses.choices_of(tx, one.id, one.role), row.digest_on, now)
        if day is None:
            continue
        row.digest_on = day
        for item in counted:
            if item.tally is None or not _may(one, Permission(item.permission)):
                continue
            number = count(item.tally) if one.organisations is None else _count(deps, one, item.tally)
            if number != 0:
                many = "very many" if number is None else f"{number:,}"
                words = f"{item.label}: {many}. They wait until a person acts."
                messages.add(tx, [NoticeItem(one.id, Topic.DIGEST, f"digest:{day}:{item.path}", words, item.path)])


def _may(one: Recipient, permission: Permission) -> bool:
    return allows(one.role, permission) and (one.organisations is None or permission in WITHIN_ORGANISATIONS)


def _count(deps: Deps, one: Recipient, tally: Ref | Callable[..., int | None]) -> int | None:
    """Return a number as a member of organisations sees it."""
    with visibility.restricted(one.organisations), deps.db.transaction() as own:
        found: int | None = registry.load(tally)(own)
        return found


def _send(deps: Deps, tx: Tx, user_id: uuid.UUID) -> None:
    """Send a user's lines if it is time."""
    row = tx.session.get(UserNoticesRow, user_id, with_for_update=True)
    role, now = Role(tx.scalar(sa.select(UserRow.role).where(UserRow.id == user_id))), tx.now()
    choices = addresses.choices_of(tx, user_id, role)
    if not may_send(choices, row.sent_at if row else None, now) or not messages.send(deps, tx, user_id):
        return
    values = insert(UserNoticesRow).values(user_id=user_id, sent_at=now)
    tx.execute(values.on_conflict_do_update(index_elements=["user_id"], set_={"sent_at": now}))
