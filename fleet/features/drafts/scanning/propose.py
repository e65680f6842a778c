"""From a model's response to drafts that wait for a decision: sieved, reviewed, opened with their requests for
approval.

Called by the handlers of scans and revisions. Sieving and review run outside any transaction; drafts, their events and
their requests are written together with the step that records them.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from fleet.core import ids
from fleet.core.db import Tx
from fleet.core.errors import Conflict
from fleet.engine.agents.models import AgentRow
from fleet.engine.attempts import reserve
from fleet.engine.attempts.work import Work
from fleet.features.approvals import service as approving
from fleet.features.approvals.request import Proposal
from fleet.features.content import review, surfaces
from fleet.features.content.surfaces import Kind
from fleet.features.drafts import content, limits, queries, service, sifting
from fleet.features.drafts.effect import ACTION, RESOURCE, in_short
from fleet.features.drafts.kinds import SUPERVISED
from fleet.features.drafts.pictures import rendering
from fleet.features.drafts.scanning import batch as scanning
from fleet.features.drafts.scanning.batch import Batch
from fleet.features.drafts.service import NewDraft
from fleet.features.drafts.sifting import Known, Proposed
from fleet.features.drafts.states import DraftKind
from fleet.features.media import draft_media
from fleet.features.publishing import checks, surroundings
from fleet.features.publishing.rules import comment_would_crowd
from fleet.features.publishing.words.quality import quality_of
from fleet.llm import scan_request as asking
from fleet.llm.lexicon.topics import topic_of

_TEXTS: Mapping[DraftKind, Mapping[str, Kind]] = {
    DraftKind.POST: {"text": Kind.CAPTION, "image_prompt": Kind.PROMPT, "alt_text": Kind.ALT_TEXT},
    DraftKind.COMMENT: {"text": Kind.COMMENT},
    DraftKind.REACTION: {},
    DraftKind.CONNECTION: {"text": Kind.COMMENT},
}


class NobodyProposes(Conflict):
    """The agent was deleted, or decides for itself, since its scan began."""


def worked_out(work: Work, batch: Batch, answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return the drafts in a response, as data, and the numbers of dropped ones by reason."""
    known = _known(work, batch)
    sifted = sifting.sift(
        asking.from_data(answer),
        scanning.shown(batch),
        scanning.offers(work),
        known,
        work.settings.ai_comment_lead,
    )
    dropped = Counter(sifted.dropped)
    items = {item["post_id"]: item for item in batch["items"]}
    shown: dict[str, dict[str, Any]] = {}
    room = limits.room(work.deps, work.agent.id)
    drafts: list[dict[str, Any]] = []
    for one in sifted.proposed:
        if room is not None and len(drafts) >= room:
            dropped["too many undecided drafts"] += 1
            continue
        said = reviewed(work, content.content_of(one, draft_media.kept(work, one.idea.media)))
        if said is None:
            dropped["refused"] += 1
            continue
        about = {}
        if one.about:
            post_id = one.about.post_id
            about = shown[post_id] = shown.get(post_id) or rendering.answered(work, items[post_id])
        drafts.append(
            {"content": said.content, "doubts": said.doubts, "about": dict(about), "confidence": one.idea.confidence,
             "context": one.idea.reason, "topic": _topic(work, one, about), "ref": one.idea.ref}
        )  # fmt: skip
    return {"drafts": drafts, "dropped": dict(dropped)}


def illustrated(work: Work, made: Mapping[str, Any]) -> dict[str, Any]:
    """Return the drafts with the pictures of proposed posts, so that people see what would be published."""
    drafts = [
        {**draft, "content": rendering.illustrated(work, draft["content"], f":{place}")}
        for place, draft in enumerate(made["drafts"])
    ]
    return {**made, "drafts": drafts}


def _topic(work: Work, one: Proposed, about: Mapping[str, Any]) -> str:
    return topic_of(about.get("text") or f"{one.idea.text} {one.idea.image_prompt}", work.agent.character.interests)


def _known(work: Work, batch: Batch) -> Known:
    """Return the existing drafts and jobs about these posts."""
    posts = [item["post_id"] for item in batch["items"]]
    targets = [*posts, *(item["author_id"] for item in batch["items"] if item["author_id"])]
    since = work.claim.created_at  # how much the agent wrote does not matter here
    done = surroundings.surroundings(work.deps.db, work.agent.id, targets, since=since)
    with work.deps.db.transaction() as tx:
        taken = queries.taken(tx, work.agent.id, targets)
        waiting = queries.open_comments(tx, work.claim.surface, posts)
        captions = scanning.captions(tx, work.agent.id)
    taken |= {(_KIND_OF_JOB[kind], target) for kind, target in done.reactions if kind in _KIND_OF_JOB}
    return Known(frozenset(taken), tuple(captions), Counter(done.ours) + Counter(waiting), work.agent.username)


