"""Make another picture for a proposed post, because a person asked for it: a new revision of draft and request."""

from __future__ import annotations

import uuid
from functools import partial
from typing import Any

from fleet.core import events
from fleet.core.db import Tx
from fleet.core.errors import Conflict
from fleet.engine.attempts.work import Work
from fleet.engine.jobs.outcomes import Done, Skipped
from fleet.features.approvals import queries as approval_queries
from fleet.features.approvals.requests import moves
from fleet.features.approvals.rules import Person
from fleet.features.drafts import service
from fleet.features.drafts.models import DraftRow
from fleet.features.drafts.pictures import commands as pictures
from fleet.features.drafts.pictures import rendering
from fleet.features.drafts.states import DraftStatus


def prepare(work: Work) -> Done | Skipped:
    """Make the picture, once for all attempts, and put it into draft and request."""
    if work.known("revised") is not None:  # by an attempt that died before it could record this
        return Done(result={"text": "another picture"})
    told = work.claim.payload
    with work.deps.db.transaction() as tx:
        row = tx.session.get(DraftRow, uuid.UUID(told["draft"]))
    if row is None or row.status != DraftStatus.PENDING:
        return Skipped(f"the draft is {row.status if row else 'gone'}")
    if row.revision != told["revision"]:
        return Skipped("the draft was changed meanwhile")
    made = {**row.content, "media": rendering.render(work, row.content)}
    try:
        work.step("revised", lambda: made, also=partial(_replace, work, row, made))
    except Conflict as error:  # decided or amended since we read it
        pictures.drop(work.deps, made)
        return Skipped(str(error))
    return Done(result={"text": "another picture"})


def _replace(work: Work, row: DraftRow, made: dict[str, Any], tx: Tx) -> None:
    """Put the picture into draft and request: both, or neither."""
    by, why = work.claim.payload["by"], "another picture"
    agent = Person(f"agent:{work.agent.username}")
    assert row.request_id is not None
    before = approval_queries.get(tx, row.request_id)
    amended = moves.amend(tx, row.request_id, made, agent, reason=f"{why}, asked for by {by}")
    if amended.revision == before.revision:  # a revision of the draft alone would be out of step with its request
        raise Conflict("the picture is the same again")
    revision = service.revise(tx, row.id, made, made_by=agent.name, instructions=why, before=row.revision)
    if revision is None:
        raise Conflict("the draft was decided or changed meanwhile")
    events.emit(
        tx, "agent.draft.illustrated", agent_id=row.agent_id, job_id=work.claim.job_id, draft=str(row.id),
        kind=row.kind, revision=revision, by=by,
    )  # fmt: skip
