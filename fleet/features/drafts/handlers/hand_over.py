"""Hand over a doubtful text of an autonomous agent to people: end the job, and open a draft with its request.

Called by `fleet.features.publishing.words.review_words`. Draft, request and the end of the job are one transaction, so
that each job opens one draft. The approved text is published by a job of its own, as with every draft. Never publishes.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Any

from fleet.core import ids
from fleet.core.db import Tx
from fleet.core.errors import Conflict
from fleet.engine.agents import loop
from fleet.engine.attempts.work import Work
from fleet.engine.jobs.outcomes import Skipped
from fleet.features.approvals import service as approving
from fleet.features.approvals.request import Proposal
from fleet.features.drafts import limits, queries, service
from fleet.features.drafts.effect import ACTION, RESOURCE, in_short
from fleet.features.drafts.pictures import rendering
from fleet.features.drafts.scanning import batch
from fleet.features.drafts.service import NewDraft
from fleet.features.drafts.states import DraftKind
from fleet.features.publishing import comment_candidates
from fleet.features.publishing.kinds import POST
from fleet.llm.lexicon.topics import topic_of


def hand_over(work: Work, words: Mapping[str, Any]) -> Skipped:
    """Return the end of a job whose text needs a person's approval; the draft is opened in the same transaction."""
    content = _content(work, words["doubtful"])
    rules = ", ".join(words["rules"])
    if _is_waiting(work, content):
        return Skipped(f"doubtful ({rules}); another draft about the same post waits for approval already"[:1000])
    if limits.room(work.deps, work.agent.id) == 0:
        return Skipped(f"doubtful ({rules}); as many drafts of the agent wait for approval as may"[:1000])
    draft_id = ids.derived("doubtful", work.claim.job_id)
    content = rendering.illustrated(work, content, ":draft")
    work.also = partial(_open, work, draft_id, content, words)
    return Skipped(f"waits for approval as draft {str(draft_id)[:8]}: {'; '.join(words['why'])}"[:1000])


def _content(work: Work, said: Mapping[str, Any]) -> dict[str, Any]:
    if work.claim.kind == POST:
        return {"kind": str(DraftKind.POST), "target": None, "text": said["caption"],
                "image_prompt": said["image_prompt"], "alt_text": said["alt_text"], "visibility": "public",
                "media": []}  # fmt: skip
    return {"kind": str(DraftKind.COMMENT), "target": said.get("post", work.claim.target), "text": said["text"]}


def _is_waiting(work: Work, content: Mapping[str, Any]) -> bool:
    if content["target"] is None:
        return False
    with work.deps.db.transaction() as tx:
        return bool(queries.waiting_on(tx, work.agent.id, DraftKind.COMMENT, [content["target"]]))


def _open(work: Work, draft_id: uuid.UUID, content: Mapping[str, Any], words: Mapping[str, Any], tx: Tx) -> None:
    """Open the draft with its request. Raises Conflict if the agent was deleted, or has such a draft by now."""
    how = batch.habits(tx, work.agent.id)
    about = _about(work, content)
    topic = topic_of(str(about.get("text") or content["text"]), work.agent.character.interests)
    facts = _facts(work, content, topic, words)
    life = approving.time_to_decide(work.deps, RESOURCE, ACTION, facts, timedelta(days=how.config.draft_days))
    new = NewDraft(
        id=draft_id, agent_id=work.agent.id, owner=how.owner, scan_id=work.claim.job_id, surface=work.claim.surface,
        account_id=work.claim.account_id, content=content, life=life, about=about, topic=topic,
        context=f"doubtful: {', '.join(words['rules'])}", made_by=f"agent:{work.agent.username}",
        suggested_by=service.ON_REQUEST if work.claim.requested_by else service.BY_ITSELF,
    )  # fmt: skip
    if service.create(tx, new) is None:
        raise Conflict("The agent has a draft about the same post by now.")
    service.ask(tx, new.id, approving.propose(work.deps, tx, _proposal(work, new, facts)).id)
    # Last: deleting the agent withdraws its requests before it locks the agent.
    if not loop.is_there(tx, work.agent.id):
        raise Conflict("The agent was deleted.")


def _facts(work: Work, content: Mapping[str, Any], topic: str | None, words: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts about the draft that approval rules compare."""
    return {
        "kind": content["kind"], "agent": work.agent.username, "persona": work.agent.persona_id,
        "surface": work.claim.surface, "confidence": None, "topic": topic, "visibility": content.get("visibility"),
        "type": None, "doubts": list(words["rules"]),
    }  # fmt: skip


def _proposal(work: Work, new: NewDraft, facts: Mapping[str, Any]) -> Proposal:
    return Proposal(
        resource=RESOURCE, resource_id=str(new.id), action=ACTION, payload=new.content, requested_by=new.made_by,
        summary=in_short(new.content, new.about), agent_id=work.agent.id, facts=facts, expiration=new.life,
        needs_person=True,
    )  # fmt: skip


def _about(work: Work, content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the known data of the post that a comment answers, in the form that a scan gives to a draft."""
    if content["target"] is None:
        return {}
    offer = comment_candidates.chosen(work.claim, content["target"])
    return {
        "ref": "p1", "author_ref": "u1", "post_id": offer.id, "author_id": None, "author": offer.author,
        "author_name": offer.author, "text": offer.caption, "created_at": None, "likes": 0,
        "comments_count": offer.human, "humans": offer.human, "by_agent": False, "reactions": {}, "image_url": "",
        "comments": [],
    }  # fmt: skip
