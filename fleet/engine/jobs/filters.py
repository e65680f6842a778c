"""A filter of jobs as a value, and as SQL. Used by `fleet.engine.jobs.lists`, and by `queries` for commands of people.

Filters compare bare columns, never expressions, which no index covers.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from fleet.engine import registry
from fleet.engine.jobs.models import RARE_PRIORITIES, UNDONE, JobRow
from fleet.engine.jobs.states import LEASED, DeadReason, JobState
from fleet.engine.policy import Priority

Search = Callable[..., sa.Select[Any]]
"""Builds the query for given conditions, with a limit and an order."""
_Value = Callable[[str], sa.ColumnElement[Any]]
_TIME = sa.DateTime(timezone=True)
_OPEN: dict[str, sa.types.TypeEngine[Any]] = {
    "agent_id": sa.Uuid(), "reason": sa.String(), "older_than": sa.Interval(), "newer_than": sa.Interval(),
    "kinds": ARRAY(sa.String()), "ids": ARRAY(sa.Uuid()), "ended_from": _TIME, "ended_till": _TIME,
    "created_from": _TIME, "created_till": _TIME, "text": sa.String(),
}  # fmt: skip
"""The fields whose values do not change the text of the SQL; kinds do, except for dead letters."""


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs. Ages are counted from `finished_at` for finished ones, else from birth.

    `ended_from` and `ended_till`, or `created_from` and `created_till`, are moments that both belong to the span; they
    name a set that cannot grow. `text` is what a person looks for in what lists show of a job, upper or lower case;
    payloads are not searched.
    """

    states: tuple[JobState, ...] = ()
    agent_id: uuid.UUID | None = None
    kinds: tuple[str, ...] = ()
    reason: DeadReason | None = None
    older_than: timedelta | None = None
    newer_than: timedelta | None = None
    ids: tuple[uuid.UUID, ...] = ()
    priority: Priority | None = None
    ended_from: datetime | None = None
    ended_till: datetime | None = None
    created_from: datetime | None = None
    created_till: datetime | None = None
    text: str = ""

    @property
    def is_of_the_dead(self) -> bool:
        """Whether it matches dead letters alone; an index covers all their filtered columns."""
        return self.states == (JobState.DEAD,)

    @property
    def is_by_end(self) -> bool:
        """Whether its jobs are in the order in which they ended: an index by that moment serves it."""
        return self.is_of_the_dead or self.ended_from is not None or self.ended_till is not None

    @property
    def values(self) -> dict[str, Any]:
        """The values of its set fields, by name."""
        given = {name: getattr(self, name) for name in _OPEN if name != "kinds" or self.is_of_the_dead}
        set_ = {name: value for name, value in given.items() if value not in (None, (), "")}
        return {name: _as_sql(name, value) for name, value in set_.items()}

    @property
    def shape(self) -> JobFilter:
        """The filter without those values: equal for all filters that set the same fields."""
        open_: dict[str, Any] = dict.fromkeys(self.values, True)
        return replace(self, **open_)

    @property
    def parts(self) -> list[JobFilter]:
        """The filter split into parts that one index each serves, by state or, `apart`, by kind.

        A priority that most kinds share is replaced by these kinds, so that no other kind is searched in vain. No
        parts: nothing can match.
        """
        if self.is_of_the_dead:
            return [self]
        kinds = self._possible_kinds
        if self.agent_id is not None or self.is_by_end:
            return [self] if kinds else []
        if self._has_common_priority:
            common = _frequent_kinds()
            groups = [[kind for kind in kinds if (kind in common) is wanted] for wanted in (True, False)]
            return [replace(self, kinds=tuple(group)) for group in groups if group]
        return [replace(self, states=(state,)) for state in self.states] or [self]

    @property
    def apart(self) -> tuple[str, ...]:
        """The kinds of a part for which the index is searched one by one; none: the index covers them together."""
        if self.is_by_end:
            return ()
        kinds = tuple(self._possible_kinds)
        is_undone = bool(self.states) and set(self.states) <= set(UNDONE)
        is_rare = self._has_common_priority and _frequent_kinds().isdisjoint(kinds)
        return kinds if self.agent_id is not None or is_undone or is_rare else ()

    @property
    def _has_common_priority(self) -> bool:
        return self.priority is not None and self.priority not in RARE_PRIORITIES

    @property
    def _possible_kinds(self) -> list[str]:
        kinds = self.kinds or tuple(registry.current().jobs)
        return [
            kind
            for kind in kinds
            if not self._has_common_priority or registry.current().job(kind).priority is self.priority
        ]


