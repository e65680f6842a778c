"""Values of approvals: proposals, requests, decisions, and the errors of decisions.

Shared by commands and queries. Rows stay inside the package.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from fleet.core.errors import Conflict
from fleet.features.approvals.models import RequestRow
from fleet.features.approvals.rules import Times
from fleet.features.approvals.states import SETTLED, RequestState


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposed action. `before` is the current object, if any; `facts` are the values that rules compare.

    `expiration` is the agent's own setting; the rule's wins where it is shorter. `requested_by` is `agent:USERNAME` for
    agents. `needs_person`: no rule may approve it automatically. A request to run a verb has its `arguments`;
    `asker` is the person who asked by themselves (`fleet.access.authenticate.to_data`), with whose permission it runs.
    `organisation_id` is only for agents that serve all organisations: the one that the object belongs to.
    """

    resource: str
    resource_id: str
    action: str
    payload: Mapping[str, Any]
    requested_by: str
    summary: str
    before: Mapping[str, Any] | None = None
    agent_id: uuid.UUID | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    expiration: timedelta | None = None
    needs_person: bool = False
    arguments: Mapping[str, Any] | None = None
    asker: Mapping[str, Any] | None = None
    organisation_id: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """A request. `voices` are the people who have approved this revision.

    `before` is the object when it was asked about; `current` the object of this revision, if it has changed since.
    """

    id: uuid.UUID
    resource: str
    resource_id: str
    action: str
    revision: int
    payload: Mapping[str, Any]
    before: Mapping[str, Any] | None
    facts: Mapping[str, Any]
    summary: str
    agent_id: uuid.UUID | None
    requested_by: str
    state: RequestState
    rule: str
    approvers: tuple[str, ...]
    min_approvals: int
    escalate_to: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    escalate_at: datetime | None
    announced_at: datetime | None
    reminded_at: datetime | None
    escalated_at: datetime | None
    settled_at: datetime | None
    settled_by: str | None
    reason: str | None
    arguments: Mapping[str, Any] | None = None
    asker: Mapping[str, Any] | None = None
    current: Mapping[str, Any] | None = None
    used_at: datetime | None = None
    voices: tuple[str, ...] = ()

    @property
    def is_settled(self) -> bool:
        """Whether nothing more can be decided about it."""
        return self.state in SETTLED

    @property
    def is_verb(self) -> bool:
        """Whether approving it runs a verb."""
        return self.arguments is not None

    @property
    def known(self) -> Mapping[str, Any] | None:
        """The object as this revision has it."""
        return self.before if self.current is None else self.current

    @property
    def times(self) -> Times:
        """Its times, as the rules want them."""
        marks = (self.announced_at is not None, self.reminded_at, self.escalated_at is not None)
        return Times(self.created_at, self.expires_at, self.escalate_at, *marks)


@dataclass(frozen=True, slots=True)
class Decided:
    """The state of a request after a decision, and whether this call settled it.

    `is_news` is False if the same person had decided the same before, or the request was settled already.
    """

    request: Request
    settled: bool
    is_news: bool = True

    @property
    def state(self) -> RequestState:
        """The request's state."""
        return self.request.state


class NotYours(Conflict):
    """The person is none of the approvers."""


class OwnRequest(Conflict):
    """People must not decide about their own requests."""


class AlreadySettled(Conflict):
    """Somebody has decided otherwise."""


class Expired(Conflict):
    """The time for a decision is over."""


class Changed(Conflict):
    """The request has changed since the person read it, or the object that it is about."""


class Ended(Conflict):
    """The request can never be carried out: its object is gone, or its author may not do this any more."""


_STORED = tuple(name for name in Request.__slots__ if name != "voices")
COLUMNS = tuple(getattr(RequestRow, name) for name in _STORED)
"""A request's columns, in the order in which `as_request` reads them."""


def as_request(row: Sequence[Any], voices: Sequence[str] = ()) -> Request:
    """Return the request in a row of COLUMNS."""
    values = dict(zip(_STORED, row, strict=True))
    lists = {name: tuple(values[name]) for name in ("approvers", "escalate_to")}
    return Request(**{**values, **lists, "state": RequestState(values["state"])}, voices=tuple(voices))
