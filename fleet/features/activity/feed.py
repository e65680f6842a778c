"""Events as lines of the feed: the same HTML whether a page brings it or the stream does.

Called by `hub` and by pages. All words come from outside: Jinja escapes them, and none of them becomes an address.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from fleet.core.events import Event, Position
from fleet.core.subjects import matches
from fleet.engine import registry
from fleet.engine.deps import Deps
from fleet.features.activity import event_text
from fleet.features.activity.agent_names import Cast
from fleet.features.publishing.kinds import COMMENT, CONNECT, LIKE, POST, REACT

Family = Literal["posts", "comments", "likes", "drafts", "trouble", "people"]
"""Kinds of event that people look for; the rest is told among all."""
FAMILIES: tuple[Family, ...] = get_args(Family)

_OF_KIND = {
    POST: "posts", COMMENT: "comments", LIKE: "likes", REACT: "likes",
    CONNECT: "likes",
}  # fmt: skip
_OF_SUBJECT = (
    ("trouble", ("job.retrying", "job.held", "job.unknown", "job.dead", "job.recovered", "content.refused",
                 "picture.replaced", "media.failed", "media.refused", "agent.failed", "agent.tick.skipped",
                 "budget.spent", "approval.expired")),
    ("drafts", ("agent.draft.*", "agent.lesson.*", "approval.*", "content.doubtful")),
    ("people", ("control.*", "budget.*", "secret.*", "agent.created", "agent.updated", "agent.deleted", "agent.started",
                "agent.paused", "agent.resumed", "agent.stopped", "agent.triggered", "job.replayed", "job.discarded",
                "job.cancelled")),
)  # fmt: skip
_SIGNS = (
    ("heart", ("job.done/like", "job.done/react")), ("eye", ("job.done/browse", "job.done/measure")),
    ("picture", ("job.done/post", "picture.*", "media.*")), ("speech", ("job.done/comment",)),
    ("link", ("job.done/connect",)), ("search", ("job.done/scan_feed", "agent.feed.*")),
    ("pen", ("agent.draft.*.created", "agent.draft.revised", "agent.draft.post.created", "job.done/revise_draft",
             "agent.draft.comment.created", "agent.draft.reaction.created", "approval.amended")),
    ("tick", ("agent.draft.approved", "approval.approved", "job.done*", "media.kept")),
    ("cross", ("job.dead", "agent.failed", "agent.draft.rejected", "approval.rejected", "agent.deleted")),
    ("clock", ("job.held", "agent.draft.expired", "approval.expired", "approval.reminder")),
    ("again", ("job.retrying", "job.recovered", "job.replayed", "sweep.*", "agent.draft.sent_back")),
    ("play", ("agent.started", "agent.resumed", "control.resumed", "control.kill_switch.lifted", "agent.triggered")),
    ("pause", ("agent.paused", "control.paused", "agent.stopped")), ("stop", ("control.kill_switch.thrown",)),
    ("coin", ("budget.*",)), ("hand", ("approval.*", "content.*", "agent.draft.*")),
    ("thought", ("agent.thought", "agent.lesson.*")), ("person", ("agent.*",)), ("unknown", ("job.unknown",)),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the feed. `family` may be empty; `quiet` ones are told to those who want to know all."""

    id: int
    at: datetime
    subject: str
    kind: str
    family: str
    sign: str
    tone: str
    name: str
    username: str | None
    words: str
    agent_id: str
    job_id: str
    quiet: bool


class Scribe:
    """Writes events down as lines, knowing who is who."""

    def __init__(self, deps: Deps) -> None:
        self._cast = Cast(deps)
        self._lock = threading.Lock()

    def lines(self, events: Sequence[Event]) -> list[tuple[Position, Line]]:
        """Return events as lines with their positions; what is told nobody is left out. Raises Unavailable."""
        with self._lock:
            self._cast.meet(events)
            return [(event.position, line) for event in events if (line := self._line(event)) is not None]

    def _line(self, event: Event) -> Line | None:
        told = self._cast.tell(event)
        if told is None:
            return None
        kind = str(event.payload.get("kind") or "")
        kind = kind if kind in registry.current().jobs and event.subject == "job.done" else ""
        return Line(
            id=event.position.id, at=event.occurred_at, subject=event.subject, kind=kind, family=family(event),
            sign=_sign(event.subject, kind), tone=_tone(told.tone, kind), name=self._cast.name(event)[:60],
            username=self._cast.username(event), words=told.words, agent_id=str(event.agent_id or ""),
            job_id=str(event.job_id or ""), quiet=event.subject in event_text.QUIET,
        )  # fmt: skip


def family(event: Event) -> str:
    """Return which kind of event people would look for this one under; empty for none."""
    if event.subject == "job.done":
        return _OF_KIND.get(str(event.payload.get("kind")), "")
    return next((name for name, subjects in _OF_SUBJECT if _among(event.subject, subjects)), "")


def subjects_of(name: str) -> tuple[str, ...]:
    """Return the subjects among which a family is found; none for an unknown one."""
    if name in _OF_KIND.values():
        return ("job.done",)
    return dict(_OF_SUBJECT).get(name, ())


def _among(subject: str, wanted: Iterable[str]) -> bool:
    return any(matches(subject, one) for one in wanted)


def _sign(subject: str, kind: str) -> str:
    spelled = f"{subject}/{kind}" if kind else subject
    return next((sign for sign, subjects in _SIGNS if _among(spelled, subjects)), "dot")


def _tone(style: str, kind: str) -> str:
    """Return a terminal's style as a class of ours. What was done has the colour of its kind."""
    if kind:
        return f"k-{kind}"
    if "red" in style:
        return "bad"
    if "yellow" in style or "magenta" in style:
        return "warn"
    return "good" if "green" in style else ""