def _as_sql(name: str, value: Any) -> Any:
    if name == "text":
        for sign in ("\\", "%", "_"):  # the escape character itself first
            value = value.replace(sign, f"\\{sign}")
        return f"%{value}%"
    return [*value] if isinstance(value, tuple) else value


def matching(which: JobFilter) -> list[sa.ColumnElement[bool]]:
    """Return a filter as SQL, with its values."""
    values = which.values
    return _conditions(which, lambda name: sa.literal(values[name], _OPEN[name]))


def searching(part: JobFilter, one: Search) -> sa.Select[Any]:
    """Return a query for a part of a filter's shape, to be run with the filter's values.

    Where each kind is searched by itself, one after the other, the query is written once for all of them: planning a
    dozen queries, and building them in Python, took longer than running them.
    """
    if len(part.apart) < 2:
        return one(*_conditions(part, _named))
    kinds = sa.func.unnest(sa.literal([*part.apart], ARRAY(sa.String))).table_valued("kind").render_derived()
    rare = [JobRow.rare] if _frequent_kinds().isdisjoint(part.apart) else []
    found = one(JobRow.kind == kinds.c.kind, *rare, *_conditions(replace(part, kinds=()), _named)).lateral()
    return sa.select(found).select_from(kinds.join(found, sa.true()))


def _frequent_kinds() -> frozenset[str]:
    """Return the kinds that most jobs are."""
    return registry.current().kinds(lambda job: job.is_frequent)


def words_of(checkpoint: Any) -> sa.ColumnElement[Any]:
    """Return the words that were prepared for a job: a comment's text, or a post's caption."""
    words = checkpoint["words"]
    return sa.func.coalesce(words["text"].astext, words["caption"].astext)


def containing(value: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """Restrict to jobs of which a list shows this text. No index serves it: search a limited number of jobs."""
    shown = (
        JobRow.result["text"].astext, words_of(JobRow.checkpoint), JobRow.error, JobRow.held, JobRow.target,
        JobRow.remote_id, JobRow.requested_by,
    )  # fmt: skip
    return sa.or_(*(one.ilike(value) for one in shown))


def _named(name: str) -> sa.ColumnElement[Any]:
    return sa.bindparam(name, type_=_OPEN[name])


def _conditions(which: JobFilter, value: _Value) -> list[sa.ColumnElement[bool]]:
    found = _in_states(which.states) if which.states else []
    if which.agent_id is not None:
        found.append(JobRow.agent_id == value("agent_id"))
    if which.kinds:
        is_told = isinstance(which.kinds, tuple)  # in a shape they may be left out
        found.append(JobRow.kind.in_(which.kinds) if is_told else JobRow.kind == sa.func.any(value("kinds")))
    if which.priority is not None:
        found.append(JobRow.priority == which.priority)
    if which.reason is not None:
        found.append(JobRow.dead_reason == value("reason"))
    if which.ids:
        found.append(JobRow.id == sa.func.any(value("ids")))
    if which.text:
        found.append(containing(value("text")))
    return found + _ages(which, value)


def _ages(which: JobFilter, value: _Value) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    ended, made, all_ended = JobRow.finished_at, JobRow.created_at, which.is_of_the_dead
    if which.older_than is not None:
        moment = sa.func.now() - value("older_than")
        found += [ended < moment] if all_ended else [made < moment, sa.or_(ended.is_(None), ended < moment)]
    if which.newer_than is not None:
        moment = sa.func.now() - value("newer_than")
        found.append(ended >= moment if all_ended else sa.or_(ended >= moment, made >= moment))
    if which.ended_from is not None:
        found.append(ended >= value("ended_from"))
    if which.ended_till is not None:
        found.append(ended <= value("ended_till"))
    if which.created_from is not None:
        found.append(made >= value("created_from"))
    if which.created_till is not None:
        found.append(made <= value("created_till"))
    return found


def _in_states(states: Sequence[JobState]) -> list[sa.ColumnElement[bool]]:
    """Restrict to jobs in one of the states; for leased ones repeat the CHECK's condition, which their index needs."""
    leased = [JobRow.lease_until.is_not(None)] if LEASED.issuperset(states) else []
    return [JobRow.state.in_(states), *leased]
