"""Messages between the team leader, people and agents of platforms: each is a job of the agent that answers it.

A message waits for no pause, since it writes nothing to the outside: a paused agent says that it is paused.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from enum import StrEnum

from fleet.engine.policy import Priority
from fleet.engine.registry import EventType, JobHandler


class MessageType(StrEnum):
    """What a message asks for. It is the kind of its job."""

    STATUS_REQUEST = "status_request"
    CONTENT_REQUEST = "content_request"
    SCHEDULE_UPDATE = "schedule_update"
    EMERGENCY_STOP = "emergency_stop"


class MessagePriority(StrEnum):
    """How soon a message is answered when many wait."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    URGENT = "urgent"

    @property
    def of_job(self) -> Priority:
        """The priority of its job."""
        return Priority.CRITICAL if self is MessagePriority.URGENT else Priority(self.value)

    @classmethod
    def of(cls, priority: str) -> MessagePriority:
        """Return the priority of a message from that of its job."""
        return cls.URGENT if priority == Priority.CRITICAL else cls(priority)


_MESSAGE = JobHandler(
    kind="message", noun="a message", prepare="", is_act=False, is_notice=True, ignores_pauses=True,
    ignores_agent_pause=True, uses_surface=False,
)  # fmt: skip
MESSAGES = (
    replace(
        _MESSAGE, kind=MessageType.STATUS_REQUEST.value, noun="a question about its status",
        plural="questions about their status", prepare="fleet.features.leader.handlers:status",
        priority=Priority.LOW, expires_after=timedelta(hours=1),
    ),
    replace(
        _MESSAGE, kind=MessageType.CONTENT_REQUEST.value, noun="a request for content", plural="requests for content",
        prepare="fleet.features.leader.handlers:content", expires_after=timedelta(hours=6),
    ),
    replace(
        _MESSAGE, kind=MessageType.SCHEDULE_UPDATE.value, noun="a change of its strategy",
        plural="changes of their strategies", prepare="fleet.features.leader.handlers:update",
        expires_after=timedelta(hours=6),
    ),
    replace(
        _MESSAGE, kind=MessageType.EMERGENCY_STOP.value, noun="an emergency stop", plural="emergency stops",
        prepare="fleet.features.leader.handlers:stopped", priority=Priority.CRITICAL,
        expires_after=timedelta(hours=1),
    ),
)  # fmt: skip
EVENTS = tuple(
    EventType(
        subject="job.done", kind=one.kind, words=f"answered {one.noun}{{quote}}", sign="✉", icon="tick", is_quiet=True
    )
    for one in MESSAGES
)
