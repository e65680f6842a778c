"""The page of the rules: those in force as a table, a draft of others, and what would happen to a question.

A draft is in the form itself until it is saved: every button sends all that was typed, and the page shows it again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field, ValidationError

from fleet.access import Permission, Principal
from fleet.core.errors import FleetError, InvalidInput
from fleet.core.text import field_words
from fleet.engine.agents import lookup
from fleet.engine.deps import Deps
from fleet.features.approvals import rule_file
from fleet.features.approvals.api import questions
from fleet.features.approvals.api.rules import Editor, history
from fleet.features.approvals.pages import desk
from fleet.features.approvals.rules import Rule
from fleet.features.approvals.ruleset import commands, form, in_force
from fleet.features.approvals.ruleset import verbs as ruleset
from fleet.web.auth import TheDeps, needs
from fleet.web.problems import status_of
from fleet.web.rendering import KeptForm, go, render
from fleet.web.requests.form_types import Name, Words, place

router = APIRouter()
_PAGE = "/approvals/rules"
_LONGEST_DRAFT, _LONGEST_FIELD, _VERSIONS = 200_000, 4_000, 50
Viewer = Annotated[Principal, needs(Permission.DRAFTS_VIEW)]
_Text = Annotated[str, Field(max_length=_LONGEST_FIELD)]


class TypedQuestion(BaseModel):
    """A question, as it was typed."""

    resource: _Text = ""
    action: _Text = ""
    asker: _Text = ""
    agent: _Text = ""
    usd: _Text = ""
    facts: _Text = ""


class TypedRules(BaseModel):
    """All that the page's form has: the draft, the open rule, the question, and the button (`do`)."""

    draft: Annotated[str, Field(max_length=_LONGEST_DRAFT)] = ""
    base: Annotated[str, Field(max_length=20)] = ""
    reason: Words = ""
    do: Annotated[str, Field(max_length=30)] = ""
    at: Annotated[str, Field(max_length=10)] = ""
    name: _Text = ""
    resource: _Text = ""
    action: _Text = ""
    approval: _Text = form.NEEDED
    approvers: Annotated[list[_Text], Field(max_length=50)] = []
    others: _Text = ""
    min_approvals: _Text = ""
    expiration_minutes: _Text = ""
    escalate_after: _Text = ""
    escalate_to: _Text = ""
    when: _Text = ""
    auto_approve: _Text = ""
    try_resource: _Text = ""
    try_action: _Text = ""
    try_asker: _Text = ""
    try_agent: _Text = ""
    try_usd: _Text = ""
    try_facts: _Text = ""

    @property
    def question(self) -> TypedQuestion:
        """The question of the form."""
        return TypedQuestion(**{name: getattr(self, f"try_{name}") for name in TypedQuestion.model_fields})

    @property
    def rule(self) -> dict[str, Any]:
        """The open rule as it was typed."""
        return {name: getattr(self, name) for name in form.as_typed(form.EMPTY)}


@dataclass(frozen=True, slots=True)
class Draft:
    """Rules that are not in force yet. `at` is the place of the rule that is open, past the end for a new one."""

    items: list[dict[str, Any]]
    base: str
    reason: str = ""
    at: int | None = None
    typed: Mapping[str, Any] = field(default_factory=dict)
    wrong: Mapping[str, str] = field(default_factory=dict)

    def opened(self, at: int) -> Draft:
        """Return the draft with a rule open in the form."""
        rule = self.items[at] if at < len(self.items) else form.EMPTY
        return replace(self, at=at, typed=form.as_typed(rule), wrong={})

    def closed(self) -> Draft:
        """Return the draft with what was typed taken in; with `wrong` where that cannot be."""
        if self.at is None:
            return self
        rule = form.as_rule(self.typed)
        wrong = rule_file.wrong_fields(rule)
        if any(one["name"] == rule["name"] for at, one in enumerate(self.items) if at != self.at):
            wrong.setdefault("name", "another rule has this name")
        if wrong:
            return replace(self, wrong=wrong)
        rule = rule_file.rule_data(rule_file.parse([rule])[0])
        items = [*self.items[: self.at], rule, *self.items[self.at + 1 :]]
        return replace(self, items=items, at=None, typed={}, wrong={})

    def moved(self, do: str, at: int) -> Draft:
        """Return the draft with a rule moved up or down, or removed."""
        items = list(self.items)
        one = items.pop(at)
        if do != "remove":
            items.insert(max(0, at - 1 if do == "up" else at + 1), one)
        return replace(self, items=items)


