"""What supervised agents have learnt from people's decisions, for programs; a lesson can be undone."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from fleet.access import Permission
from fleet.features.approvals.api.decisions import Decider
from fleet.features.drafts import commands as drafting
from fleet.features.drafts import lessons
from fleet.features.drafts.models import LessonRow
from fleet.features.drafts.states import OwnerAnswer
from fleet.web.auth import TheDeps, needs
from fleet.web.requests import cursors
from fleet.web.requests.cursors import LARGEST_ID, Page, Paging
from fleet.web.requests.fields import AgentName, taken

router = APIRouter(tags=["lessons"])


class LessonOut(BaseModel):
    """What one decision taught; an undone one no longer counts."""

    id: int
    agent_id: uuid.UUID
    draft_id: uuid.UUID
    kind: str
    topic: str
    decision: OwnerAnswer
    reward: float
    weight_before: float
    weight_after: float
    text: str
    about: str
    why: str
    explained: str = Field(description="the lesson in a sentence")
    learned_at: datetime
    undone_at: datetime | None
    undone_by: str | None


class LessonPage(Page[LessonOut]):
    """A page of lessons, newest first."""


@router.get("/agents/{name}/lessons", dependencies=[needs(Permission.DRAFTS_VIEW)])
def list_lessons(deps: TheDeps, *, name: AgentName, which: Annotated[Paging, Query()]) -> LessonPage:
    """Return a page of an agent's lessons, newest first."""
    above = which.place(cursors.number, of=name)
    found = drafting.learned(deps, name, limit=which.one_more, before=above)
    rows, following = which.page(found, lambda row: row.id, of=name)
    return LessonPage(items=[_view(row) for row in rows], next=following)


@router.post("/lessons/{lesson_id}/undo")
def undo(deps: TheDeps, *, lesson_id: Annotated[int, Path(ge=1, le=LARGEST_ID)], who: Decider) -> LessonOut:
    """Undo a lesson."""
    return _view(drafting.unlearn(deps, lesson_id, by=who.by))


def _view(row: LessonRow) -> LessonOut:
    return taken(LessonOut, row, explained=lessons.explained(row))
