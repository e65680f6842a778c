"""How requests for approval look: as lines, as a page with what would change, and as JSON.

Called by `fleet.features.approvals.cli`. Payloads come from outside: every word of them is cleaned before it is shown.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from fleet.cli.frame import render
from fleet.core.diff import Change, How, diff
from fleet.features.approvals.queries import ApprovalDecision
from fleet.features.approvals.request import Request
from fleet.features.approvals.rules import Rule
from fleet.features.approvals.states import RequestState

if TYPE_CHECKING:
    from fleet.engine.agents.lookup import Names
    from fleet.features.approvals.service import DecisionResult

SURELY_ONE_CHARS = 13
_STYLES = {
    RequestState.PENDING: "cyan", RequestState.APPROVED: "green", RequestState.REJECTED: "red",
    RequestState.EXPIRED: "bright_black", RequestState.WITHDRAWN: "bright_black",
}  # fmt: skip
_LINE_STYLES = {"+": "green", "-": "red"}
_SIGNS = {How.ADDED: "new", How.CHANGED: "changed", How.REMOVED: "gone"}


def short(request_id: uuid.UUID) -> str:
    """Return the beginning of an id, as people type it."""
    return str(request_id)[:8]


def table(requests: Sequence[Request], now: datetime) -> Table:
    """Return requests as lines."""
    made = render.table("Request", "What", "State", "Until", ("About", render.ABOUT))
    for one in requests:
        render.row(made, short(one.id), f"{one.action} {one.resource}", _state(one),
                   render.when(one.settled_at or one.expires_at, now), one.summary)  # fmt: skip
    return made


def _state(request: Request) -> Text:
    missing = f" {len(request.voices)}/{request.min_approvals}" if request.min_approvals > 1 else ""
    return render.words(f"{request.state}{'' if request.is_settled else missing}", _STYLES[request.state])


def page(request: Request, record: Sequence[ApprovalDecision], names: Names, now: datetime) -> Iterator[RenderableType]:
    """Return a request as a page: facts, what would change, the record."""
    yield render.facts(_facts(request, names, now))
    yield Text("")
    changes = diff(request.before, request.payload)
    if not changes:
        yield render.words("Nothing would change.", "dim")
    for change in changes:
        yield from _change(change)
    if record:
        yield Text("")
        yield _record(record, now)


def _facts(request: Request, names: Names, now: datetime) -> list[tuple[str, object]]:
    named = names.get(request.agent_id) if request.agent_id else None
    is_open = not request.is_settled
    return [
        ("Request", request.id),
        ("What", f"{request.action} {request.resource} {request.resource_id}"),
        ("About", request.summary),
        ("State", _state(request)),
        ("Because", request.reason),
        ("Decided by", None if is_open else request.settled_by),
        ("Asked by", request.requested_by),
        ("Agent", named.username if named else None),
        ("Rule", request.rule),
        ("May decide", ", ".join(request.approvers) if is_open else None),
        ("Said yes", f"{', '.join(request.voices)} ({len(request.voices)} of {request.min_approvals})"
         if request.voices and is_open else None),
        ("Revision", request.revision if request.revision > 1 else None),
        ("Asked", render.when(request.created_at, now)),
        ("Expires", render.when(request.expires_at, now) if is_open else None),
        ("Escalates", f"{render.when(request.escalate_at, now)}, to {', '.join(request.escalate_to)}"
         if is_open and request.escalate_at and not request.escalated_at else None),
        ("Known", render.clip(json.dumps(dict(request.facts), ensure_ascii=False), 600) if request.facts else None),
    ]  # fmt: skip


def _change(change: Change) -> Iterator[Text]:
    yield render.words(f"{change.name} ({_SIGNS[change.how]})", "bold")
    if change.lines:
        for place, line in enumerate(change.lines):
            if not line.startswith("@@"):
                yield _line(line)
            elif place:  # what lies between is the same
                yield Text("  ⋮", style="dim")
        return
    if change.how is not How.ADDED:
        yield _line(f"-{_value(change.before)}")
    if change.how is not How.REMOVED:
        yield _line(f"+{_value(change.after)}")


def _line(line: str) -> Text:
    """Return a line of a diff in its colour; its sign stays in front whatever the cleaning takes away."""
    sign = line[:1] or " "
    return Text(f"  {sign} {render.safe(line[1:])}", style=_LINE_STYLES.get(sign, ""))


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _record(record: Sequence[ApprovalDecision], now: datetime) -> Table:
    made = render.table("Decision", "By", "Revision", "When", ("Reason", {"no_wrap": False, "overflow": "fold"}))
    for one in record:
        render.row(made, one.verdict, one.by, one.revision, render.when(one.decided_at, now), one.reason)
    return made


def told(answer: DecisionResult) -> str:
    """Return in words what a decision came to, or why it was refused."""
    if answer.error is not None:
        return f"{short(answer.request_id)} {answer.error}"
    assert answer.decided is not None  # it is either this or an error
    request = answer.decided.request
    named = f"{short(request.id)}: {request.summary}"
    if request.state is RequestState.PENDING:
        return f"Noted; {len(request.voices)} of {request.min_approvals} have approved {named}"
    return f"{str(request.state).capitalize()}{'' if answer.decided.settled else ' before'} {named}"


_KEYS = (
    "id", "resource", "resource_id", "action", "revision", "summary", "agent_id", "requested_by", "state", "rule",
    "approvers", "min_approvals", "voices", "escalate_to", "created_at", "expires_at", "escalate_at", "escalated_at",
    "settled_at", "settled_by", "reason",
)  # fmt: skip


def data(request: Request, names: Names) -> dict[str, Any]:
    """Return a request as JSON-ready data."""
    named = names.get(request.agent_id) if request.agent_id else None
    return {**{name: getattr(request, name) for name in _KEYS}, "agent": named.username if named else None}


def whole(request: Request, record: Sequence[ApprovalDecision], names: Names) -> dict[str, Any]:
    """Return a request with all that it holds: payload, what would change, the record."""
    changes = [
        {"field": change.name, "how": change.how, "before": change.before, "after": change.after, "lines": change.lines}
        for change in diff(request.before, request.payload)
    ]
    return {
        **data(request, names), "payload": request.payload, "before": request.before, "facts": request.facts,
        "diff": changes, "decisions": [asdict(one) for one in record],
    }  # fmt: skip


def answer(one: DecisionResult) -> dict[str, Any]:
    """Return what came of one decision as data."""
    return {
        "id": one.request_id,
        "state": one.decided.state if one.decided else None,
        "settled": one.decided is not None and one.decided.settled,
        "error": one.error.message if one.error else None,
    }


def rules_table(rules: Sequence[Rule]) -> Table:
    """Return rules as lines, with their conditions below them."""
    words = {"no_wrap": False, "overflow": "fold"}
    made = render.table("Rule", "Covers", ("Who decides", {**words, "max_width": 18}), "Within",
                        ("Otherwise", words))  # fmt: skip
    for row in (row for rule in rules for row in _rows(rule)):
        render.row(made, *row)
    return made


def _rows(rule: Rule) -> Iterator[tuple[object, ...]]:
    needs = f"{rule.min_approvals} of " if rule.min_approvals > 1 else ""
    after = rule.escalate_after
    otherwise = f"after {render.span(after.total_seconds())} {_named(rule.escalate_to)} too" if after else ""
    yield (rule.name, f"{rule.action} {rule.resource}", f"{needs}{_named(rule.approvers)}",
           _within(rule), otherwise)  # fmt: skip
    for word, conditions in (("when", rule.when), ("by itself when", rule.auto_approve)):
        if conditions:
            asked = " and ".join(f"{one.field} {one.op} {_value(one.value)}" for one in conditions)
            yield "", "", render.words(word, "dim"), "", render.words(asked, "dim")


def _within(rule: Rule) -> str:
    """Return the time to decide; a draft waits no longer than its agent says either."""
    return f"{render.span(rule.expiration.total_seconds())}{' at most' if rule.resource == 'draft' else ''}"


def _named(approvers: Sequence[str]) -> str:
    return ", ".join(one.removeprefix("role:").removeprefix("user:") for one in approvers)


def rule_data(rule: Rule) -> dict[str, Any]:
    """Return a rule as data, in the words of its file."""
    minutes = None if rule.escalate_after is None else rule.escalate_after.total_seconds() / 60
    return {
        "name": rule.name, "resource": rule.resource, "action": rule.action, "approvers": rule.approvers,
        "min_approvals": rule.min_approvals, "expiration_minutes": rule.expiration.total_seconds() / 60,
        "when": [asdict(one) for one in rule.when], "auto_approve": [asdict(one) for one in rule.auto_approve],
        "escalate": None if minutes is None else {"after_minutes": minutes, "to": rule.escalate_to},
    }  # fmt: skip
