"""Commands on approvals, with their effects: propose, approve, reject, edit, revise, withdraw.

The effect of a decision (`fleet.features.approvals.effects.registered`) is part of the transaction that settles it:
both happen, or neither. Each decision is a transaction of its own, so that of many at once each is settled or has its
own error.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from fleet.access import audit
from fleet.core.db import Tx
from fleet.core.errors import Conflict, FleetError, InvalidInput, NotFound
from fleet.engine import registry
from fleet.engine.deps import Deps
from fleet.engine.points import verbs
from fleet.features.approvals import queries, rules
from fleet.features.approvals.effects import registered as effects
from fleet.features.approvals.effects import verb
from fleet.features.approvals.effects.effect import Effect
from fleet.features.approvals.queries import ApprovalDecision, RequestFilter
from fleet.features.approvals.request import Changed, Decided, Ended, Proposal, Request
from fleet.features.approvals.requests import moves, people
from fleet.features.approvals.requests.permissions import RequestPermissions, standing
from fleet.features.approvals.rules import Person
from fleet.features.approvals.ruleset import in_force
from fleet.features.approvals.ruleset.in_force import rules_of
from fleet.features.approvals.settings import ApprovalsSettings
from fleet.features.approvals.states import RequestState

Revisions = int | Mapping[uuid.UUID, int] | None
"""The revision that a person read: of the one request, or of each; a request that was amended since is refused."""

_LOOK = "Look at it again: it shows what was and what is."
_MOST_TAKEN_BACK = 10_000
_NOTHING = Effect(settled=lambda *_: None, amended=lambda *_: None)


@dataclass(frozen=True, slots=True)
class DecisionResult:
    """The result of one of several decisions: the state of the request, or why it was refused."""

    request_id: uuid.UUID
    decided: Decided | None = None
    error: FleetError | None = None


def propose(deps: Deps, tx: Tx, proposal: Proposal) -> Request:
    """Open a request under the operator's rules; automatic approval takes effect at once."""
    request = moves.open(tx, proposal, rules_of(deps))
    if request.is_settled:
        follow(deps, tx, request)
    return request


def time_to_decide(deps: Deps, resource: str, action: str, facts: Mapping[str, Any], wish: timedelta) -> timedelta:
    """Return how long a request with these facts will wait under the operator's rules."""
    return rules.time_to_decide(rules.rule_for(rules_of(deps), resource, action, facts), wish)


def _effect_of(request: Request) -> Effect:
    if request.is_verb:
        return verb.EFFECT
    return effects.known().get((request.resource, request.action), _NOTHING)


def follow(deps: Deps, tx: Tx, request: Request) -> None:
    """Run the effect of a request that this transaction has settled."""
    _effect_of(request).settled(deps, tx, request)


def approve(deps: Deps, request_ids: Sequence[uuid.UUID], by: Person, reason: str | None = None, *,
            revision: Revisions = None) -> list[DecisionResult]:  # fmt: skip
    """Approve each request, or return why not."""
    return _each(
        deps,
        request_ids,
        lambda tx, one: moves.decide(
            tx, one, "approve", by, reason, revision=_seen(revision, one), is_alone=partial(_is_alone, deps, tx)
        ),
        _Word("approval.approved", by, reason),
    )


def reject(deps: Deps, request_ids: Sequence[uuid.UUID], by: Person, reason: str, *,
           revision: Revisions = None) -> list[DecisionResult]:  # fmt: skip
    """Reject each request, or return why not. Raises InvalidInput without a reason: agents learn from it."""
    if not reason.strip():
        raise InvalidInput("A rejection needs a reason.", fix="Say in a few words what is wrong.")
    return _each(
        deps,
        request_ids,
        lambda tx, one: moves.decide(
            tx, one, "reject", by, reason, revision=_seen(revision, one), is_alone=partial(_is_alone, deps, tx)
        ),
        _Word("approval.rejected", by, reason),
    )


def approve_one(deps: Deps, request_id: uuid.UUID, by: Person) -> bool:
    """Approve a request; True if it is settled now, False if more people have to. Raises why it cannot be approved."""
    (one,) = approve(deps, [request_id], by)
    if one.error is not None:
        raise one.error
    return one.decided is not None and one.decided.request.is_settled


def reject_one(deps: Deps, request_id: uuid.UUID, by: Person, reason: str) -> None:
    """Reject a request. Raises InvalidInput without a reason, and why it cannot be rejected."""
    (one,) = reject(deps, [request_id], by, reason)
    if one.error is not None:
        raise one.error


