"""Approval requests and rules as tables and pages. Payloads come from outside: every word of them is cleaned."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from rich.text import Text

from fleet.cli.frame import render
from fleet.cli.frame.api import Answer
from fleet.features.approvals.cli.decisions import SHORT

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

_STYLES = {"pending": "cyan", "approved": "green", "rejected": "red", "expired": "bright_black",
           "withdrawn": "bright_black"}  # fmt: skip
_LINE_STYLES = {"+": "green", "-": "red"}
_SIGNS = {"added": "new", "changed": "changed", "removed": "gone"}


def table(requests: Sequence[Answer]) -> Table:
    """Return requests as lines."""
    made = render.table("Request", "What", "State", "Until", ("About", render.ABOUT))
    for one in requests:
        render.row(made, one["id"][:SHORT], f"{one['action']} {one['resource']}", _state(one),
                   render.when(one["settled_at"] or one["expires_at"]), one["summary"])  # fmt: skip
    return made


def _state(request: Answer) -> Text:
    missing = f" {len(request['voices'])}/{request['min_approvals']}" if request["min_approvals"] > 1 else ""
    return render.words(f"{request['state']}{missing if _is_open(request) else ''}", _STYLES.get(request["state"], ""))


def _is_open(request: Answer) -> bool:
    return bool(request["state"] == "pending")


def page(request: Answer) -> Iterator[RenderableType]:
    """Return a request as a page: facts, what would change, the record."""
    yield render.facts(_facts(request))
    if request["changed"]:
        yield Text("")
        yield render.words("Since the question, what it is about has changed:", "yellow")
        for change in request["changed"]:
            yield from _change(change)
    yield Text("")
    if not request["diff"]:
        yield render.words("Nothing would change.", "dim")
    for change in request["diff"]:
        yield from _change(change)
    if request["record"]:
        yield Text("")
        yield _record(request["record"])


def _facts(request: Answer) -> list[tuple[str, object]]:
    is_open, voices, facts = _is_open(request), request["voices"], request["facts"]
    return [
        ("Request", request["id"]),
        ("What", f"{request['action']} {request['resource']} {request['resource_id']}"),
        ("About", request["summary"]),
        ("State", _state(request)),
        ("Because", request["reason"]),
        ("Decided by", None if is_open else request["settled_by"]),
        ("Asked by", request["requested_by"]),
        ("Agent", request["agent"]),
        ("Rule", request["rule"]),
        ("May decide", ", ".join(request["approvers"]) if is_open else None),
        ("Approved by", f"{', '.join(voices)} ({len(voices)} of {request['min_approvals']})"
         if voices and is_open else None),
        ("Revision", request["revision"] if request["revision"] > 1 else None),
        ("Asked", render.when(request["created_at"])),
        ("Expires", render.when(request["expires_at"]) if is_open else None),
        ("Escalates", f"{render.when(request['escalate_at'])}, to {', '.join(request['escalate_to'])}"
         if is_open and request["escalate_at"] and not request["escalated_at"] else None),
        ("Facts", render.clip(json.dumps(facts, ensure_ascii=False), 600) if facts else None),
    ]  # fmt: skip


def _change(change: Answer) -> Iterator[Text]:
    yield render.words(f"{change['field']} ({_SIGNS.get(change['how'], change['how'])})", "bold")
    if change["lines"]:
        for place, line in enumerate(change["lines"]):
            if not line.startswith("@@"):
                yield _line(line)
            elif place:  # what lies between is the same
                yield Text("  ⋮", style="dim")
        return
    if change["how"] != "added":
        yield _line(f"-{_value(change['before'])}")
    if change["how"] != "removed":
        yield _line(f"+{_value(change['after'])}")


def _line(line: str) -> Text:
    """Return a line of a diff in its colour; its sign stays in front whatever the cleaning takes away."""
    sign = line[:1] or " "
    return Text(f"  {sign} {render.safe(line[1:])}", style=_LINE_STYLES.get(sign, ""))


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _record(record: Sequence[Answer]) -> Table:
    made = render.table("Decision", "By", "Revision", "When", ("Reason", {"no_wrap": False, "overflow": "fold"}))
    for one in record:
        render.row(made, one["verdict"], one["by"], one["revision"], render.when(one["decided_at"]), one["reason"])
    return made


def rules_table(rules: Sequence[Answer]) -> Table:
    """Return rules as lines, with their conditions below them."""
    words = {"no_wrap": False, "overflow": "fold"}
    made = render.table("Rule", "Covers", ("Who decides", {**words, "max_width": 18}), "Within",
                        ("Otherwise", words))  # fmt: skip
    for row in (row for rule in rules for row in _rows(rule)):
        render.row(made, *row)
    return made


def verbs_table(verbs: Sequence[Answer]) -> Table:
    """Return verbs as lines, each with an example."""
    words = {"no_wrap": False, "overflow": "fold"}
    made = render.table("Resource", "Action", ("What it does", words), ("Example of its arguments", words))
    for one in verbs:
        render.row(made, one["resource"], one["action"], one["help"], json.dumps(one["example"], ensure_ascii=False))
    return made


def ruling(found: Answer) -> Iterator[RenderableType]:
    """Return what would happen to a question."""
    rule = found["rule"]
    yield render.words(found["words"], "yellow" if found["asks"] else "green")
    yield render.facts([
        ("Asked by", found["asker"]),
        ("Rule", rule["name"] if rule else None),
        ("May decide", ", ".join(rule["approvers"]) if rule else None),
        ("Needed", f"{rule['min_approvals']}, and {found['others']} besides the asker may decide" if rule else None),
        ("Expires", _minutes(rule["expiration_minutes"]) if rule else None),
    ])  # fmt: skip


def _rows(rule: Answer) -> Iterator[tuple[object, ...]]:
    needs = f"{rule['min_approvals']} of " if rule["min_approvals"] > 1 else ""
    later = rule["escalate"]
    otherwise = f"after {_minutes(later['after_minutes'])} {_named(later['to'])} too" if later else ""
    yield (rule["name"], f"{rule['action']} {rule['resource']}", f"{needs}{_named(rule['approvers'])}",
           _within(rule), otherwise)  # fmt: skip
    if not rule["requires_approval"]:
        yield "", "", render.words("nobody: no approval", "dim"), "", ""
    if rule["self"]:
        yield "", "", "", "", render.words("approvers run verbs without asking", "dim")
    for word, conditions in (("when", rule["when"]), ("by itself when", rule["auto_approve"])):
        if conditions:
            asked = " and ".join(f"{one['field']} {one['op']} {_value(one['value'])}" for one in conditions)
            yield "", "", render.words(word, "dim"), "", render.words(asked, "dim")


def _within(rule: Answer) -> str:
    """Return the time to decide; a draft waits no longer than its agent says either."""
    return f"{_minutes(rule['expiration_minutes'])}{' at most' if rule['resource'] == 'draft' else ''}"


def _minutes(minutes: float) -> str:
    return render.span(minutes * 60)


def _named(approvers: Sequence[str]) -> str:
    return ", ".join(one.removeprefix("role:").removeprefix("user:") for one in approvers)
