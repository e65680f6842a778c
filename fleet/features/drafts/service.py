"""Commands on drafts: create, revise, settle. Called by `fleet.engine` inside its transactions.

Each change is one guarded UPDATE that reports whether it happened, so that of two decisions one counts and nothing is
published twice.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fleet.core import events
from fleet.core.db import Tx
from fleet.features.drafts.models import DraftRow, RevisionRow
from fleet.features.drafts.pictures import commands as pictures
from fleet.features.drafts.states import SUBJECTS, DraftKind, DraftStatus

_CLOCK = sa.func.clock_timestamp()
BY_ITSELF, ON_REQUEST = "activity_worker", "manual"
"""Whether an agent proposes on its schedule, or because a person requested a scan."""


@dataclass(frozen=True, slots=True)
class NewDraft:
    """A draft to be created. The id is derived from scan and place, so creating it twice creates it once."""

    id: uuid.UUID
    agent_id: uuid.UUID
    owner: str
    scan_id: uuid.UUID
    surface: str
    content: Mapping[str, Any]
    life: timedelta
    about: Mapping[str, Any] = field(default_factory=dict)
    confidence: float | None = None
    context: str = ""
    topic: str = ""
    made_by: str = ""
    suggested_by: str = BY_ITSELF
    account_id: uuid.UUID | None = None

    @property
    def kind(self) -> DraftKind:
        """What is proposed."""
        return DraftKind(self.content["kind"])


def create(tx: Tx, new: NewDraft) -> DraftRow | None:
    """Insert a pending draft, emit its event and return it; None if it exists, or an open one about the same target."""
    expires_at = tx.now() + new.life
    values = {
        "id": new.id, "agent_id": new.agent_id, "scan_id": new.scan_id, "kind": new.kind, "surface": new.surface,
        "target": new.content["target"], "content": dict(new.content), "about": dict(new.about),
        "confidence": new.confidence, "context": new.context[:200], "topic": new.topic[:60], "expires_at": expires_at,
        "suggested_by": new.suggested_by, "account_id": new.account_id,
    }  # fmt: skip
    made = tx.scalar(insert(DraftRow).values(values).on_conflict_do_nothing().returning(DraftRow.id))
    if made is None:
        return None
    _keep(tx, new.id, 1, new.content, made_by=new.made_by, about=new.about)
    events.emit(tx, SUBJECTS[new.kind], agent_id=new.agent_id, job_id=new.scan_id, **_told(new, expires_at, tx.now()))
    return tx.session.get(DraftRow, new.id)


def _told(new: NewDraft, expires_at: datetime, now: datetime) -> dict[str, Any]:
    """Return the payload of the event of a new draft."""
    content = new.content
    media = content.get("media") or []
    of_kind: Mapping[DraftKind, Mapping[str, Any]] = {
        DraftKind.POST: {"content": content.get("text"), "mediaIds": [one["key"] for one in media],
                         "mediaUrls": [one["source"] for one in media if "prompt" not in one],
                         "visibility": content.get("visibility")},
        DraftKind.COMMENT: {"postId": content["target"], "content": content.get("text")},
        DraftKind.REACTION: {"postId": content["target"], "type": content.get("type")},
        DraftKind.CONNECTION: {"targetUserId": content["target"], "message": content.get("text")},
    }  # fmt: skip
    metadata = {"scanId": str(new.scan_id), "suggestedBy": new.suggested_by, "confidence": new.confidence,
                "context": new.context}  # fmt: skip
    return {
        "draftId": str(new.id), "agentId": str(new.agent_id), "ownerUserId": new.owner, **of_kind[new.kind],
        "status": "pending", "expiresAt": expires_at.isoformat(), "metadata": metadata, "timestamp": now.isoformat(),
    }  # fmt: skip


def ask(tx: Tx, draft_id: uuid.UUID, request_id: uuid.UUID) -> None:
    """Note which request for approval decides about a draft."""
    tx.execute(sa.update(DraftRow).where(DraftRow.id == draft_id).values(request_id=request_id))


def revise(tx: Tx, draft_id: uuid.UUID, content: Mapping[str, Any], *, made_by: str,
           instructions: str | None = None, before: int | None = None) -> int | None:  # fmt: skip
    """Replace a pending draft's content, store the old one, and return the new revision.

    None if it is decided, or no longer at the revision `before` that the new content was made from.
    """
    same = DraftRow.revision == (DraftRow.revision if before is None else before)
    revision = tx.scalar(
        sa.update(DraftRow)
        .where(DraftRow.id == draft_id, DraftRow.status == DraftStatus.PENDING, same)
        .values(content=dict(content), revision=DraftRow.revision + 1)
        .returning(DraftRow.revision)
    )
    if revision is None:
        return None
    _keep(tx, draft_id, int(revision), content, made_by=made_by, instructions=instructions)
    return int(revision)


def settle(tx: Tx, draft_id: uuid.UUID, into: DraftStatus, *, by: str | None, reason: str | None,
           job_id: uuid.UUID | None = None) -> DraftRow | None:  # fmt: skip
    """Decide a pending draft and return it; None if it is decided already. An approved one names its job."""
    moved = (
        sa.update(DraftRow)
        .where(DraftRow.id == draft_id, DraftRow.status == DraftStatus.PENDING)
        .values(status=into, decided_at=_CLOCK, decided_by=by, reason=reason, job_id=job_id)
        .returning(DraftRow.id)
    )
    if tx.scalar(moved) is None:
        return None
    return tx.session.get(DraftRow, draft_id, populate_existing=True)


def _keep(tx: Tx, draft_id: uuid.UUID, revision: int, content: Mapping[str, Any], *, made_by: str,
          instructions: str | None = None, about: Mapping[str, Any] = MappingProxyType({})) -> None:  # fmt: skip
    kept = {"draft_id": draft_id, "revision": revision, "content": dict(content), "made_by": made_by[:100],
            "instructions": instructions}  # fmt: skip
    tx.execute(sa.insert(RevisionRow).values(**kept))
    pictures.keep(tx, content, about)


def prune(tx: Tx, *, days: int, limit: int) -> int:
    """Delete drafts that were decided long ago, with their pictures; lessons and jobs stay. Returns how many."""
    cutoff = sa.select(_CLOCK).scalar_subquery() - sa.literal(timedelta(days=days), sa.Interval)
    old = sa.select(DraftRow.id).where(DraftRow.decided_at < cutoff).order_by(DraftRow.decided_at).limit(limit)
    draft_ids = list(tx.session.scalars(old))
    pictures.discard(tx, draft_ids)
    gone = sa.delete(DraftRow).where(DraftRow.id.in_(draft_ids))
    return tx.execute(gone.execution_options(synchronize_session=False)).rowcount
