"""Beat sleeps until the next message is due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from celery import Celery

from workers.scheduler import Scheduler

SECONDS = 60
ROUND_US = 20


class _Clocked(Celery):
    """A Celery app in a time of its own."""

    time = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time


class _Counting(Scheduler):
    """Counts messages instead of sending them."""

    sent = 0

    def apply_entry(self, *_: object, **__: object) -> None:
        self.sent += 1

    producer = None


def test_beat_sleeps_until_the_next_message_is_due() -> None:
    app = _Clocked("clocked", broker="memory://", set_as_current=False)
    app.conf.update(beat_schedule={"each second": {"task": "each.second", "schedule": 1.0}})
    beat = _Counting(app)
    rounds, end = 0, app.time + timedelta(seconds=SECONDS)
    while app.time < end:
        rounds += 1
        wait_s = beat.tick()
        app.time += timedelta(microseconds=ROUND_US, seconds=max(0.0, wait_s))
    assert SECONDS - 2 <= beat.sent <= SECONDS
    assert rounds <= 3 * SECONDS  # each message is sent in one round; another finds out how long to sleep
