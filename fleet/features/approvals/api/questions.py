"""Questions of programs: what people can be asked to approve, what would happen, and new requests."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any, Self

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field, model_validator

from fleet.access import Permission, Principal
from fleet.access.principal import Via
from fleet.core.errors import InvalidInput
from fleet.engine.deps import Deps
from fleet.engine.points import verbs
from fleet.engine.registry import load
from fleet.features.approvals import asking, rule_file
from fleet.features.approvals.api import WholeRequest, whole_request
from fleet.features.approvals.requests import people
from fleet.features.approvals.rules import Rule, Verdict
from fleet.web.auth import TheDeps, needs, require
from fleet.web.requests.fields import AgentFilter, Body, Json, line, prose, whole

router = APIRouter(prefix="/approvals", tags=["approvals"])
_MINUTE = timedelta(minutes=1)
_YEAR_MINUTES = 525_600
_WORDS: Mapping[Verdict, str] = {
    Verdict.ASKS: "It waits for an approval.",
    Verdict.NO_RULE: "It runs at once: no rule covers it.",
    Verdict.NOT_REQUIRED: "It runs at once: its rule requires no approval.",
    Verdict.BY_ITSELF: "It runs at once: its rule approves it automatically.",
    Verdict.OWN: "It runs at once: the asker is an approver, and the rule lets approvers do it (self).",
    Verdict.ALONE: "It runs at once: nobody but the asker may approve it.",
}
Resource = Annotated[str, line(30, least=1)]


class VerbOut(BaseModel):
    """A verb that people can be asked to approve."""

    resource: str = Field(examples=["agent"])
    action: str = Field(examples=["delete"])
    help: str
    permission: str = Field(description="what it takes to run it, and to ask for it")
    example: dict[str, Any] = Field(description="arguments")
    arguments: dict[str, Any] = Field(description="JSON schema of the arguments")


class VerbsOut(BaseModel):
    """All verbs that people can be asked to approve."""

    items: list[VerbOut]


class TryQuery(Body):
    """A question, as rules see it."""

    resource: Resource
    action: Resource
    asker: Annotated[str, line(100)] = Field("", description="name of a user; you, if empty")
    agent: AgentFilter = Field("", description="username or id: whom it is about; its facts are added")
    usd: float | None = Field(None, ge=0, le=10**9, description="the fact `usd`, such as the amount of a budget")
    facts: Annotated[str, prose(4000)] = Field("", description="facts for conditions, as a JSON object")

    @property
    def known(self) -> dict[str, Any]:
        """Return the facts. Raises InvalidInput."""
        return {**({} if self.usd is None else {"usd": self.usd}), **self._facts()}

    def _facts(self) -> dict[str, Any]:
        try:
            found = json.loads(self.facts or "{}")
        except (json.JSONDecodeError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise InvalidInput("The facts are no JSON object.", fix='Write them as {"usd": 12}.')
        return found


class RuleOut(BaseModel):
    """A rule of approval, in the words of its file."""

    name: str
    resource: str
    action: str
    approvers: list[str]
    min_approvals: int
    expiration_minutes: int
    when: list[dict[str, Any]]
    auto_approve: list[dict[str, Any]]
    escalate: dict[str, Any] | None
    requires_approval: bool
    own: bool = Field(alias="self", description="whether approvers run verbs without asking")


class RulingOut(BaseModel):
    """What would happen to a question."""

    asks: bool = Field(description="whether it waits for an approval")
    verdict: Verdict
    words: str
    asker: str
    rule: RuleOut | None
    others: int = Field(description="how many people besides the asker may approve it")


class Question(Body):
    """A question to the approvers: a verb of Fleet with its arguments, or something of the program's own."""

    resource: Resource
    action: Resource
    arguments: Json | None = Field(None, description="of a verb; it runs when the request is approved")
    resource_id: Annotated[str, line(200)] = Field("", description="one request at a time is open about each id")
    payload: Json | None = Field(None, description="what is proposed, where it is no verb of Fleet")
    before: Json | None = Field(None, description="what it replaces")
    summary: Annotated[str, line(300)] = ""
    facts: Json = {}
    expires_in_minutes: Annotated[int, whole(1, _YEAR_MINUTES)] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.arguments is None) == (self.payload is None):
            raise ValueError("give either arguments (of a verb of Fleet) or payload (of your own)")
        own = self.model_fields_set & {"resource_id", "before", "summary", "facts", "expires_in_minutes"}
        if self.arguments is not None and own:
            raise ValueError(f"a verb of Fleet describes itself: leave out {', '.join(sorted(own))}")
        if self.payload is not None and not self.summary.strip():
            raise ValueError("say in `summary` what is asked")
        return self


def list_of_verbs() -> list[VerbOut]:
    """Return the verbs of all features, by resource and action."""
    return [
        VerbOut(
            resource=one.resource, action=one.action, help=one.help, permission=str(one.permission),
            example=dict(one.example), arguments=load(one.arguments).model_json_schema(),
        )
        for _, one in sorted(verbs.known().items())
    ]  # fmt: skip


def ruling(deps: Deps, who: Principal, asked: TryQuery, *, among: Sequence[Rule] | None = None) -> RulingOut:
    """Return what would happen to a question, by the rules in force or others.

    Raises InvalidInput, NotFound for an unknown asker or agent, Forbidden.
    """
    asker = who
    if asked.asker and asked.asker != who.name:
        require(who, Permission.USERS_VIEW)
        asker = people.named(deps, asked.asker)
    found = asking.question(deps, asker, asked.resource, asked.action, asked.known, agent=asked.agent, among=among)
    rule = None if found.rule is None else RuleOut(**rule_file.rule_data(found.rule))
    return RulingOut(
        asks=found.verdict is Verdict.ASKS, verdict=found.verdict, words=_WORDS[found.verdict],
        asker=asker.name if asker.via is not Via.TERMINAL else asker.by, rule=rule, others=found.others,
    )  # fmt: skip


@router.get("/verbs", dependencies=[needs(Permission.DRAFTS_VIEW)])
def list_verbs() -> VerbsOut:
    """Return the verbs that rules can have people approve, each with an example of its arguments."""
    return VerbsOut(items=list_of_verbs())


@router.get("/try")
def try_rules(deps: TheDeps, *, asked: Annotated[TryQuery, Query()],
              who: Annotated[Principal, needs(Permission.DRAFTS_VIEW)]) -> RulingOut:  # fmt: skip
    """Return what would happen to a question: its rule, its approvers, or why it runs at once."""
    return ruling(deps, who, asked)


@router.post("", status_code=201, responses={200: {"description": "the request is open already"}})
def ask(deps: TheDeps, response: Response, *, body: Question,
        who: Annotated[Principal, needs(Permission.DRAFTS_ASK)]) -> WholeRequest:  # fmt: skip
    """Ask for approval. A verb of Fleet runs once when it is approved; events report every decision."""
    if body.arguments is not None:
        verb = verbs.get(body.resource, body.action)
        require(who, verb.permission)
        request, is_new = asking.ask_verb(deps, who, verb, body.arguments)
    else:
        request, is_new = asking.ask(
            deps, who, resource=body.resource, action=body.action, resource_id=body.resource_id,
            payload=body.payload or {}, before=body.before, summary=body.summary.strip(), facts=body.facts,
            expiration=None if body.expires_in_minutes is None else body.expires_in_minutes * _MINUTE,
        )  # fmt: skip
    response.status_code = 201 if is_new else 200
    response.headers["location"] = f"/api/v1/approvals/{request.id}"
    return whole_request(deps, request.id)
