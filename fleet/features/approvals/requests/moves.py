"""Commands on requests for approval: open, decide, amend, withdraw.

Called by `fleet.engine` inside its transactions. A request's row is locked during a decision, and each change is one
guarded UPDATE: of two people who decide at once one settles it and the other gets an error.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fleet.core import events, ids, text
from fleet.core.db import Tx
from fleet.core.errors import Conflict, InvalidInput
from fleet.features.approvals import agent_owners
from fleet.features.approvals import rules as ruling
from fleet.features.approvals.models import DecisionRow, RequestRow
from fleet.features.approvals.queries import lock
from fleet.features.approvals.request import COLUMNS, AlreadySettled, Changed, Decided, Proposal, Request, as_request
from fleet.features.approvals.requests import organisation
from fleet.features.approvals.requests.permissions import why_closed, why_not_theirs
from fleet.features.approvals.rules import Person, Rule, Times
from fleet.features.approvals.states import DecisionKind, RequestState

_NAME = re.compile(r"[a-z][a-z0-9_]{0,29}")
_CLOCK = sa.func.clock_timestamp()
_OPEN = RequestRow.state == RequestState.PENDING
_SINCE = "it has changed since the question"
_LEADS_TO = {DecisionKind.APPROVE: RequestState.APPROVED, DecisionKind.REJECT: RequestState.REJECTED}


def open(tx: Tx, proposal: Proposal, rules: Sequence[Rule]) -> Request:
    """Open a request and return it; a rule may approve it at once.

    While a request about the same object is open, the same proposal returns that one. Raises Conflict when that one
    holds another payload (amend it instead), InvalidInput for invalid names.
    """
    _check(proposal)
    now = tx.now()
    whose = organisation.fact(tx, proposal.agent_id, proposal.organisation_id)
    proposal = replace(proposal, facts={**proposal.facts, **whose})
    rule = ruling.rule_for(rules, proposal.resource, proposal.action, proposal.facts)
    rule = agent_owners.named(tx, rule, proposal.agent_id, opens=True)
    row = tx.execute(_inserted(proposal, rule, now)).one_or_none()
    if row is None:
        return _already_open(tx, proposal) or open(tx, proposal, rules)  # settled between the two queries: try again
    request = as_request(row)
    tell(tx, request, "requested", rule=rule.name)
    if not proposal.needs_person and ruling.approves_by_itself(rule, proposal.facts):
        by = Person(f"rule:{rule.name}")
        record(tx, request, DecisionKind.APPROVE, by, None)
        return settle(tx, request, RequestState.APPROVED, by, f"by the rule {rule.name}")
    return request


def _check(proposal: Proposal) -> None:
    for name in (proposal.resource, proposal.action):
        if not _NAME.fullmatch(name):
            raise InvalidInput(f"{name!r} is no name of a resource or an action.")
    if not 0 < len(proposal.resource_id) <= 200:
        raise InvalidInput("A request is about one thing, whose id has 1 to 200 characters.")


def _inserted(proposal: Proposal, rule: Rule, now: datetime) -> sa.Executable:
    expires_at = now + ruling.time_to_decide(rule, proposal.expiration)
    escalate_at = None if rule.escalate_after is None else now + rule.escalate_after
    values = {
        "id": ids.new(), "resource": proposal.resource, "resource_id": proposal.resource_id, "action": proposal.action,
        "payload": dict(proposal.payload), "before": None if proposal.before is None else dict(proposal.before),
        "facts": dict(proposal.facts), "summary": _in_short(proposal.summary),
        "agent_id": proposal.agent_id, "requested_by": proposal.requested_by[:100], **_of_rule(rule),
        "arguments": None if proposal.arguments is None else dict(proposal.arguments),
        "asker": None if proposal.asker is None else dict(proposal.asker),
        "created_at": now, "expires_at": expires_at, "escalate_at": escalate_at,
        "next_step_at": ruling.next_step_at(Times(now, expires_at, escalate_at)),
    }  # fmt: skip
    if proposal.organisation_id is not None:  # else the column's default
        values["organisation_id"] = proposal.organisation_id
    return insert(RequestRow).values(values).on_conflict_do_nothing().returning(*COLUMNS)


def _of_rule(rule: Rule) -> dict[str, Any]:
    return {
        "rule": rule.name, "approvers": list(rule.approvers), "min_approvals": rule.min_approvals,
        "escalate_to": list(rule.escalate_to),
    }  # fmt: skip


def _already_open(tx: Tx, proposal: Proposal) -> Request | None:
    same = (
        RequestRow.resource == proposal.resource, RequestRow.resource_id == proposal.resource_id,
        RequestRow.action == proposal.action,
    )  # fmt: skip
    found = tx.scalar(sa.select(RequestRow.id).where(_OPEN, *same))
    request = None if found is None else lock(tx, found)
    if request is None or request.is_settled:
        return None
    is_same = (
        _is_same(tx, request, proposal.payload)
        if proposal.arguments is None
        else request.arguments == proposal.arguments  # what would change may differ by now
    )
    if not is_same:
        raise Conflict(
            f"To {request.action} this {request.resource} is being decided about already, with another payload.",
            fix=f"Amend or withdraw request {request.id}.",
        )
    return request


def _is_same(tx: Tx, request: Request, payload: Mapping[str, Any]) -> bool:
    """Compare as the database does: numbers by value, fields in any order."""
    given = sa.cast(sa.literal(dict(payload), RequestRow.payload.type), RequestRow.payload.type)
    return bool(tx.scalar(sa.select(RequestRow.payload == given).where(RequestRow.id == request.id)))


def decide(tx: Tx, request_id: uuid.UUID, decision: Literal["approve", "reject"], by: Person,
           reason: str | None = None, *, revision: int | None = None,
           is_alone: Callable[[Request], bool] = lambda _: False) -> Decided:  # fmt: skip
    """Record a person's decision; it settles the request if it is a rejection, or the last approval that was missing.

    Repeating a decision changes nothing. `revision` is the one that the person read; `is_alone` says whether the author
    may decide (`permissions.why_not_theirs`). Raises NotFound, NotYours, OwnRequest, AlreadySettled, Expired, Changed.
    """
    verdict = DecisionKind(decision)
    request = lock(tx, request_id)
    _refuse_strangers(request, by, is_alone=ruling.is_own(by, request.requested_by) and is_alone(request))
    if request.state is _LEADS_TO[verdict]:
        return Decided(request, settled=False, is_news=False)
    _refuse_closed(tx, request)
    _refuse_unseen(request, revision)
    is_news = record(tx, request, verdict, by, reason)
    if is_news:
        tell(tx, request, "voted", by=by.name, verdict=str(verdict), reason=reason)
    voices = {*request.voices, by.name}
    if verdict is DecisionKind.APPROVE and not ruling.is_enough(voices, request.min_approvals):
        return Decided(lock(tx, request_id), settled=False, is_news=is_news)
    return Decided(settle(tx, request, _LEADS_TO[verdict], by, reason), settled=True)


def _refuse_strangers(request: Request, by: Person, *, is_alone: bool = False) -> None:
    refusal = why_not_theirs(request, by, is_alone=is_alone)
    if refusal is not None:
        raise refusal


def _refuse_closed(tx: Tx, request: Request) -> None:
    refusal = why_closed(request, tx.now())
    if refusal is not None:
        raise refusal


def _refuse_unseen(request: Request, revision: int | None) -> None:
    if revision is not None and revision != request.revision:
        raise Changed(
            f"Request {request.id} was amended: it is at revision {request.revision}, not {revision}.",
            fix="Look at it again.",
        )


def amend(tx: Tx, request_id: uuid.UUID, payload: Mapping[str, Any], by: Person, *, reason: str | None = None,
          facts: Mapping[str, Any] | None = None, rules: Sequence[Rule] | None = None,
          summary: str | None = None, revision: int | None = None) -> Request:  # fmt: skip
    """Replace the payload; earlier approvals become void. For approvers, and for the author.

    With `rules` the rule is chosen again, from new `facts` if the change affects them; it approves nothing
    automatically. `summary` describes the new payload. The expiry stays. The same payload changes nothing. Raises as
    `decide`.
    """
    request = lock_for(tx, request_id, by)
    _refuse_unseen(request, revision)
    if _is_same(tx, request, payload):
        return request
    kept = {name: value for name, value in request.facts.items() if name == organisation.FACT}
    known = dict(request.facts if facts is None else {**facts, **kept})
    values: dict[str, Any] = {"payload": dict(payload), "facts": known, "revision": request.revision + 1}
    if summary is not None:
        values["summary"] = _in_short(summary)
    if rules is not None:
        rule = ruling.rule_for(rules, request.resource, request.action, known)
        values |= _chosen_anew(request, agent_owners.named(tx, rule, request.agent_id))
    if request.voices:  # they have to approve again, so they are notified again
        values |= {"announced_at": None, "next_step_at": tx.now()}
    amended = _guarded(tx, request, **values)
    record(tx, amended, DecisionKind.AMEND, by, reason)
    tell(tx, amended, "amended", by=by.name, reason=reason)
    return amended


def renew(tx: Tx, request: Request, rules: Sequence[Rule], *, current: Mapping[str, Any], payload: Mapping[str, Any],
          facts: Mapping[str, Any], summary: str) -> Request:  # fmt: skip
    """Record that the object of a request has changed: a new revision, which people approve again.

    The caller holds the lock of its row. The rule is chosen again; it approves nothing automatically.
    """
    rule = ruling.rule_for(rules, request.resource, request.action, facts)
    rule = agent_owners.named(tx, rule, request.agent_id)
    values = {"current": dict(current), "payload": dict(payload), "facts": dict(facts), "summary": _in_short(summary),
              "revision": request.revision + 1, **_chosen_anew(request, rule)}  # fmt: skip
    if request.voices:
        values |= {"announced_at": None, "next_step_at": tx.now()}
    renewed, by = _guarded(tx, request, **values), Person("fleet")
    record(tx, renewed, DecisionKind.AMEND, by, _SINCE)
    tell(tx, renewed, "amended", by=by.name, reason=_SINCE)
    return renewed


def _chosen_anew(request: Request, rule: Rule) -> dict[str, Any]:
    """Return the requirements of another rule; earlier escalation stays, and the new rule escalates no further."""
    values = _of_rule(rule)
    if request.escalated_at is not None:
        values["approvers"] = list(dict.fromkeys([*values["approvers"], *request.escalate_to]))
        return values | {"escalate_to": list(request.escalate_to)}
    escalate_at = None if rule.escalate_after is None else request.created_at + rule.escalate_after
    next_step_at = ruling.next_step_at(replace(request.times, escalate_at=escalate_at))
    return values | {"escalate_at": escalate_at, "next_step_at": next_step_at}


def lock_for(tx: Tx, request_id: uuid.UUID, by: Person) -> Request:
    """Return an open request that this person may change, and lock it. Raises as `decide`."""
    request = lock(tx, request_id)
    if not ruling.is_own(by, request.requested_by):
        _refuse_strangers(request, by)
    _refuse_closed(tx, request)
    return request


def withdraw(tx: Tx, request_id: uuid.UUID, why: str, *, by: Person | None = None) -> Decided:
    """Withdraw a request. One that is settled stays as it is.

    Without `by` the fleet withdraws it. Raises NotYours for people who are neither author nor approver.
    """
    request = lock(tx, request_id)
    if by is not None and not ruling.is_own(by, request.requested_by):
        _refuse_strangers(request, by)
    if request.is_settled:
        return Decided(request, settled=False, is_news=False)
    who = by or Person("fleet")
    record(tx, request, DecisionKind.WITHDRAW, who, why)
    return Decided(settle(tx, request, RequestState.WITHDRAWN, who, why), settled=True)


def settle(tx: Tx, request: Request, state: RequestState, by: Person, reason: str | None) -> Request:
    """Settle a request. The caller holds the lock of its row."""
    settled = _guarded(
        tx, request, state=state, settled_at=_CLOCK, settled_by=by.name[:100], reason=_short(reason), next_step_at=None
    )  # fmt: skip
    tell(tx, settled, str(state), by=by.name, reason=reason)
    return settled


def _guarded(tx: Tx, request: Request, **values: Any) -> Request:
    where = (RequestRow.id == request.id, _OPEN, RequestRow.revision == request.revision)
    moved = tx.execute(sa.update(RequestRow).where(*where).values(**values).returning(*COLUMNS)).one_or_none()
    if moved is None:
        raise AlreadySettled(f"Request {request.id} has moved on.", fix="Look at it again.")
    return lock(tx, request.id)


def record(tx: Tx, request: Request, verdict: DecisionKind, by: Person, reason: str | None) -> bool:
    """Add a line to the record, with the exact payload that it is about; False if this voice has spoken already."""
    written = (
        insert(DecisionRow)
        .values(
            request_id=request.id, revision=request.revision, verdict=verdict, by_name=by.name[:100],
            by_roles=sorted(by.roles), reason=_short(reason), payload=dict(request.payload),
        )
        .on_conflict_do_nothing()
        .returning(DecisionRow.id)
    )  # fmt: skip
    return tx.scalar(written) is not None


def _in_short(summary: str) -> str:
    return text.cut(text.clean(summary), 300)


def _short(reason: str | None) -> str | None:
    return text.cut(text.clean(reason), 1000) if reason else None


def tell(tx: Tx, request: Request, word: str, **more: Any) -> None:
    """Emit the event about a change of a request."""
    events.emit(
        tx, f"approval.{word}", agent_id=request.agent_id, request=str(request.id), resource=request.resource,
        resource_id=request.resource_id, action=request.action, revision=request.revision, summary=request.summary,
        **{name: value for name, value in more.items() if value is not None},
    )  # fmt: skip