async def _typed(request: Request) -> TypedRules:
    sent = await request.form()
    found: dict[str, Any] = {name: value for name, value in sent.items() if isinstance(value, str)}
    try:
        return TypedRules(**{**found, "approvers": [str(one) for one in sent.getlist("approvers")]})
    except ValidationError as error:
        item = error.errors()[0]
        raise InvalidInput(f"{item['loc'][0]}: {field_words.words(item)}.") from None


Typed = Annotated[TypedRules, Depends(_typed)]


@router.get(_PAGE)
def rules(request: Request, deps: TheDeps, who: Viewer, *, question: Annotated[TypedQuestion, Query()],
          version: Annotated[int | None, Query(ge=0, lt=2**63)] = None) -> Response:  # fmt: skip
    """Show the rules in force, or an earlier version as a draft; what would happen to a question; and the verbs."""
    draft = None
    if version is not None:
        with deps.db.transaction() as tx:
            now, given = in_force.read(deps, tx), commands.restored(tx, version)
        items = [rule_file.rule_data(rule) for rule in in_force.file_rules(deps)] if given is None else list(given)
        draft = Draft([dict(one) for one in items], str(now.version), reason=f"as in version {version}")
    return _page(request, deps, who, draft, question)


@router.get(f"{_PAGE}/draft", dependencies=[needs(Permission.DRAFTS_VIEW)])
def begin_again(request: Request) -> Response:
    """Show the rules in force: a page with a draft was loaded again."""
    return go(request, _PAGE)


@router.post(f"{_PAGE}/draft")
def edit(request: Request, deps: TheDeps, who: Viewer, typed: Typed) -> Response:
    """Show the page with a change of the draft. Nothing is stored."""
    try:
        draft = _draft(typed)
    except FleetError as error:
        return _page(request, deps, who, None, typed.question, problem=error)
    do, _, number = typed.do.partition(":")
    at = int(number) if number.isdecimal() and number.isascii() and len(number) < 5 else len(draft.items)
    if do == "close":
        draft = replace(draft, at=None, typed={})
    elif do in ("keep", "open", "add", "up", "down", "remove"):
        draft = draft.closed()  # else what was typed would be lost
        if not draft.wrong and do in ("open", "add"):
            draft = draft.opened(min(at, len(draft.items)))
        elif not draft.wrong and do != "keep" and at < len(draft.items):
            draft = draft.moved(do, at)
    return _page(request, deps, who, draft, typed.question)


@router.post(_PAGE)
def save(request: Request, deps: TheDeps, who: Editor, typed: Typed) -> Response:
    """Put the draft in force."""
    draft = None
    try:
        draft = _draft(typed).closed()
        if draft.wrong:
            return _page(request, deps, who, draft, typed.question, problem=InvalidInput("The open rule is wrong."))
        changed = ruleset.change(deps, who, draft.items, reason=draft.reason, seen={draft.base})
    except FleetError as error:
        return _page(request, deps, who, draft, typed.question, problem=error)
    said = "The rules are in force. Every process uses them within seconds." if changed else "Nothing was changed."
    return go(request, _PAGE, said)


@router.get(f"{_PAGE}/history", dependencies=[needs(Permission.DRAFTS_VIEW)])
def versions(request: Request, deps: TheDeps, *, before: Name = "") -> Response:
    """Show the versions of the rules, newest first."""
    found = history(deps, limit=_VERSIONS + 1, before=place(before))
    following = found[_VERSIONS - 1].version if len(found) > _VERSIONS else None
    with deps.db.transaction() as tx:
        now = in_force.read(deps, tx)
    return render(request, "approvals/rule_history.html", versions=found[:_VERSIONS], in_force=now,
                  before=following)  # fmt: skip


