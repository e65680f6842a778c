"""Parse rules, of a file or of people who edit them: data in, rules out, or an error that names the problem."""

from __future__ import annotations

import functools
import json
import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from fleet.core import text
from fleet.core.errors import InvalidInput
from fleet.core.text import field_words
from fleet.features.approvals.rules import DEFAULT_EXPIRATION, OWNER, Condition, Op, Rule

SHIPPED = Path(__file__).with_name("approvals.toml")
MOST_RULES = 200
_YEAR_MINUTES = 525_600
_LISTS = frozenset({Op.IN, Op.NOT_IN})
_ORDERS = frozenset({Op.LT, Op.LE, Op.GT, Op.GE})
_MINUTES = timedelta(minutes=1)

_Name = Annotated[str, Field(pattern=r"^(\*|[a-z][a-z0-9_]{0,29})$")]
_Approver = Annotated[str, Field(pattern=r"^(owner|(role|user):\S{1,100})$")]
_Approvers = Annotated[tuple[_Approver, ...], Field(min_length=1, max_length=50)]


def _refuse_invisible(*words: str) -> None:
    """Raise ValueError for control characters and invisible ones: people decide by what they see."""
    if any(text.clean(one) != one for one in words):
        raise ValueError("it has control characters, invisible ones, or blanks too many")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Condition(_Strict):
    field: str = Field(min_length=1, max_length=200)
    op: Op
    value: Any

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.op in _LISTS and not isinstance(self.value, list):
            raise ValueError(f"{self.op} needs a list of values")
        values = self.value if self.op in _LISTS else [self.value]
        if not all(isinstance(one, str | int | float | bool) for one in values):
            raise ValueError(f"{self.op} needs {'plain values' if self.op in _LISTS else 'one plain value'}")
        if any(isinstance(one, float) and not math.isfinite(one) for one in values):
            raise ValueError("the number is not finite")
        _refuse_invisible(self.field, *(one for one in values if isinstance(one, str)))
        if self.op is Op.EXISTS and not isinstance(self.value, bool):
            raise ValueError("exists needs true or false")
        if self.op in _ORDERS and isinstance(self.value, bool):
            raise ValueError(f"{self.op} needs a number or a text")
        return self

    def condition(self) -> Condition:
        return Condition(self.field, self.op, self.value)


class _Escalation(_Strict):
    after_minutes: int = Field(ge=1, le=_YEAR_MINUTES)
    to: _Approvers


