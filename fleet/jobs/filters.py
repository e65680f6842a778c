"""Which jobs: a filter as a value, and as SQL. Used by `fleet.jobs.queries` for lists, counts and people's acts.

Everything is compared with bare columns, never with an expression, which no index holds.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import sqlalchemy as sa

from fleet.jobs.models import RARE_PRIORITIES, UNDONE, JobRow
from fleet.jobs.policy import PRIORITY, JobKind, Priority
from fleet.jobs.states import LEASED, DeadReason, JobState


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
        """The same as several, each of which one index serves: by state, an agent's and undone jobs also by kind.

        A common priority is what its kinds are born with, so that no other kind is looked through in vain. No parts:
        nothing can match.
        """
        if self.states == (JobState.DEAD,):
            return [self]
        each_kind = [replace(self, kinds=(kind,)) for kind in self._possible_kinds]
        if self.agent_id is not None or self._has_common_priority:
            return each_kind
        parts: list[Filter] = []
        for state in self.states:
            parts += [replace(part, states=(state,)) for part in (each_kind if state in UNDONE else [self])]
        return parts or [self]

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
