"""Which jobs: a filter as a value, and as SQL. Used by `fleet.jobs.queries` for lists, counts and people's acts.

Everything is compared with bare columns, never with an expression, which no index holds.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from fleet.jobs.models import COMMON_KINDS, IS_RARE_KIND, RARE_PRIORITIES, UNDONE, JobRow
from fleet.jobs.policy import PRIORITY, JobKind, Priority
from fleet.jobs.states import LEASED, DeadReason, JobState

Search = Callable[..., sa.Select[Any]]
"""Given the conditions, what is to be found: so many, in such an order."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which jobs. Ages are counted from `finished_at` for finished ones, else from birth.

    `ended_from` and `ended_till` are moments that both belong to the span; they name a set that cannot grow.
    """

    states: tuple[JobState, ...] = ()
    agent_id: uuid.UUID | None = None
    kinds: tuple[JobKind, ...] = ()
    reason: DeadReason | None = None
    older_than: timedelta | None = None
    newer_than: timedelta | None = None
    ids: tuple[uuid.UUID, ...] = ()
    priority: Priority | None = None
    ended_from: datetime | None = None
    ended_till: datetime | None = None

    @property
    def parts(self) -> list[Filter]:
        """The same as several, each of which one index serves, by state or, `apart`, by kind.

        A common priority is what its kinds are born with, so that no other kind is looked through in vain. No parts:
        nothing can match.
        """
        if self.states == (JobState.DEAD,):
            return [self]
        kinds = self._possible_kinds
        if self.agent_id is not None:
            return [self] if kinds else []
        if self._has_common_priority:
            groups = [[kind for kind in kinds if (kind in COMMON_KINDS) is common] for common in (True, False)]
            return [replace(self, kinds=tuple(group)) for group in groups if group]
        return [replace(self, states=(state,)) for state in self.states] or [self]

    @property
    def apart(self) -> tuple[JobKind, ...]:
        """The kinds of a part for each of which the index is to be searched by itself; none: it holds them together."""
        if self.states == (JobState.DEAD,):
            return ()
        kinds = tuple(self._possible_kinds)
        is_undone = bool(self.states) and set(self.states) <= set(UNDONE)
        is_rare = self._has_common_priority and not set(kinds) & set(COMMON_KINDS)
        return kinds if self.agent_id is not None or is_undone or is_rare else ()

    @property
    def _has_common_priority(self) -> bool:
        return self.priority is not None and self.priority not in RARE_PRIORITIES

    @property
    def _possible_kinds(self) -> list[JobKind]:
        kinds = self.kinds or tuple(JobKind)
        return [kind for kind in kinds if not self._has_common_priority or PRIORITY[kind] is self.priority]


def matching(which: Filter, now: datetime) -> list[sa.ColumnElement[bool]]:
    """Return a filter as SQL."""
    found = in_states(which.states) if which.states else []
    if which.agent_id is not None:
        found.append(JobRow.agent_id == which.agent_id)
    if which.kinds:
        found.append(JobRow.kind.in_(which.kinds))
    if which.priority is not None:
        found.append(JobRow.priority == which.priority)
    if which.reason is not None:
        found.append(JobRow.dead_reason == which.reason)
    if which.ids:
        found.append(JobRow.id.in_(which.ids))
    return found + _ages(which, now)


def searching(part: Filter, now: datetime, one: Search) -> sa.Select[Any]:
    """Return a search with a part of a filter; where each kind is searched for by itself, one after the other.

    Written once for all of them: to plan a dozen searches took the planner, and to write them Python, longer than to
    carry them out.
    """
    if len(part.apart) < 2:
        return one(*matching(part, now))
    kinds = sa.func.unnest(sa.literal([*part.apart], ARRAY(sa.String))).table_valued("kind").render_derived()
    rare = [] if set(part.apart) & set(COMMON_KINDS) else [IS_RARE_KIND]
    found = one(JobRow.kind == kinds.c.kind, *rare, *matching(replace(part, kinds=()), now)).lateral()
    return sa.select(found).select_from(kinds.join(found, sa.true()))


def _ages(which: Filter, now: datetime) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    ended, made, all_ended = JobRow.finished_at, JobRow.created_at, which.states == (JobState.DEAD,)
    if which.older_than is not None:
        moment = now - which.older_than
        found += [ended < moment] if all_ended else [made < moment, sa.or_(ended.is_(None), ended < moment)]
    if which.newer_than is not None:
        moment = now - which.newer_than
        found.append(ended >= moment if all_ended else sa.or_(ended >= moment, made >= moment))
    if which.ended_from is not None:
        found.append(ended >= which.ended_from)
    if which.ended_till is not None:
        found.append(ended <= which.ended_till)
    return found


def in_states(states: Sequence[JobState]) -> list[sa.ColumnElement[bool]]:
    """Say that a job is in one of the states; of the leased ones also what a CHECK says, for their index knows that."""
    leased = [JobRow.lease_until.is_not(None)] if LEASED.issuperset(states) else []
    return [JobRow.state.in_(states), *leased]