class _Rule(_Strict):
    name: str = Field(min_length=1, max_length=60)
    resource: _Name
    action: _Name
    approvers: _Approvers
    min_approvals: int = Field(1, ge=1, le=50)
    expiration_minutes: int = Field(DEFAULT_EXPIRATION // _MINUTES, ge=1, le=_YEAR_MINUTES)
    when: tuple[_Condition, ...] = ()
    auto_approve: tuple[_Condition, ...] = ()
    escalate: _Escalation | None = None
    requires_approval: bool = True
    own: bool = Field(False, alias="self")

    @model_validator(mode="after")
    def _possible(self) -> Self:
        _refuse_invisible(self.name, *self.approvers, *(self.escalate.to if self.escalate else ()))
        if self.own and self.min_approvals > 1:
            raise ValueError("self = true lets one approver do it alone, so min_approvals must be 1")
        everybody = (*self.approvers, *(self.escalate.to if self.escalate else ()))
        if (
            all(one.startswith("user:") or one == OWNER for one in everybody)
            and len(set(everybody)) < self.min_approvals
        ):
            raise ValueError(f"{self.min_approvals} approvals cannot come from {len(set(everybody))} people")
        if self.escalate is not None and self.escalate.after_minutes >= self.expiration_minutes:
            raise ValueError("it expires before it escalates")
        return self

    def rule(self) -> Rule:
        after = self.escalate.after_minutes if self.escalate else None
        return Rule(
            self.name, self.resource, self.action, self.approvers, self.min_approvals,
            self.expiration_minutes * _MINUTES,
            tuple(one.condition() for one in self.when), tuple(one.condition() for one in self.auto_approve),
            None if after is None else after * _MINUTES, self.escalate.to if self.escalate else (),
            self.requires_approval, self.own,
        )  # fmt: skip


class _File(_Strict):
    rule: tuple[_Rule, ...] = Field((), max_length=MOST_RULES)

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [one.name for one in self.rule]
        if len(set(names)) < len(names):
            raise ValueError("two rules have the same name")
        return self


def load(path: Path) -> tuple[Rule, ...]:
    """Return the rules of a file, in order. Raises InvalidInput that names the file and the place."""
    try:
        return parse_toml(path.read_text(encoding="utf-8"), f" {path}")
    except OSError as error:
        raise InvalidInput(f"The approval rules {path} cannot be read ({error.strerror}).", fix=_FIX) from None
    except UnicodeDecodeError as error:
        raise InvalidInput(f"The approval rules {path} are no TOML: {error}.", fix=_FIX) from None


def parse_toml(written: str, of: str = "") -> tuple[Rule, ...]:
    """Return the rules of a file's text; `of` names the file in errors. Raises InvalidInput."""
    try:
        return _rules(tomllib.loads(written))
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(f"The approval rules{of} are no TOML: {error}.", fix=_FIX) from None
    except ValidationError as error:
        raise InvalidInput(f"The approval rules{of} are wrong: {_problems(error)}.", fix=_FIX) from None


def parse(items: Sequence[Mapping[str, Any]]) -> tuple[Rule, ...]:
    """Return rules from plain data, in order. Raises InvalidInput that names the place: `rule.1.approvers`."""
    try:
        return _rules({"rule": [dict(one) for one in items]})
    except ValidationError as error:
        raise InvalidInput(f"The approval rules are wrong: {_problems(error)}.") from None


def wrong_fields(item: Mapping[str, Any]) -> dict[str, str]:
    """Return what is wrong with one rule, by its fields; "" has what is wrong with several together."""
    try:
        _Rule(**item)
    except ValidationError as error:
        found = [(str(one["loc"][0]) if one["loc"] else "", _words(one)) for one in error.errors(include_url=False)]
        return {name: "; ".join(dict.fromkeys(words for of, words in found if of == name)) for name, _ in found}
    return {}


def _rules(data: dict[str, Any]) -> tuple[Rule, ...]:
    return tuple(one.rule() for one in _File(**data).rule)


def _problems(error: ValidationError) -> str:
    """Return what is wrong and where; of a list without a right entry, what is wrong with its entries."""
    found = error.errors(include_url=False)
    within = {item["loc"][:-1] for item in found}
    return "; ".join(
        f"{_place(item['loc'])}: {_words(item)}"
        for item in found if not (item["type"] == "too_short" and item["loc"] in within)
    )[:1000]  # fmt: skip


def _words(item: ErrorDetails) -> str:
    if item["type"] == "string_pattern_mismatch":
        is_approver = "role|user" in str(item["ctx"]["pattern"])
        return "write role:NAME, user:NAME or owner" if is_approver else "write a word of small letters, or *"
    return field_words.words(item)


def rule_data(rule: Rule) -> dict[str, Any]:
    """Return a rule as plain data, in the words of its file."""
    after = rule.escalate_after
    return {
        "name": rule.name, "resource": rule.resource, "action": rule.action, "approvers": list(rule.approvers),
        "min_approvals": rule.min_approvals, "expiration_minutes": rule.expiration // _MINUTES,
        "when": [_plain(one) for one in rule.when], "auto_approve": [_plain(one) for one in rule.auto_approve],
        "escalate": None if after is None else {"after_minutes": after // _MINUTES, "to": list(rule.escalate_to)},
        "requires_approval": rule.requires_approval, "self": rule.own,
    }  # fmt: skip


def _plain(condition: Condition) -> dict[str, Any]:
    return {**asdict(condition), "op": str(condition.op)}


def as_toml(rules: Iterable[Rule]) -> str:
    """Return rules as their file has them, without what is the default."""
    return "\n".join(rule_toml(rule) for rule in rules)


def rule_toml(rule: Rule) -> str:
    """Return one rule as its file has it."""
    data, lines = rule_data(rule), ["[[rule]]"]
    for name, value in data.items():
        if name in _ALWAYS or value != _DEFAULTS[name]:
            lines.append(f"{name} = {_toml(value)}")
    return "\n".join(lines) + "\n"


_ALWAYS = frozenset({"name", "resource", "action", "approvers"})
_DEFAULTS = rule_data(Rule("", "", "", ()))


def _toml(value: Any) -> str:
    """Return a value as TOML writes it."""
    match value:
        case Mapping():
            return "{ " + ", ".join(f"{name} = {_toml(one)}" for name, one in value.items()) + " }"
        case list():
            return f"[{', '.join(map(_toml, value))}]"
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return json.dumps(value)


_FIX = "See docs/approvals.md; FLEET_APPROVAL_RULES names the file."


def _place(loc: tuple[int | str, ...]) -> str:
    return ".".join(str(part + 1) if isinstance(part, int) else part for part in loc) or "file"


@functools.cache
def shipped() -> tuple[Rule, ...]:
    """Return the rules that Fleet ships with."""
    return load(SHIPPED)