@router.post(f"{_PAGE}/restore")
def restore(request: Request, deps: TheDeps, who: Editor, *, version: Annotated[int, Form(ge=0, lt=2**63)],
            reason: Annotated[Words, Form()] = "") -> Response:  # fmt: skip
    """Put an earlier version in force again; 0 is the file."""
    try:
        with deps.db.transaction() as tx:
            given = commands.restored(tx, version)
        said = reason or ("" if given is None else f"as in version {version}")
        changed = ruleset.change(deps, who, given, reason=said)
    except FleetError as error:
        return go(request, _PAGE, str(error), kept=KeptForm("reset", "reason", {"reason": reason}))
    words = "The rules of the file are in force." if given is None else f"The rules of version {version} are in force."
    return go(request, _PAGE, words if changed else "They are in force already.")


def _draft(typed: TypedRules) -> Draft:
    """Return the draft of the form. Raises InvalidInput."""
    try:
        items = json.loads(typed.draft or "[]")
    except (ValueError, RecursionError):
        items = None
    if not isinstance(items, list) or not all(isinstance(one, dict) for one in items):
        raise InvalidInput("The draft cannot be read.", fix="Begin again from the rules in force.")
    parsed = [rule_file.rule_data(rule) for rule in rule_file.parse(items)]
    draft = Draft(parsed, typed.base, typed.reason)
    if not typed.at.isdecimal() or not typed.at.isascii():
        return draft
    return replace(draft, at=min(int(typed.at), len(parsed)), typed=typed.rule)


def _page(request: Request, deps: Deps, who: Principal, draft: Draft | None, question: TypedQuestion, *,
          problem: FleetError | None = None) -> Response:  # fmt: skip
    with deps.db.transaction() as tx:
        now = in_force.read(deps, tx)
    if draft is None:
        draft = Draft([rule_file.rule_data(rule) for rule in now.rules], str(now.version))
    shown = rule_file.parse(draft.items)
    closed = draft.closed()
    tried = shown if closed.wrong else rule_file.parse(closed.items)
    found, then, wrong = _tried(deps, who, question, now.rules, tried)
    code = next((status_of(one) for one in (problem, wrong) if one), 422 if draft.wrong else 200)
    return render(
        request, "approvals/rules.html", code=code, problem=problem, now_in_force=now, rules=draft.items, draft=draft,
        changes=commands.compare(now.rules, shown), is_stale=draft.base != str(now.version), found=found, then=then,
        wrong_question=wrong, verbs=questions.list_of_verbs(), as_data=desk.as_data, approvers=desk.approvers,
        question=question, form=form, conditions=form.conditions_text,
        as_json=json.dumps(draft.items), agents=lookup.suggestions(deps.db),
        may_edit=who.may(Permission.FLEET_EDIT) and not now.is_pinned,
    )  # fmt: skip


def _tried(
    deps: Deps, who: Principal, question: TypedQuestion, now: Sequence[Rule], draft: Sequence[Rule]
) -> tuple[questions.RulingOut | None, questions.RulingOut | None, FleetError | None]:
    """Return what would happen to a question now, under a draft that differs, or why that cannot be said."""
    if not (question.resource.strip() or question.action.strip()):
        return None, None, None
    try:
        asked = questions.TryQuery(
            resource=question.resource.strip(), action=question.action.strip(), asker=question.asker.strip(),
            agent=question.agent.strip(), facts=question.facts, usd=_amount(question.usd),
        )  # fmt: skip
        found = questions.ruling(deps, who, asked, among=now)
        return found, None if tuple(draft) == tuple(now) else questions.ruling(deps, who, asked, among=draft), None
    except ValidationError as error:
        item = error.errors()[0]
        return None, None, InvalidInput(f"{item['loc'][0]}: {field_words.words(item)}.")
    except FleetError as error:
        return None, None, error


def _amount(typed: str) -> float | None:
    try:
        return float(typed.strip().lstrip("$").replace(",", "")) if typed.strip() else None
    except ValueError:
        raise InvalidInput(f"Amount: {typed[:40]!r} is no number.") from None
