"""Celery's settings of beat, for each app that can run it."""

from __future__ import annotations

from beat_schedule import BEAT_SCHEDULE

BEAT = {
    "beat_schedule": BEAT_SCHEDULE,
    "beat_scheduler": "workers.scheduler:Scheduler",
    # For health checks: beat answers them only while it sends tasks.
    "beat_enable_remote_control": True,
}