_KIND_OF_JOB = {
    "comment": DraftKind.COMMENT, "like": DraftKind.REACTION, "react": DraftKind.REACTION,
    "connect": DraftKind.CONNECTION,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A draft's content with its texts corrected.

    `doubts` are findings for which no rule may approve it automatically.
    """

    content: dict[str, Any]
    doubts: list[str]


def reviewed(work: Work, said: Mapping[str, Any]) -> Reviewed | None:
    """Return a draft's content with its texts corrected, or None if they must not be published."""
    made, standards = dict(said), quality_of(work.deps).standards(work.settings)
    doubts: set[str] = set()
    own = surfaces.own_texts(lambda: work.gateway.adapter)
    for name, kind in _TEXTS[DraftKind(said["kind"])].items():
        if not said[name]:
            continue
        verdict = review.review(said[name], kind, work.claim.surface, standards, own=own)
        if not verdict.ok and not verdict.doubtful:
            return None
        made[name] = verdict.text
        doubts |= {finding.rule for finding in verdict.refusals}
    return Reviewed(made, sorted(doubts))


def open_all(work: Work, tx: Tx, made: Mapping[str, Any]) -> None:
    """Create the drafts with their requests for approval, in the transaction that saves them as a step.

    Raises NobodyProposes, and nothing is created.
    """
    drafts = made["drafts"]
    said = [draft["content"] for draft in drafts]
    # Proposals about the same post take turns: then each sees the others.
    targets = [one["target"] for one in said if one["kind"] == DraftKind.COMMENT]
    reserve.take_turns(tx, {checks.post_turn(work.claim.surface, target) for target in targets})
    how = scanning.habits(tx, work.agent.id)
    for place, draft in enumerate(drafts):
        facts = _facts(work, draft)
        life = approving.time_to_decide(work.deps, RESOURCE, ACTION, facts, timedelta(days=how.config.draft_days))
        new = NewDraft(
            id=ids.derived("draft", work.claim.job_id, place), agent_id=work.agent.id, owner=how.owner,
            scan_id=work.claim.job_id, surface=work.claim.surface, content=draft["content"],
            account_id=work.claim.account_id,
            life=life, about=draft["about"], confidence=draft["confidence"],
            context=draft["context"], topic=draft["topic"], made_by=f"agent:{work.agent.username}",
            suggested_by=service.ON_REQUEST if work.claim.requested_by else service.BY_ITSELF,
        )  # fmt: skip
        if _has_room(work, tx, new) and service.create(tx, new) is not None:
            proposal = _proposal(work, new, facts, needs_person=bool(draft.get("doubts")))
            request = approving.propose(work.deps, tx, proposal)
            service.ask(tx, new.id, request.id)
    # Last: deleting the agent withdraws its requests before it locks the agent.
    if drafts and not _still_proposes(tx, work.agent.id):
        raise NobodyProposes("the agent was deleted or decides for itself now")


def _still_proposes(tx: Tx, agent_id: uuid.UUID) -> bool:
    """Return whether an agent exists and is supervised, and lock it so that it stays so until the transaction ends."""
    query = sa.select(AgentRow.id).where(AgentRow.id == agent_id, AgentRow.deleted_at.is_(None))
    return tx.scalar(query.where(AgentRow.autonomy == SUPERVISED).with_for_update(read=True)) is not None


def _has_room(work: Work, tx: Tx, new: NewDraft) -> bool:
    """Return whether the post may have one more AI comment, now that no other proposal is being made."""
    target = new.content["target"]
    if new.kind is not DraftKind.COMMENT or target is None:
        return True
    ours = surroundings.comments_on(tx, target) + queries.open_comments(tx, new.surface, [target]).get(target, 0)
    return not comment_would_crowd(int(new.about["humans"]) + ours, ours, work.settings.ai_comment_lead)


def _facts(work: Work, draft: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts about a draft that approval rules compare."""
    said = draft["content"]
    return {
        "kind": said["kind"], "agent": work.agent.username, "persona": work.agent.persona_id,
        "surface": work.claim.surface, "confidence": draft["confidence"], "topic": draft["topic"],
        "visibility": said.get("visibility"), "type": said.get("type"),
        "doubts": list(draft.get("doubts", [])),
    }  # fmt: skip


def _proposal(work: Work, new: NewDraft, facts: Mapping[str, Any], *, needs_person: bool) -> Proposal:
    return Proposal(
        resource=RESOURCE, resource_id=str(new.id), action=ACTION, payload=new.content,
        requested_by=f"agent:{work.agent.username}", summary=in_short(new.content, new.about), agent_id=work.agent.id,
        facts=facts, expiration=new.life, needs_person=needs_person,
    )  # fmt: skip
