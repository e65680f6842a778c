"""Celery's settings of beat, for each app that can run it."""

from __future__ import annotations

from beat_schedule import BEAT_SCHEDULE

BEAT = {
    "beat_schedule": BEAT_SCHEDULE,
    "beat_scheduler": "celery.beat:Scheduler",
    # Health checks ask it; it stays silent once it no longer ticks.
    "beat_enable_remote_control": True,
}
