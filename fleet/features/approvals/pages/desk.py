"""The page of the review queue: the list on the left, one request with everything about it on the right.

Called by the routes of `queue` and `decisions`, which show the same page: a refused form keeps what was typed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Depends, Query, Request
from fastapi.responses import Response

from fleet.access import Permission, Principal
from fleet.core import clock
from fleet.core.db import Tx
from fleet.core.diff import Change, How, Piece, diff, pieces
from fleet.core.errors import FleetError
from fleet.core.text import storable
from fleet.engine.agents import lookup
from fleet.engine.agents.lookup import Names
from fleet.engine.deps import Deps
from fleet.features.approvals import queries
from fleet.features.approvals import service as approving
from fleet.features.approvals.approver import person_of
from fleet.features.approvals.asking import grants
from fleet.features.approvals.queries import ApprovalDecision
from fleet.features.approvals.request import Changed
from fleet.features.approvals.request import Request as Asks
from fleet.features.approvals.requests.permissions import RequestPermissions
from fleet.features.approvals.review import queue, renderer
from fleet.features.approvals.review.queue import QueueFilter, QueueOrder
from fleet.features.approvals.review.renderer import Line, Renderer
from fleet.features.approvals.states import RequestState
from fleet.web.auth import CSRF_FIELD
from fleet.web.rendering import render
from fleet.web.requests.form_types import Maybe

BASE = "/review"
_ROWS = 50
_NEAR, _VERY_NEAR = timedelta(hours=24), timedelta(hours=2)
_HIDDEN = {"verb", CSRF_FIELD, "revision"}
_DEFAULTS = {"state": RequestState.PENDING, "order": QueueOrder.EXPIRY}
_BOX = Annotated[str, Query(max_length=60)]


@dataclass(frozen=True, slots=True)
class QueueQuery:
    """The part of the queue that a page shows, as its address names it."""

    state: RequestState
    resource: str
    kind: str
    agent: str
    q: str
    order: QueueOrder
    after: str

    def where(self, deps: Deps) -> QueueFilter:
        """Return the same as a filter. Raises NotFound for an agent or a resource that is none."""
        if self.resource:
            with deps.db.transaction() as tx:
                approving.refuse_unknown(deps, tx, self.resource)
        return QueueFilter(
            self.state, self.resource or None, self.kind or None, lookup.agent_id(deps.db, self.agent), self.q or None,
            self.order,
        )  # fmt: skip

    def url(self, name: object = "", **changes: str) -> str:
        """Return the address of the queue, or of a request in it, with the same filter but for `changes`."""
        fields = {one: getattr(self, one) for one in self.__slots__} | changes
        query = urlencode({key: str(value) for key, value in fields.items() if value and value != _DEFAULTS.get(key)})
        return f"{BASE}{f'/{name}' if name else ''}{f'?{query}' if query else ''}"


def asked(*, state: Maybe[RequestState] = None, resource: Annotated[str, Query(max_length=30)] = "",
          kind: Annotated[str, Query(max_length=30)] = "", agent: _BOX = "", q: _BOX = "",
          order: Maybe[QueueOrder] = None, after: Annotated[str, Query(max_length=36)] = "") -> QueueQuery:  # fmt: skip
    """Return what an address asks for."""
    return QueueQuery(
        state or RequestState.PENDING, storable(resource), storable(kind), storable(agent), storable(q),
        order or QueueOrder.EXPIRY, after,
    )  # fmt: skip


TheAsked = Annotated[QueueQuery, Depends(asked)]


@dataclass(frozen=True, slots=True)
class QueueRow:
    """A request in the list; `value` is what its checkbox sends, empty for somebody who may not decide about it."""

    one: Asks
    line: Line
    agent: str
    value: str


@dataclass(frozen=True, slots=True)
class QueueChip:
    """A choice of the filter by kind: how many wait, and where it leads."""

    label: str
    number: int | None
    url: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Desk:
    """The page for one person: the queue beside one request, the one named, else the first."""

    request: Request
    deps: Deps
    who: Principal
    asked: QueueQuery
    name: str = ""

    def show(self, *, code: int = 200, problem: FleetError | None = None,
             kept: Mapping[str, str] | None = None) -> Response:  # fmt: skip
        """Return the page. `kept` is a form that was refused, with its `verb`. Raises NotFound."""
        where, asked = self.asked.where(self.deps), self.asked
        with self.deps.db.transaction() as tx:
            after = queries.resolve_prefix(tx, asked.after) if asked.after else None
            found = queue.page(tx, where, limit=_ROWS + 1, after=after)
            lines, waiting, counts = renderer.lines(tx, found), queue.waiting(tx), queue.counts(tx, where)
            shown = found[:_ROWS]
            decidable = {one.id for one in shown if self._may_decide(tx, one)}
        name = self.name or (str(shown[0].id) if shown else "")
        chosen, record = approving.show(self.deps, name) if name else (None, [])
        names = lookup.names(self.deps.db, [one.agent_id for one in (*shown, *filter(None, [chosen]))])
        return render(
            self.request, "approvals/review.html", code=code, asked=asked, counts=counts,
            chips=_chips(waiting, asked),
            rows=[_row(one, lines[one.id], names, may=one.id in decidable) for one in shown],
            more=str(shown[-1].id) if len(found) > _ROWS else "", states=RequestState, orders=QueueOrder,
            is_open=bool(self.name), problem=problem, is_changed=isinstance(problem, Changed), kept=kept or {},
            live=_live(shown), links=[link for one in renderer.known().values() for link in one.links],
            one=chosen, names=names, nearness=nearness, approvers=approvers, changes_of=changes, as_data=as_data,
            **({} if chosen is None else _detail(self, chosen, record, shown, kept or {})),
        )  # fmt: skip

    def _may_decide(self, tx: Tx, one: Asks) -> bool:
        if not self.who.may(Permission.DRAFTS_DECIDE):
            return False
        return approving.permissions(self.deps, tx, one, person_of(self.who), clock.now()).decide


def _live(shown: Sequence[Asks]) -> str:
    subjects = [renderer.of(one).live_lines for one in shown]
    return ",".join(dict.fromkeys(part for some in ("approval.*", *subjects) for part in some.split(",") if part))


def _row(one: Asks, line: Line, names: Names, *, may: bool) -> QueueRow:
    named = names.get(one.agent_id) if one.agent_id else None
    return QueueRow(one, line, named.name if named else "", f"{one.id}:{one.revision}" if may else "")


def _chips(waiting: Sequence[queue.Waiting], which: QueueQuery) -> list[QueueChip]:
    """Return the kinds of requests that wait, each with its number, and the chosen one."""
    numbers: dict[tuple[str, str], int] = {}
    for one in waiting:
        for key in {("", ""), (one.resource, ""), (one.resource, one.kind)}:
            numbers[key] = numbers.get(key, 0) + one.number
    numbers.setdefault(("", ""), 0)
    numbers.setdefault((which.resource, which.kind), 0)
    resources = {resource for resource, _ in numbers if resource}

    def is_choice(resource: str, kind: str) -> bool:
        if kind:  # a resource with one kind is one choice
            return sum(1 for name, own in numbers if name == resource and own) > 1
        return not resource or len(resources) > 1

    return [
        QueueChip(
            renderer.label(*key) if key[0] else "Everything",
            number if which.state is RequestState.PENDING else None,
            which.url(resource=key[0], kind=key[1], after=""), key == (which.resource, which.kind),
        )
        for key, number in sorted(numbers.items())
        if key == (which.resource, which.kind) or is_choice(*key)
    ]  # fmt: skip


def _detail(desk: Desk, one: Asks, record: Sequence[ApprovalDecision], shown: Sequence[Asks],
            kept: Mapping[str, str]) -> dict[str, Any]:  # fmt: skip
    """Return what the right side shows of a request."""
    how = renderer.of(one)
    with desk.deps.db.transaction() as tx:
        stands = approving.permissions(desk.deps, tx, one, person_of(desk.who), clock.now())
    ids = [other.id for other in shown]
    place = ids.index(one.id) + 1 if one.id in ids else len(ids)
    return {
        "how": how, "shown": how.facts(desk.deps, one), "record": record, "edits": _edits(record),
        "may": desk.who.may(Permission.DRAFTS_DECIDE),
        "stands": stands, "is_outdated": approving.is_outdated(desk.deps, one), "unsaved": _unsaved(stands, kept),
        "can_edit": approving.may_be_edited(one), "can_revise": approving.may_be_revised(one),
        "collect_at": grants.page_of(one, desk.who),
        "following": ids[place] if place < len(ids) else None, "against": _against(how, one, kept),
    }  # fmt: skip


def _against(how: Renderer, one: Asks, kept: Mapping[str, str]) -> list[FieldDiff]:
    """Return how an edit that was refused differs from the present payload."""
    if how.edited is None or kept.get("verb") != "edit":
        return []
    return changes(one.payload, how.edited(one, kept))


def _unsaved(stands: RequestPermissions, kept: Mapping[str, str]) -> dict[str, str]:
    """Return what was typed into a form that this page no longer offers: somebody decided meanwhile."""
    if stands.change:
        return {}
    return {name: value for name, value in kept.items() if name not in _HIDDEN and value.strip()}


def _edits(record: Sequence[ApprovalDecision]) -> list[tuple[ApprovalDecision, list[FieldDiff]]]:
    """Return the edits of a payload, newest first, as far as the record knows what was there before."""
    by_revision = {entry.revision: entry for entry in record}
    steps = pairwise(by_revision[revision] for revision in sorted(by_revision))
    return [(now, changes(was.payload, now.payload)) for was, now in reversed(list(steps))]


def nearness(expires_at: datetime, now: datetime) -> str:
    """Return the CSS class of a badge, by the time that is left."""
    left = expires_at - now
    if left <= timedelta(0):
        return "expired"
    return "bad" if left <= _VERY_NEAR else "expiring" if left <= _NEAR else "idle"


@dataclass(frozen=True, slots=True)
class FieldDiff:
    """One field that differs, as a page shows it."""

    name: str
    how: How
    pieces: tuple[Piece, ...]


def changes(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> list[FieldDiff]:
    """Return the fields that differ: texts word by word, data whole."""
    return [FieldDiff(one.name, one.how, _pieces(one)) for one in diff(before, after)]


def _pieces(change: Change) -> tuple[Piece, ...]:
    if isinstance(change.before, str) and isinstance(change.after, str):
        return pieces(change.before, change.after)
    was = () if change.how is How.ADDED else (Piece(as_data(change.before), How.REMOVED),)
    now = () if change.how is How.REMOVED else (Piece(as_data(change.after), How.ADDED),)
    return (*was, *now)


def as_data(value: Any) -> str:
    """Return a value for people: texts as they are, data as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)


def approvers(names: Sequence[str]) -> str:
    """Return the approvers of a rule or a request as text."""
    return ", ".join(one.removeprefix("role:").removeprefix("user:") for one in names)