def _is_alone(deps: Deps, tx: Tx, request: Request) -> bool:
    return people.is_alone(tx, deps.settings, request)


def permissions(deps: Deps, tx: Tx, request: Request, by: Person, now: datetime) -> RequestPermissions:
    """Return what a person may do with a request at a moment."""
    if request.is_settled or not rules.is_own(by, request.requested_by):
        return standing(request, by, now)
    return standing(request, by, now, is_alone=_is_alone(deps, tx, request))


def _seen(revision: Revisions, request_id: uuid.UUID) -> int | None:
    return revision.get(request_id) if isinstance(revision, Mapping) else revision


def withdraw(deps: Deps, request_ids: Sequence[uuid.UUID], by: Person, why: str) -> list[DecisionResult]:
    """Withdraw requests, for their authors and for approvers; or return why not."""
    return _each(
        deps, request_ids, lambda tx, one: moves.withdraw(tx, one, why, by=by),
        _Word("approval.withdrawn", by, why),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Word:
    """A person's decision, as the audit log records it."""

    action: str
    by: Person
    reason: str | None

    def note(self, tx: Tx, request: Request) -> None:
        about = {"resource": request.resource, "resource_id": request.resource_id, "asked_for": request.action}
        after = {**about, "state": request.state, "by": self.by.name, "reason": self.reason}
        audit.note(tx, self.action, f"approval:{request.id}", after=after)


def _each(deps: Deps, request_ids: Sequence[uuid.UUID], decide: Callable[[Tx, uuid.UUID], Decided],
          word: _Word) -> list[DecisionResult]:  # fmt: skip
    return [_one(deps, request_id, decide, word) for request_id in request_ids]


def _one(deps: Deps, request_id: uuid.UUID, decide: Callable[[Tx, uuid.UUID], Decided], word: _Word) -> DecisionResult:
    try:
        if word.action == "approval.approved" and look_again(deps, request_id):
            raise Changed(f"What request {request_id} is about has changed since the question.", fix=_LOOK)
        with deps.db.transaction() as tx:
            decided = decide(tx, request_id)
            if decided.is_news:
                word.note(tx, decided.request)
            if decided.settled:
                follow(deps, tx, decided.request)
    except Ended as error:
        _end(deps, request_id, error)
        return DecisionResult(request_id, error=error)
    except FleetError as error:
        return DecisionResult(request_id, error=error)
    return DecisionResult(request_id, decided=decided)


def look_again(deps: Deps, request_id: uuid.UUID) -> bool:
    """Look at the object of an open request to run a verb; return whether it has changed since the last look.

    Then the request has a new revision. One whose object is gone is withdrawn.
    """
    with deps.db.transaction() as tx:
        request = queries.get(tx, request_id)
        if request.is_settled or not request.is_verb:
            return False
    try:
        with deps.db.transaction() as tx:
            request = queries.lock(tx, request_id)
            if request.is_settled:
                return False
            return verb.refresh(deps, tx, request, rules_of(deps)).revision > request.revision
    except Ended as error:
        _end(deps, request_id, error)
        return False


def _end(deps: Deps, request_id: uuid.UUID, error: Ended) -> None:
    """Withdraw a request that can never be carried out."""
    with deps.db.transaction() as tx:
        take_back(deps, tx, request_id, error.message)


def take_back(deps: Deps, tx: Tx, request_id: uuid.UUID, why: str) -> None:
    """Withdraw a request in the fleet's own name: its subject is gone."""
    decided = moves.withdraw(tx, request_id, why)
    if decided.settled:
        follow(deps, tx, decided.request)


def take_back_all(deps: Deps, tx: Tx, agent_id: uuid.UUID, why: str) -> None:
    """Withdraw all open requests of an agent, in the fleet's own name."""
    which = RequestFilter(states=(RequestState.PENDING,), agent_id=agent_id)
    for request in queries.page(tx, which, limit=_MOST_TAKEN_BACK):
        take_back(deps, tx, request.id, why)


def withdraw_of_agent(deps: Deps, tx: Tx, agent_id: uuid.UUID) -> None:
    """Withdraw all open requests of an agent that is being deleted."""
    take_back_all(deps, tx, agent_id, "its agent was deleted")


def may_be_edited(request: Request) -> bool:
    """Return whether an edit of the payload has an effect; the payload of a replay, for one, has none."""
    return _effect_of(request).amended is not None


def may_be_revised(request: Request) -> bool:
    """Return whether the author can be asked for a new payload."""
    return _effect_of(request).revise is not None


def edit(deps: Deps, request_id: uuid.UUID, payload: Mapping[str, Any], by: Person, reason: str | None = None, *,
         revision: int | None = None) -> Request:  # fmt: skip
    """Replace a request's payload; earlier approvals become void.

    `revision` is the one that the person read. Raises Conflict where nothing can be edited, and as a decision does.
    """
    with deps.db.transaction() as tx:
        request = moves.lock_for(tx, request_id, by)
        effect = _effect_of(request)
        if effect.amended is None:
            raise Conflict(f"To {request.action} a {request.resource} cannot be edited.", fix="Approve or reject it.")
        if effect.checked is not None:
            payload = effect.checked(request, payload)
        amended = moves.amend(
            tx, request_id, payload, by, reason=reason, rules=rules_of(deps), revision=revision,
            facts=None if effect.facts is None else effect.facts(request, payload),
            summary=None if effect.summary is None else effect.summary(tx, request, payload),
        )  # fmt: skip
        if amended.revision == request.revision:
            return amended
        effect.amended(deps, tx, amended)
        audit.note_change(tx, "approval.edited", f"approval:{request.id}", request.payload, amended.payload)
        return amended


def revise(deps: Deps, request_id: uuid.UUID, instructions: str, by: Person) -> Request:
    """Send a request back to the author of its payload, with instructions. Raises Conflict where there is none."""
    with deps.db.transaction() as tx:
        request = moves.lock_for(tx, request_id, by)
        effect = _effect_of(request)
        if effect.revise is None:
            raise Conflict(f"To {request.action} a {request.resource} cannot be revised.", fix="Edit or reject it.")
        effect.revise(deps, tx, request, instructions, by)
        _Word("approval.revised", by, instructions).note(tx, request)
        return queries.get(tx, request_id)


def page(deps: Deps, which: RequestFilter, *, limit: int = 20, before: str | None = None) -> list[Request]:
    """Return a page of requests, newest first; `before` is the last id of the page above.

    Raises NotFound, also for a resource that no rule names and no request was ever about.
    """
    with deps.db.transaction() as tx:
        above = queries.resolve_prefix(tx, before) if before else None
        found = queries.page(tx, which, limit=limit, before=above)
        if not found and which.resource is not None:
            refuse_unknown(deps, tx, which.resource)
        return found


def refuse_unknown(deps: Deps, tx: Tx, resource: str) -> None:
    """Raise NotFound for a resource that no rule names and no request was ever about."""
    ruled = {rule.resource for rule in rules_of(deps) if rule.resource != "*"}
    known = ruled | {named for named, _ in effects.known()} | {named for named, _ in verbs.known()}
    if resource not in known and not queries.page(tx, RequestFilter(resource=resource), limit=1):
        raise NotFound(f"There is no resource {resource!r}.", fix=f"Known: {', '.join(sorted(known))}.")


def show(deps: Deps, prefix: str) -> tuple[Request, list[ApprovalDecision]]:
    """Return a request by its id or a prefix of it, with the record of its decisions. Raises NotFound."""
    with deps.db.transaction() as tx:
        request_id = queries.resolve_prefix(tx, prefix)
        return queries.get(tx, request_id), queries.decisions_of(tx, request_id)


def is_outdated(deps: Deps, request: Request) -> bool:
    """Say whether what a request would change differs by now from what it shows; `look_again` makes a new revision."""
    with deps.db.transaction() as tx:
        return verb.is_outdated(deps, tx, request)


def find(deps: Deps, prefixes: Sequence[str]) -> list[uuid.UUID]:
    """Return the ids that begin so. Raises NotFound, InvalidInput."""
    with deps.db.transaction() as tx:
        return [queries.resolve_prefix(tx, prefix) for prefix in prefixes]


def check(deps: Deps) -> None:
    """Refuse wrong rules at the start, and not when the first agent asks. Raises InvalidInput."""
    kinds = registry.current().jobs
    unknown = sorted(set(deps.settings.of(ApprovalsSettings).retry_by_approval) - set(kinds))
    if unknown:
        raise InvalidInput(
            f"FLEET_RETRY_BY_APPROVAL names no kind of job: {', '.join(unknown)}.", fix=f"Kinds: {', '.join(kinds)}."
        )
    in_force.file_rules(deps)
