"""The verbs of dead letters that people may have to approve: replay many, discard any."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence

import sqlalchemy as sa
from pydantic import Field

from fleet.access import Permission, Principal
from fleet.core.db import Tx
from fleet.core.errors import NotFound
from fleet.engine.deps import Deps
from fleet.engine.jobs import queries
from fleet.engine.jobs.models import JobRow
from fleet.engine.jobs.queries import JobFilter
from fleet.engine.jobs.states import JobState
from fleet.engine.points import verbs
from fleet.engine.points.verbs import Verb, VerbArguments, VerbPreview
from fleet.features.jobs import commands

_MOST = 10_000  # as many as the API changes at once
_EXAMPLE = {"ids": ["019a0000-0000-7000-8000-000000000000"]}


class DiscardArguments(VerbArguments):
    """Which dead letters: exactly those that matched when the person asked."""

    ids: tuple[uuid.UUID, ...] = Field(min_length=1, max_length=_MOST)


class ReplayArguments(DiscardArguments):
    """Which dead letters, and whether also those that are past their time."""

    allow_stale: bool = False


def replay(deps: Deps, who: Principal, which: JobFilter, *, allow_stale: bool, limit: int) -> int:
    """Replay dead letters; return how many. Raises NeedsApproval if they are many and people have to approve that."""
    with deps.db.transaction() as tx:
        ids = queries.replayable(tx, which, allow_stale=allow_stale, limit=limit)
    if len(ids) > 1:
        verbs.parse_if_allowed(deps, who, "dead_letter", "replay", ids=ids, allow_stale=allow_stale)
    return commands.replay_dead(deps, which, by=who.by, allow_stale=allow_stale, limit=limit)


def discard(deps: Deps, who: Principal, which: JobFilter, *, limit: int) -> int:
    """Discard dead letters; return how many. Raises NeedsApproval if people have to approve that."""
    with deps.db.transaction() as tx:
        ids = queries.discardable(tx, which, limit=limit)
    if ids:
        verbs.parse_if_allowed(deps, who, "dead_letter", "discard", ids=ids)
    return commands.discard_dead(deps, which, by=who.by, limit=limit)


def _of_replay(deps: Deps, tx: Tx, given: ReplayArguments) -> VerbPreview:  # noqa: ARG001 - the shape of all previews
    return _preview(tx, given.ids, "Replay", "ready")


def _of_discard(deps: Deps, tx: Tx, given: DiscardArguments) -> VerbPreview:  # noqa: ARG001 - the shape of all previews
    return _preview(tx, given.ids, "Discard", "cancelled")


def _preview(tx: Tx, ids: Sequence[uuid.UUID], word: str, state: str) -> VerbPreview:
    query = sa.select(JobRow.kind, sa.func.count()).where(JobRow.id.in_(ids), JobRow.state == JobState.DEAD)
    kinds = {row[0]: int(row[1]) for row in tx.execute(query.group_by(JobRow.kind).order_by(JobRow.kind))}
    number = sum(kinds.values())
    if not number:
        raise NotFound("None of them is a dead letter any more.", fix="Nothing is left to do.")
    whole = hashlib.sha256(b"".join(sorted(one.bytes for one in ids))).hexdigest()
    return VerbPreview(
        resource_id=str(ids[0]) if len(ids) == 1 else f"{len(ids)}-{whole[:32]}",
        summary=f"{word} {number} dead letter{'' if number == 1 else 's'}: "
        + ", ".join(f"{count} {kind}" for kind, count in kinds.items()),
        before={"dead": kinds}, after={state: kinds}, facts={"number": number, "kinds": list(kinds)},
    )  # fmt: skip


def _replay(deps: Deps, given: ReplayArguments, who: Principal) -> int:
    which = JobFilter(states=(JobState.DEAD,), ids=given.ids)
    return commands.replay_dead(deps, which, by=who.by, allow_stale=given.allow_stale, limit=_MOST)


def _discard(deps: Deps, given: DiscardArguments, who: Principal) -> int:
    which = JobFilter(states=(JobState.DEAD,), ids=given.ids)
    return commands.discard_dead(deps, which, by=who.by, limit=_MOST)


REPLAY = Verb(
    resource="dead_letter", action="replay", help="Replay two or more dead letters at once.",
    permission=Permission.JOBS_CONTROL, arguments=ReplayArguments, example=_EXAMPLE, preview=_of_replay, run=_replay,
)  # fmt: skip
DISCARD = Verb(
    resource="dead_letter", action="discard", help="Discard dead letters.", permission=Permission.JOBS_CONTROL,
    arguments=DiscardArguments, example=_EXAMPLE, preview=_of_discard, run=_discard,
)  # fmt: skip
