"""The timeline of a job: its decision, waits, attempts and answers in the order in which they happened. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from fleet.core.events import Event
from fleet.engine.events import event_text
from fleet.engine.jobs.models import AttemptRow, JobRow, TickRow
from fleet.engine.jobs.states import FINAL, JobState


@dataclass(frozen=True, slots=True)
class TimelineStep:
    """One thing that happened to a job, or that will. `tone` is a class of badges; empty for none."""

    at: datetime
    title: str
    text: str = ""
    tone: str = ""
    tick_no: int | None = None
    duration_s: float | None = None
    payload: Mapping[str, Any] = field(default_factory=dict)
    subject: str = ""
    is_ahead: bool = False


def steps(row: JobRow, attempts: Sequence[AttemptRow], events: Sequence[Event],
          tick: TickRow | None) -> list[TimelineStep]:  # fmt: skip
    """Return the steps, the first to happen first; what is still to come is at the end."""
    behind = [*_origin(row, tick), *map(_attempt, range(1, len(attempts) + 1), attempts), *map(_event, events)]
    if row.finished_at is not None and not any(one.subject == f"job.{row.state}" for one in behind):
        behind.append(TimelineStep(row.finished_at, row.state.capitalize(), row.error or "", row.state))
    return [*sorted(behind, key=lambda step: step.at), *_ahead(row)]


def _origin(row: JobRow, tick: TickRow | None) -> Iterator[TimelineStep]:
    if tick is not None and tick.decided_at is not None:
        took = None if tick.duration_ms is None else tick.duration_ms / 1000
        by = f"asked by {tick.requested_by}" if tick.requested_by else ""
        yield TimelineStep(tick.decided_at, f"Decision at tick {tick.tick_no}", by, tick_no=tick.tick_no,
                           duration_s=took)  # fmt: skip
    yield TimelineStep(row.created_at, "Created", f"asked by {row.requested_by}" if row.requested_by else "")


def _attempt(number: int, one: AttemptRow) -> TimelineStep:
    if one.ended_at is None:
        title, duration = f"Attempt {number}: {one.outcome or 'running'}", None
    else:
        title, duration = f"Attempt {number}: {one.outcome or 'ended'}", (one.ended_at - one.started_at).total_seconds()
    text = f"{one.worker}: {one.error}" if one.error else one.worker
    return TimelineStep(one.started_at, title, text, one.outcome or "running", duration_s=duration)


def _event(event: Event) -> TimelineStep:
    found = event_text.describe(event)
    return TimelineStep(
        event.occurred_at, found.words if found and found.words else event.subject, payload=event.payload,
        subject=event.subject, tone=event.subject.rpartition(".")[2] if event.subject.startswith("job.") else "",
    )  # fmt: skip


def _ahead(row: JobRow) -> Iterator[TimelineStep]:
    """Yield the steps that are to come."""
    if row.state in FINAL or row.state == JobState.DEAD:
        return
    if row.state in (JobState.READY, JobState.UNKNOWN):
        text = f"waits for {row.held}" if row.held else ""
        title = "Search for its effect" if row.state == JobState.UNKNOWN else "Next attempt"
        yield TimelineStep(row.next_attempt_at, title, text, "ready", is_ahead=True)
    elif row.lease_until is not None:
        yield TimelineStep(row.lease_until, "The lease of its worker ends", tone="running", is_ahead=True)
    yield TimelineStep(row.expires_at, "Expires: it is not started later", is_ahead=True)
