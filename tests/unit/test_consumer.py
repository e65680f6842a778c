"""Which of beat's messages a worker takes: one of a pile, whatever the clock on its wall says."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.core import clock
from workers.consumer import Periodic

LONG_AGO = "2020-01-01T00:00:00+00:00"


@pytest.fixture
def time_s(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The rising clock, in the test's hands."""
    now_s = [100.0]
    monkeypatch.setattr(clock, "monotonic_s", lambda: now_s[0])
    return now_s


def beats(task: str = "fleet.dispatch") -> dict[str, Any]:
    return {"task": task, "expires": LONG_AGO}


def test_of_a_pile_one_is_taken(time_s: list[float]) -> None:
    periodic = Periodic()
    assert [periodic.is_echo(beats()) for _ in range(3)] == [False, True, True]
    assert not periodic.is_echo(beats("fleet.sweep")), "each task has a pile of its own"
    time_s[0] += 1.0
    assert not periodic.is_echo(beats()), "who comes in time is no echo"


def test_what_expired_by_this_clock_is_taken_all_the_same(time_s: list[float]) -> None:
    headers = beats()
    assert not Periodic().is_echo(headers)
    assert headers["expires"] is None, "Celery would compare it with the clock on the wall"


def test_messages_about_jobs_are_never_echoes(time_s: list[float]) -> None:
    periodic = Periodic()
    assert not any(periodic.is_echo({"task": "fleet.post", "expires": None}) for _ in range(3))
