"""Parse the file of rules: TOML in, rules out, or an error that names the problem.

Called by `fleet.engine.deps`, and by entry points that check a file before it is used.
"""

from __future__ import annotations

import functools
import tomllib
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from fleet.core.errors import InvalidInput
from fleet.features.approvals.rules import DEFAULT_EXPIRATION, OWNER, Condition, Op, Rule

SHIPPED = Path(__file__).with_name("approvals.toml")
_YEAR_MINUTES = 525_600
_LISTS = frozenset({Op.IN, Op.NOT_IN})
_ORDERS = frozenset({Op.LT, Op.LE, Op.GT, Op.GE})
_MINUTES = timedelta(minutes=1)

_Name = Annotated[str, Field(pattern=r"^(\*|[a-z][a-z0-9_]{0,29})$")]
_Approver = Annotated[str, Field(pattern=r"^(owner|(role|user):\S{1,100})$")]
_Approvers = Annotated[tuple[_Approver, ...], Field(min_length=1, max_length=50)]


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
        if self.op not in _LISTS and not isinstance(self.value, str | int | float | bool):
            raise ValueError(f"{self.op} needs one plain value")
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
    rule: tuple[_Rule, ...] = ()

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [one.name for one in self.rule]
        if len(set(names)) < len(names):
            raise ValueError("two rules have the same name")
        return self


def load(path: Path) -> tuple[Rule, ...]:
    """Return the rules of a file, in order. Raises InvalidInput that names the file and the place."""
    try:
        return tuple(one.rule() for one in _File(**tomllib.loads(path.read_text(encoding="utf-8"))).rule)
    except OSError as error:
        raise InvalidInput(f"The approval rules {path} cannot be read ({error.strerror}).", fix=_FIX) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"The approval rules {path} are no TOML: {error}.", fix=_FIX) from None
    except ValidationError as error:
        problems = "; ".join(f"{_place(item['loc'])}: {item['msg']}" for item in error.errors(include_url=False))
        raise InvalidInput(f"The approval rules {path} are wrong: {problems}.", fix=_FIX) from None


def rule_data(rule: Rule) -> dict[str, Any]:
    """Return a rule as plain data, in the words of its file."""
    after = rule.escalate_after
    return {
        "name": rule.name, "resource": rule.resource, "action": rule.action, "approvers": list(rule.approvers),
        "min_approvals": rule.min_approvals, "expiration_minutes": rule.expiration / _MINUTES,
        "when": [asdict(one) for one in rule.when], "auto_approve": [asdict(one) for one in rule.auto_approve],
        "escalate": None if after is None else {"after_minutes": after / _MINUTES, "to": list(rule.escalate_to)},
        "requires_approval": rule.requires_approval, "self": rule.own,
    }  # fmt: skip


_FIX = "See docs/approvals.md; FLEET_APPROVAL_RULES names the file."


def _place(loc: tuple[int | str, ...]) -> str:
    return ".".join(str(part + 1) if isinstance(part, int) else part for part in loc) or "file"


@functools.cache
def shipped() -> tuple[Rule, ...]:
    """Return the rules that Fleet ships with."""
    return load(SHIPPED)
