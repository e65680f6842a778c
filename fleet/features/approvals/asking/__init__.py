"""Whether a verb waits for people, and the request that it waits for. Called before each verb ("verbs.gate")."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from fleet.access import Principal, audit, authenticate
from fleet.access.roles import Permission
from fleet.core import ids
from fleet.core.db import Also, Tx
from fleet.core.errors import Conflict, NotFound
from fleet.engine.agents import queries as agents
from fleet.engine.agents.models import AgentRow
from fleet.engine.deps import Deps
from fleet.engine.points import verbs
from fleet.engine.points.verbs import NeedsApproval, Verb, VerbArguments, VerbPreview
from fleet.engine.registry import load
from fleet.features.approvals import agent_owners, queries, rules, service
from fleet.features.approvals.asking import grants
from fleet.features.approvals.effects import registered
from fleet.features.approvals.effects.verb import plain
from fleet.features.approvals.request import Proposal, Request
from fleet.features.approvals.requests import maintenance, organisation, people
from fleet.features.approvals.rules import DEFAULT_RULE, SUBJECT, Rule, Step, Verdict
from fleet.features.approvals.ruleset.in_force import rules_of


@dataclass(frozen=True, slots=True)
class Ruling:
    """What the rules say about a question: the rule, whether somebody has to decide, and how many could."""

    verdict: Verdict
    rule: Rule | None
    others: int


def gate(deps: Deps, who: Principal, verb: Verb, arguments: VerbArguments) -> Also | None:
    """Raise NeedsApproval with the request, new or open already, if a rule wants the word of another person.

    Return what uses up the approval of a verb with a secret result, where there is one; else None.
    """
    with deps.db.transaction() as tx:
        try:
            preview: VerbPreview = load(verb.preview)(deps, tx, arguments)
        except NotFound:
            return None  # the verb says what is missing, or that there is nothing to do
        facts = _facts(who, preview)
        if ruled(deps, tx, who, verb.key, facts, agent_id=preview.agent_id).verdict is not Verdict.ASKS:
            return None
        if verb.collect_at and (found := grants.find(tx, who, verb, preview, arguments)) is not None:
            return found
        request, is_new = _open_verb(deps, tx, who, verb, arguments)
    raise NeedsApproval(request.id, request.summary, is_new=is_new)


def ask_verb(deps: Deps, who: Principal, verb: Verb, given: Mapping[str, Any]) -> tuple[Request, bool]:
    """Open a request to run a verb, even where no rule asks; return it, and whether it is new.

    Raises what the verb would raise for these arguments and this person.
    """
    with deps.db.transaction() as tx:
        return _open_verb(deps, tx, who, verb, verb.parse(given))


def _open_verb(deps: Deps, tx: Tx, who: Principal, verb: Verb, arguments: VerbArguments) -> tuple[Request, bool]:
    if verb.check is not None:
        load(verb.check)(deps, tx, arguments, who)
    preview: VerbPreview = load(verb.preview)(deps, tx, arguments)
    return _open(deps, tx, who, Proposal(
        resource=verb.resource, resource_id=preview.resource_id, action=verb.action, payload=plain(preview.after),
        before=plain(preview.before), requested_by=who.by, summary=preview.summary, agent_id=preview.agent_id,
        facts=_facts(who, preview), arguments=preview.arguments or arguments.model_dump(mode="json"),
        asker=authenticate.to_data(who),
    ))  # fmt: skip


def ruled(deps: Deps, tx: Tx, who: Principal, verb: tuple[str, str], facts: Mapping[str, Any], *,
          agent_id: uuid.UUID | None = None, among: Sequence[Rule] | None = None) -> Ruling:  # fmt: skip
    """Return what the rules say about a verb that somebody runs: those in force, or others."""
    facts = {**organisation.fact(tx, agent_id), **facts}
    rule = rules.covering((rules_of(deps) if among is None else among), *verb, facts)
    if rule is None:
        return Ruling(Verdict.NO_RULE, None, 0)
    rule = agent_owners.named(tx, rule, agent_id)
    others = people.others(tx, deps.settings, rule.approvers, who.by, subject=str(facts.get(SUBJECT, "")))
    verdict = rules.verdict(
        rule, facts, is_approver=people.is_approver(deps.settings, who, rule),
        may_own=who.may(Permission.DRAFTS_DECIDE), others=others,
    )  # fmt: skip
    return Ruling(verdict, rule, others)


def ask(deps: Deps, who: Principal, *, resource: str, action: str, resource_id: str, payload: Mapping[str, Any],
        before: Mapping[str, Any] | None, summary: str, facts: Mapping[str, Any],
        expiration: timedelta | None) -> tuple[Request, bool]:  # fmt: skip
    """Open a request of a program about something of its own; return it, and whether it is new.

    Nothing follows from the decision but its events. Raises Conflict for a resource and action of Fleet's own, and for
    another open request about the same object with another payload.
    """
    if (resource, action) in registered.known() or (resource, action) in verbs.known():
        fix = "Name another resource or action, or give the arguments of the verb."
        raise Conflict(f"Fleet itself asks to {action} a {resource}.", fix=fix)
    with deps.db.transaction() as tx:
        return _open(deps, tx, who, Proposal(
            resource=resource, resource_id=resource_id or str(ids.new()), action=action, payload=payload,
            before=before, requested_by=who.by, summary=summary, facts=_facts(who, facts), expiration=expiration,
            asker=authenticate.to_data(who),
        ))  # fmt: skip


def question(deps: Deps, who: Principal, resource: str, action: str, facts: Mapping[str, Any], *,
             agent: str = "", among: Sequence[Rule] | None = None) -> Ruling:  # fmt: skip
    """Return what the rules say about a question that somebody asks: a verb, or something of a program's own.

    `agent` is whom it is about, whose facts are added; `among` are rules that are not in force. Raises NotFound.
    """
    with deps.db.transaction() as tx:
        about = agents.named(tx, agent) if agent else None
        known = _facts(who, {**(_facts_of(about) if about else {}), **facts})
        agent_id = about.id if about else None
        found = ruled(deps, tx, who, (resource, action), known, agent_id=agent_id, among=among)
        if found.rule is not None or (resource, action) in verbs.known():
            return found
        others = people.others(tx, deps.settings, DEFAULT_RULE.approvers, who.by)
        return Ruling(Verdict.ASKS, DEFAULT_RULE, others)


def _facts_of(agent: AgentRow) -> dict[str, Any]:
    """Return the facts of an agent as verbs about one have them."""
    return {"agent": agent.username, "kind": agent.kind, "owner": agent.owner, "persona": agent.persona_id,
            "mode": agent.autonomy, "status": agent.status, "surface": agent.surface}  # fmt: skip


def _facts(who: Principal, about: VerbPreview | Mapping[str, Any]) -> dict[str, Any]:
    facts = dict(about.facts) if isinstance(about, VerbPreview) else {**about, SUBJECT: ""}
    if isinstance(about, VerbPreview):
        facts[SUBJECT] = about.subject
    found: dict[str, Any] = plain({**facts, "asker": who.name, "role": str(who.role), "via": str(who.via)})
    return found


def _open(deps: Deps, tx: Tx, who: Principal, proposal: Proposal) -> tuple[Request, bool]:
    earlier = queries.newest_about(tx, proposal.resource, proposal.resource_id, proposal.action)
    if earlier is not None and not earlier.is_settled and earlier.expires_at <= tx.now():
        maintenance.take(tx, earlier.id, Step.EXPIRE, tx.now())  # the approval agent has not come to it yet
    request = service.propose(deps, tx, proposal)
    is_new = _is_new(earlier, request.id)
    if is_new:
        about = {"resource": request.resource, "resource_id": request.resource_id, "asked_for": request.action}
        audit.note(tx, "approval.asked", f"approval:{request.id}", after={**about, "by": who.name})
    return request, is_new


def _is_new(earlier: Request | None, request_id: uuid.UUID) -> bool:
    return earlier is None or earlier.id != request_id
