"""Lessons as rows: learnt with the decision that they come from, read before every scan, undone by a person.

Called by `fleet.engine` inside its transactions. What lessons add up to is `learning`'s.
"""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fleet.core import events
from fleet.core.db import Tx
from fleet.core.errors import Conflict, NotFound
from fleet.features.drafts.content import gist
from fleet.features.drafts.lessons import rules as learning
from fleet.features.drafts.lessons.rules import REWARDS, Lesson
from fleet.features.drafts.models import DraftRow, LessonRow
from fleet.features.drafts.states import OwnerAnswer

_CLOCK = sa.func.clock_timestamp()
_MOST_HEEDED = 500
"""Older lessons have faded: at two drafts a day this is most of a year."""


def heeded(tx: Tx, agent_id: uuid.UUID) -> list[Lesson]:
    """Return the lessons that count for an agent, oldest first."""
    query = (
        sa.select(LessonRow)
        .where(LessonRow.agent_id == agent_id, LessonRow.undone_at.is_(None))
        .order_by(LessonRow.id.desc())
        .limit(_MOST_HEEDED)
    )
    return [_lesson(row) for row in reversed(list(tx.session.scalars(query)))]


def learn(tx: Tx, draft: DraftRow, decision: OwnerAnswer, *, reason: str | None) -> None:
    """Record the lesson of a decision about a draft, with the weight before and after; once a draft."""
    now, known = tx.now(), heeded(tx, draft.agent_id)
    about = str(draft.about.get("text", ""))
    why = (reason or "").strip()[:300]
    new = Lesson(draft.kind, draft.topic, decision, REWARDS[decision], now, gist(draft.content), about, why)
    name = (draft.kind, draft.topic)
    before = learning.weights(known, now).get(name, 0.0)
    after = learning.weights([*known, new], now).get(name, 0.0)
    values = {
        "agent_id": draft.agent_id, "draft_id": draft.id, "kind": draft.kind, "topic": draft.topic,
        "decision": decision, "reward": new.reward, "weight_before": before, "weight_after": after, "text": new.text,
        "about": about, "why": why, "learned_at": now,
    }  # fmt: skip
    made = tx.scalar(insert(LessonRow).values(values).on_conflict_do_nothing().returning(LessonRow.id))
    if made is not None:
        events.emit(
            tx, "agent.lesson.learned", agent_id=draft.agent_id, lesson=made, draft=str(draft.id),
            why=learning.explain(new, before, after),
        )  # fmt: skip


def of_agent(tx: Tx, agent_id: uuid.UUID, *, limit: int = 20, before: int | None = None) -> list[LessonRow]:
    """Return an agent's lessons, newest first, undone ones too; `before` is the last id of the previous page."""
    query = sa.select(LessonRow).where(LessonRow.agent_id == agent_id).order_by(LessonRow.id.desc()).limit(limit)
    if before is not None:
        query = query.where(LessonRow.id < before)
    return list(tx.session.scalars(query))


def undo(tx: Tx, lesson_id: int, *, by: str) -> LessonRow:
    """Let a lesson count no more. Raises NotFound, or Conflict if it was undone before."""
    row = tx.session.get(LessonRow, lesson_id)
    if row is None:
        raise NotFound(f"There is no lesson {lesson_id}.", fix="`fleet drafts learned AGENT` shows an agent's lessons.")
    moved = sa.update(LessonRow).where(LessonRow.id == lesson_id, LessonRow.undone_at.is_(None))
    if not tx.execute(moved.values(undone_at=_CLOCK, undone_by=by[:100])).rowcount:
        raise Conflict(f"Lesson {lesson_id} is undone already.")
    tx.session.refresh(row)
    events.emit(tx, "agent.lesson.undone", agent_id=row.agent_id, lesson=lesson_id, by=by)
    return row


def _lesson(row: LessonRow) -> Lesson:
    return Lesson(
        row.kind, row.topic, OwnerAnswer(row.decision), row.reward, row.learned_at, row.text, row.about, row.why
    )  # fmt: skip


def explained(row: LessonRow) -> str:
    """Return a lesson in a sentence."""
    return learning.explain(_lesson(row), row.weight_before, row.weight_after)
