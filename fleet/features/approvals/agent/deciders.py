"""Notices to the users who may decide about a request, each at the addresses of their own.

Called by the approval agent, in the transaction of its steps. The users are those that the request itself names, by
role, name or as the agent's owner; the author of a request is not among them.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import sqlalchemy as sa

from fleet.access.roles import at_least
from fleet.core.db import Tx
from fleet.engine.agents.models import AgentRow
from fleet.features.approvals import rules as ruling
from fleet.features.approvals.agent import digest
from fleet.features.approvals.models import RequestRow
from fleet.features.approvals.request import Request
from fleet.features.approvals.rules import Person, Step
from fleet.features.notices import messages
from fleet.features.notices.messages import NoticeItem, Recipient
from fleet.features.notices.topics import Topic

_WHAT = {
    Step.ANNOUNCE: "Waits for you",
    Step.REMIND: "Expires soon",
    Step.ESCALATE: "Was escalated to you",
    Step.EXPIRE: "Expired undecided",
}


def tell(tx: Tx, taken: Sequence[tuple[Request, Step]]) -> None:
    """Add a line for each request and user who may decide about it."""
    told = messages.recipients(tx, Topic.REQUESTS) if taken else []
    of = _organisations(tx, [request.id for request, _ in taken]) if told else {}
    messages.add(
        tx,
        (
            _line(request, step, one)
            for request, step in taken
            for one in told
            if _may_decide(one, request) and one.sees(of.get(request.id))
        ),
    )


def _organisations(tx: Tx, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, uuid.UUID | None]:
    """Return the organisations of requests: those of their agents, or of the members who asked."""
    query = sa.select(RequestRow.id, sa.func.coalesce(AgentRow.organisation_id, RequestRow.organisation_id))
    rows = tx.execute(query.outerjoin(AgentRow, AgentRow.id == RequestRow.agent_id).where(RequestRow.id.in_(ids)))
    return dict(rows.tuples().all())


def _may_decide(one: Recipient, request: Request) -> bool:
    person = Person(one.name, frozenset(map(str, at_least(one.role))))
    return ruling.may_decide(person, request.approvers) and not ruling.is_own(person, request.requested_by)


def _line(request: Request, step: Step, one: Recipient) -> NoticeItem:
    until = f"{request.expires_at:%Y-%m-%d %H:%M} UTC"
    later = (
        "Nothing was done." if step is Step.EXPIRE else f"If nobody decides, it expires {until} and nothing is done."
    )
    words = (
        f"{_WHAT[step]}: {request.summary}\n"
        f"To {request.action} a {request.resource}, asked by {request.requested_by}, since"
        f" {request.created_at:%Y-%m-%d %H:%M} UTC. {later}"
    )
    matter = f"{digest.SUBJECTS[step]}:{request.id}:{request.revision}"
    return NoticeItem(one.id, Topic.REQUESTS, matter, words, f"/review/{request.id}")
