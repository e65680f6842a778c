"""Revise a draft that was sent back: the same model writes it again by the owner's instructions.

The new text is a revision of the draft and of its request; approvals of the old one become void.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
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
from fleet.features.approvals.ruleset.in_force import rules_of
from fleet.features.costs import budget_guard
from fleet.features.drafts import effect, service
from fleet.features.drafts.content import gist
from fleet.features.drafts.models import DraftRow
from fleet.features.drafts.pictures import commands as pictures
from fleet.features.drafts.pictures import rendering
from fleet.features.drafts.scanning import batch, propose
from fleet.features.drafts.states import DraftStatus
from fleet.llm import scan_request as asking
from fleet.llm.scan_request import Revise


def prepare(work: Work) -> Done | Skipped:
    """Write the draft anew, once for all attempts."""
    if work.known("revised") is not None:  # by an attempt that died before it could record this
        return Done(result={"text": gist(work.known("revised"))})
    told = work.claim.payload
    with work.deps.db.transaction() as tx:
        row = tx.session.get(DraftRow, uuid.UUID(told["draft"]))
    if row is None or row.status != DraftStatus.PENDING:
        return Skipped(f"the draft is {row.status if row else 'gone'}")
    if row.revision != told["revision"]:
        return Skipped("the draft was changed meanwhile")
    answer = work.step("answer", partial(_ask, work, row))
    made = _content(work, row, answer)
    if made is None:
        return Skipped("the writer had nothing that may be published")
    try:
        work.step("revised", lambda: made, also=partial(_replace, work, row, made))
    except Conflict as error:  # decided or amended since we read it
        pictures.drop(work.deps, made)
        return Skipped(str(error))
    return Done(result={"text": gist(made)})


def _ask(work: Work, row: DraftRow) -> dict[str, Any]:
    items = [row.about] if row.about else []
    ref = _ref(row)
    revise = Revise(row.kind, ref, gist(row.content), work.claim.payload["instructions"])
    request = batch.request_of(work, items, kinds=(row.kind,), revise=revise)
    answer, _ = budget_guard.words_of(work).digest(request, work.dice("revise"), within_s=work.words_within_s)
    return asking.to_data(answer)


def _ref(row: DraftRow) -> str | None:
    name = "author_ref" if row.kind == "connection" else "ref"
    return str(row.about[name]) if row.about else None


def _content(work: Work, row: DraftRow, answer: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the draft's content with the new text; its target stays. None if there is no text to publish."""
    idea = next((one for one in answer["ideas"] if one["kind"] == row.kind), None)
    if idea is None:
        return None
    changed: dict[str, Any] = {name: idea[name] for name in ("text", "image_prompt", "alt_text", "type", "visibility")
               if name in row.content and idea[name]}  # fmt: skip
    if changed.get("visibility") not in batch.offers(work).visibilities:
        changed.pop("visibility", None)
    if changed.get("type", "like") not in batch.offers(work).reactions:
        changed.pop("type", None)
    reviewed = propose.reviewed(work, {**row.content, **changed})
    return None if reviewed is None else _illustrated(work, row, reviewed.content)


def _illustrated(work: Work, row: DraftRow, made: dict[str, Any]) -> dict[str, Any]:
    """Return the content with another picture, if the present one was made for something else."""
    if rendering.of_ours(row.content) is None or rendering.subject(made) == rendering.subject(row.content):
        return made
    return rendering.illustrated(work, {**made, "media": []})


def _replace(work: Work, row: DraftRow, made: Mapping[str, Any], tx: Tx) -> None:
    """Put the new text into draft and request: both, or neither."""
    told = work.claim.payload
    agent = Person(f"agent:{work.agent.username}")
    assert row.request_id is not None
    before = approval_queries.get(tx, row.request_id)
    amended = moves.amend(
        tx, row.request_id, made, agent, reason=told["instructions"], facts=effect.facts(before, made),
        rules=rules_of(work.deps), summary=effect.in_short(made, row.about),
    )  # fmt: skip
    if amended.revision == before.revision:  # a revision of the draft alone would be out of step with its request
        raise Conflict("the writer returned the same text again")
    # A person may have edited the text while the model wrote: theirs stays.
    revision = service.revise(
        tx, row.id, made, made_by=agent.name, instructions=told["instructions"], before=row.revision
    )  # fmt: skip
    if revision is None:
        raise Conflict("the draft was decided or changed meanwhile")
    events.emit(
        tx, "agent.draft.revised", agent_id=row.agent_id, job_id=work.claim.job_id, draft=str(row.id), kind=row.kind,
        revision=revision, text=gist(made), by=told["by"],
    )  # fmt: skip
