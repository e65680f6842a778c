"""Rules about approvals as values: which rule covers a request, who may decide, how many approvals suffice, timed
steps.

Used by this package. Pure: no clock, no database. Conditions are data (field, operator, value) over the facts of a
proposal; nothing is evaluated as code, and a condition on a missing fact does not hold.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

DEFAULT_EXPIRATION = timedelta(minutes=1440)
REMINDERS = (timedelta(hours=24),)
"""Reminders are sent this long before the end of a request."""
ANY = "*"
SUBJECT = "subject"
"""The fact that names the user whom a verb is about: they do not decide about it."""
_DOORS = ("cli:", "web:", "api:")
_USER = "user:"
OWNER = "owner"
"""The approver that stands for the owner of the agent; a request about an agent with an owner has `owner:NAME`."""
_ROLES_WITHOUT_OWNER = frozenset({"owner", "admin"})
_MISSING = object()


class Op(StrEnum):
    """What a condition may ask of a fact."""

    EQ = "eq"
    NE = "ne"
    LT = "lt"
    LE = "le"
    GT = "gt"
    GE = "ge"
    IN = "in"
    NOT_IN = "not_in"
    CONTAINS = "contains"
    EXISTS = "exists"


@dataclass(frozen=True, slots=True)
class Condition:
    """One question about the facts. `field` is a name, or names joined by dots for facts within facts."""

    field: str
    op: Op
    value: Any


@dataclass(frozen=True, slots=True)
class Rule:
    """What a kind of request needs. `approvers`: `role:NAME`, `user:NAME`, `owner`; `*` is any resource or action."""

    name: str
    resource: str
    action: str
    approvers: tuple[str, ...]
    min_approvals: int = 1
    expiration: timedelta = DEFAULT_EXPIRATION
    when: tuple[Condition, ...] = ()
    auto_approve: tuple[Condition, ...] = ()
    escalate_after: timedelta | None = None
    escalate_to: tuple[str, ...] = ()
    requires_approval: bool = True
    own: bool = False
    """Whether approvers run verbs without asking (`self` in the file)."""


DEFAULT_RULE = Rule("default", ANY, ANY, ("role:owner",))
"""Holds where no other rule does: an owner decides, within a day."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody at a door: a name and the roles that the door vouches for."""

    name: str
    roles: frozenset[str] = field(default_factory=frozenset)


def rule_for(rules: Sequence[Rule], resource: str, action: str, facts: Mapping[str, Any]) -> Rule:
    """Return the first rule that covers a request; DEFAULT_RULE if none does."""
    return covering(rules, resource, action, facts) or DEFAULT_RULE


def covering(rules: Sequence[Rule], resource: str, action: str, facts: Mapping[str, Any]) -> Rule | None:
    """Return the first rule that covers a resource, an action and facts; None if none does."""
    for rule in rules:
        covered = rule.resource in (ANY, resource) and rule.action in (ANY, action)
        if covered and all(holds(condition, facts) for condition in rule.when):
            return rule
    return None


class Verdict(StrEnum):
    """Whether a verb waits for people, and why not."""

    ASKS = "asks"
    NO_RULE = "no_rule"  # no rule covers it
    NOT_REQUIRED = "not_required"  # its rule says so
    BY_ITSELF = "by_itself"  # its rule approves it automatically
    OWN = "own"  # the asker is an approver, and the rule lets approvers do it
    ALONE = "alone"  # the asker is the only approver


def verdict(rule: Rule | None, facts: Mapping[str, Any], *, is_approver: bool, may_own: bool, others: int) -> Verdict:
    """Say whether a verb waits. `others` may decide besides the asker; `may_own` that the asker could approve others'
    requests with the same credentials.
    """
    if rule is None:
        return Verdict.NO_RULE
    if not rule.requires_approval:
        return Verdict.NOT_REQUIRED
    if approves_by_itself(rule, facts):
        return Verdict.BY_ITSELF
    if is_approver and rule.own and may_own:
        return Verdict.OWN
    return Verdict.ALONE if is_approver and others == 0 else Verdict.ASKS


def approves_by_itself(rule: Rule, facts: Mapping[str, Any]) -> bool:
    """Return whether a rule approves this request automatically; never one with neither criteria nor a no."""
    return not rule.requires_approval or (
        bool(rule.auto_approve) and all(holds(condition, facts) for condition in rule.auto_approve)
    )


def holds(condition: Condition, facts: Mapping[str, Any]) -> bool:
    """Return whether a condition holds. Never raises: values that cannot be compared do not hold."""
    found = _found(condition.field, facts)
    if condition.op is Op.EXISTS:
        return (found is not _MISSING) == bool(condition.value)
    return found is not _MISSING and _ASKED[condition.op](found, condition.value)


def _found(path: str, facts: Mapping[str, Any]) -> Any:
    value: Any = facts
    for name in path.split("."):
        if not isinstance(value, Mapping) or name not in value:
            return _MISSING
        value = value[name]
    return value


