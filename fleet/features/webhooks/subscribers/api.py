"""Subscribers in code for programs: their positions, and replays."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from fleet.access import Permission
from fleet.engine.events import positions
from fleet.features.webhooks.api import Editor
from fleet.features.webhooks.subscribers import in_code
from fleet.features.webhooks.subscribers.in_code import ListedSubscriber
from fleet.web.auth import TheDeps, needs
from fleet.web.requests.fields import Body, line

router = APIRouter(prefix="/subscribers", tags=["hooks"])
Name = Annotated[str, Path(max_length=60)]


class SubscriberOut(BaseModel):
    """A subscriber and how far it has read."""

    name: str
    subjects: list[str] | None = Field(description="null: it is not installed on the server")
    position: str | None = Field(description="null: it has not read yet")
    moved_at: datetime | None
    parked: int = Field(description="events that it failed to handle")
    last_error: str | None


class SubscriberList(BaseModel):
    """All subscribers by name."""

    items: list[SubscriberOut]


class EventReplayIn(Body):
    """Where a subscriber reads again."""

    position: Annotated[str, line(60), Field(examples=["0-0"], description="events after it are replayed")]


class EventReplayOut(BaseModel):
    """Where a subscriber stood, and where it stands now."""

    before: str
    position: str


@router.get("", dependencies=[needs(Permission.HOOKS_VIEW)])
def list_subscribers(deps: TheDeps) -> SubscriberList:
    """Return the subscribers that are installed or have read before, by name."""
    return SubscriberList(items=[_out(one) for one in in_code.listed(deps)])


@router.post("/{subscriber}/replay")
def replay_events(subscriber: Name, body: EventReplayIn, deps: TheDeps, who: Editor) -> EventReplayOut:
    """Replay the events after a position to a subscriber. It must accept repeats."""
    to = positions.read(body.position)
    before = in_code.replay(deps, subscriber, to, by=who.by)
    return EventReplayOut(before=positions.written(before), position=positions.written(to))


def _out(found: ListedSubscriber) -> SubscriberOut:
    reader = found.reader
    return SubscriberOut(
        name=found.name, subjects=None if found.subjects is None else list(found.subjects),
        position=positions.written(reader.at) if reader else None, moved_at=reader.moved_at if reader else None,
        parked=reader.parked if reader else 0, last_error=reader.last_error if reader else None,
    )  # fmt: skip
