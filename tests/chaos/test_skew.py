"""A worker with a wrong clock: what is wrong in it, and what stays right."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

_SCRIPT = """
import json, sys, time
from fleet.chaos.world.skew import skew
from fleet.core import clock
before, rising = time.time(), time.monotonic()
skew(float(sys.argv[1]))
from celery import Celery
from celery.worker import request
from datetime import UTC, datetime, timedelta
print(json.dumps({
    "time": time.time() - before,
    "clock": clock.now().timestamp() - before,
    "celery": request.datetime.now(UTC).timestamp() - before,
    "aware": clock.now().utcoffset() == timedelta(0),
    "monotonic": time.monotonic() - rising,
    "datetime": datetime.now(UTC).timestamp() - before,
}))
"""


@pytest.mark.parametrize("by_s", [3600.0, -3600.0])
def test_the_wall_clock_of_celery_and_fleet_is_wrong_and_nothing_else(by_s: float) -> None:
    done = subprocess.run([sys.executable, "-c", _SCRIPT, str(by_s)], capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    for skewed in ("time", "clock", "celery"):
        assert told[skewed] == pytest.approx(by_s, abs=60), skewed
    for right in ("monotonic", "datetime"):
        assert told[right] == pytest.approx(0, abs=60), right
    assert told["aware"]


def test_this_process_is_left_alone() -> None:
    from fleet.core import clock

    assert clock.now().timestamp() == pytest.approx(time.time(), abs=5)


def test_it_becomes_celery() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "fleet.chaos.world.skew", "3600", "--version"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("5.")