def _same(one: Any, other: Any) -> bool:
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _among(value: Any, many: Any) -> bool:
    return isinstance(many, list | tuple) and any(_same(value, one) for one in many)


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def asked(one: Any, other: Any) -> bool:
        words = isinstance(one, str) and isinstance(other, str)
        return (words or (_is_number(one) and _is_number(other))) and bool(compare(one, other))

    return asked


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _contains(held: Any, value: Any) -> bool:
    if isinstance(held, str):
        return isinstance(value, str) and value.casefold() in held.casefold()
    return _among(value, held)


_ASKED: Mapping[Op, Callable[[Any, Any], bool]] = {
    Op.EQ: _same,
    Op.NE: lambda one, other: not _same(one, other),
    Op.LT: _ordered(operator.lt),
    Op.LE: _ordered(operator.le),
    Op.GT: _ordered(operator.gt),
    Op.GE: _ordered(operator.ge),
    Op.IN: _among,
    Op.NOT_IN: lambda value, many: isinstance(many, list | tuple) and not _among(value, many),
    Op.CONTAINS: _contains,
}


def are_about(rules: Iterable[Rule], name: str) -> bool:
    """Return whether any rule names this user."""
    wanted = f"user:{name.lower()}"
    return any(wanted == one.lower() for rule in rules for one in (*rule.approvers, *rule.escalate_to))


def users_of(rule: Rule) -> list[str]:
    """Return the users that a rule names, each once."""
    named = (*rule.approvers, *rule.escalate_to)
    return list(dict.fromkeys(one.removeprefix(_USER) for one in named if one.startswith(_USER)))


def time_to_decide(rule: Rule, wish: timedelta | None) -> timedelta:
    """Return how long a request under a rule may wait: the shorter of the rule's time and the author's."""
    return rule.expiration if wish is None else min(rule.expiration, wish)


def times_to_decide(rules: Sequence[Rule], resource: str, action: str, wish: timedelta) -> tuple[timedelta, timedelta]:
    """Return the shortest and the longest time to decide that rules may lead to, whatever the facts."""
    found = []
    for rule in (*rules, DEFAULT_RULE):
        if rule.resource in (ANY, resource) and rule.action in (ANY, action):
            found.append(time_to_decide(rule, wish))
            if not rule.when:
                break
    return min(found), max(found)


def may_decide(person: Person, approvers: Collection[str]) -> bool:
    """Say whether a person is among the approvers, by name or by role. A rule names people, not the door they use."""
    if OWNER in approvers and person.roles & _ROLES_WITHOUT_OWNER:
        return True
    bare = _without_door(person.name)
    names = (f"user:{person.name}", f"user:{bare}", f"{OWNER}:{bare}")
    return any(name in approvers for name in (*names, *(f"role:{role}" for role in person.roles)))


def is_own(person: Person, requested_by: str) -> bool:
    """Return whether a person made the request, by the web or the command line."""
    return _without_door(person.name) == _without_door(requested_by)


def _without_door(name: str) -> str:
    for door in _DOORS:
        name = name.removeprefix(door)
    return name.casefold()


def is_enough(said_yes: Collection[str], min_approvals: int) -> bool:
    """Say whether so many different people are enough."""
    return len({_without_door(name) for name in said_yes}) >= min_approvals


def remind_at(created_at: datetime, expires_at: datetime) -> list[datetime]:
    """Return when to remind, earliest first: by REMINDERS before the end, but not before half time."""
    half = (expires_at - created_at) / 2
    return sorted({expires_at - min(before, half) for before in REMINDERS})


class Step(StrEnum):
    """A timed step of a pending request."""

    ANNOUNCE = "announce"
    REMIND = "remind"
    ESCALATE = "escalate"
    EXPIRE = "expire"


@dataclass(frozen=True, slots=True)
class Times:
    """The times of a pending request, and the steps that were taken."""

    created_at: datetime
    expires_at: datetime
    escalate_at: datetime | None = None
    announced: bool = False
    reminded_at: datetime | None = None
    escalated: bool = False


def step_due(times: Times, now: datetime) -> Step | None:
    """Return the step that is due now; the most important first, which replaces the lesser ones before it."""
    due = [step for step, at in _steps(times).items() if at <= now]
    return due[0] if due else None


def next_step_at(times: Times) -> datetime:
    """Return when the next step is due; the expiry is always ahead."""
    return min(_steps(times).values())


def _steps(times: Times) -> dict[Step, datetime]:
    """Return the remaining steps and their times, the most important first."""
    steps = {Step.EXPIRE: times.expires_at}
    if times.escalate_at is not None and not times.escalated:
        steps[Step.ESCALATE] = times.escalate_at
    reminders = remind_at(times.created_at, times.expires_at)
    to_come = [at for at in reminders if times.reminded_at is None or times.reminded_at < at]
    if to_come:
        steps[Step.REMIND] = to_come[0]
    if not times.announced:
        steps[Step.ANNOUNCE] = times.created_at
    return steps
