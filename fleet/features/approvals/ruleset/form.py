"""The form of one approval rule: rules as typed texts, and typed texts as rules. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from fleet.access.roles import Permission, Role, allows
from fleet.features.approvals.rules import OWNER, Op

ROLES = tuple(str(role) for role in Role if allows(role, Permission.DRAFTS_DECIDE))
NEEDED, NEEDED_BY_OTHERS, NOT_NEEDED = "needed", "self", "never"
APPROVAL = {
    NEEDED: "needed", NEEDED_BY_OTHERS: "needed, but approvers run verbs at once", NOT_NEEDED: "not needed",
}  # fmt: skip
EMPTY: Mapping[str, Any] = {
    "name": "", "resource": "", "action": "", "approvers": [f"role:{OWNER}"], "min_approvals": 1,
    "expiration_minutes": 1440, "when": [], "auto_approve": [], "escalate": None, "requires_approval": True,
    "self": False,
}  # fmt: skip
_SIGNS = {"=": Op.EQ, "==": Op.EQ, "!=": Op.NE, "<": Op.LT, "<=": Op.LE, ">": Op.GT, ">=": Op.GE}


def as_typed(rule: Mapping[str, Any]) -> dict[str, Any]:
    """Return a rule, in the words of its file, as the form shows it."""
    known = {f"role:{role}" for role in ROLES} | {OWNER}
    later = rule["escalate"]
    return {
        "name": rule["name"], "resource": rule["resource"], "action": rule["action"],
        "approval": NOT_NEEDED if not rule["requires_approval"] else NEEDED_BY_OTHERS if rule["self"] else NEEDED,
        "approvers": [one for one in rule["approvers"] if one in known],
        "others": ", ".join(one for one in rule["approvers"] if one not in known),
        "min_approvals": str(rule["min_approvals"]), "expiration_minutes": str(rule["expiration_minutes"]),
        "escalate_after": str(later["after_minutes"]) if later else "",
        "escalate_to": ", ".join(later["to"]) if later else "",
        "when": conditions_text(rule["when"]), "auto_approve": conditions_text(rule["auto_approve"]),
    }  # fmt: skip


def as_rule(typed: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was typed as a rule, in the words of its file. What is wrong stays, for the model to refuse."""
    after, to = typed["escalate_after"].strip(), _list(typed["escalate_to"])
    return {
        "name": typed["name"].strip(), "resource": typed["resource"].strip(), "action": typed["action"].strip(),
        "approvers": list(dict.fromkeys([*typed["approvers"], *_list(typed["others"])])),
        "min_approvals": _number(typed["min_approvals"]), "expiration_minutes": _number(typed["expiration_minutes"]),
        "when": conditions(typed["when"]), "auto_approve": conditions(typed["auto_approve"]),
        "escalate": {"after_minutes": _number(after), "to": to} if after or to else None,
        "requires_approval": typed["approval"] != NOT_NEEDED, "self": typed["approval"] == NEEDED_BY_OTHERS,
    }  # fmt: skip


def conditions_text(listed: Sequence[Mapping[str, Any]]) -> str:
    """Return conditions as lines: `usd gt 100`."""
    return "\n".join(f"{one['field']} {one['op']} {_written(one['value'])}" for one in listed)


def conditions(text: str) -> list[dict[str, Any]]:
    """Return the conditions of lines. The value is JSON, or a text."""
    found = []
    for line in text.splitlines():
        if line.strip():
            field, op, value = (*line.split(None, 2), "", "")[:3]
            found.append({"field": field, "op": str(_SIGNS.get(op, op)), "value": _value(value.strip())})
    return found


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _written(value: Any) -> str:
    is_plain = isinstance(value, str) and value == value.strip() != "" and _value(value) == value
    return value if is_plain else json.dumps(value, ensure_ascii=False)


def _list(text: str) -> list[str]:
    return [one.strip() for one in text.replace("\n", ",").split(",") if one.strip()]


def _number(text: str) -> Any:
    """Return a whole number, or the text for the model to refuse."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else text or None
