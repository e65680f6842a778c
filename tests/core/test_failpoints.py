"""Failpoints: silent when off, taken by one process only, and able to kill and to suspend a real one."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.core import failpoints
from fleet.core.errors import InvalidInput
from fleet.core.failpoints import Point, Strike

REACHES = """
import sys
from pathlib import Path
from fleet.core import failpoints
failpoints.arm(failpoints.strikes_from(Path(sys.argv[1])))
failpoints.reach(failpoints.Point.JOB_CLAIMED)
failpoints.reach(failpoints.Point.JOB_SENT)
print("survived")
"""

IN_A_THREAD = """
import os, sys, threading
from pathlib import Path
from fleet.core import failpoints
failpoints.arm(failpoints.strikes_from(Path(sys.argv[1])))
def work():
    failpoints.reach(failpoints.Point.JOB_CLAIMED)
    os.write(1, b"ran on")
thread = threading.Thread(target=work)
thread.start()
thread.join()
"""


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    failpoints.arm(None)


def process(folder: Path, program: str = REACHES) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", program, str(folder)], stdout=subprocess.PIPE)


def test_an_armed_process_is_killed_at_the_point_and_the_next_one_lives(tmp_path: Path) -> None:
    failpoints.lay(tmp_path, Point.JOB_SENT, Strike.KILL)
    first = process(tmp_path)
    assert first.communicate()[0] == b""
    assert first.returncode == -signal.SIGKILL
    assert failpoints.suffered(tmp_path, Point.JOB_SENT) == [first.pid]
    second = process(tmp_path)
    assert b"survived" in second.communicate()[0]


def test_a_suspended_process_resumes(tmp_path: Path) -> None:
    failpoints.lay(tmp_path, Point.JOB_CLAIMED, Strike.STOP)
    stopped = process(tmp_path)
    _, status = os.waitpid(stopped.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    assert failpoints.suffered(tmp_path, Point.JOB_CLAIMED) == [stopped.pid]
    stopped.send_signal(signal.SIGCONT)
    assert b"survived" in stopped.communicate()[0]


def test_a_thread_among_others_is_suspended_at_the_point_and_not_a_moment_later(tmp_path: Path) -> None:
    for _ in range(5):
        failpoints.lay(tmp_path, Point.JOB_CLAIMED, Strike.STOP)
        stopped = process(tmp_path, IN_A_THREAD)
        os.waitpid(stopped.pid, os.WUNTRACED)
        assert stopped.stdout is not None
        assert select.select([stopped.stdout], [], [], 0)[0] == [], "it had gone on"
        stopped.send_signal(signal.SIGCONT)
        assert stopped.communicate()[0] == b"ran on"


def test_a_strike_can_be_taken_back_until_somebody_has_suffered_it(tmp_path: Path) -> None:
    failpoints.lay(tmp_path, Point.JOB_SENT, Strike.KILL)
    assert failpoints.take_back(tmp_path, Point.JOB_SENT)
    assert not failpoints.take_back(tmp_path, Point.JOB_SENT)
    assert b"survived" in process(tmp_path).communicate()[0]
    assert failpoints.suffered(tmp_path, Point.JOB_SENT) == []


def test_what_is_not_armed_reaches_every_point_unharmed(tmp_path: Path) -> None:
    failpoints.lay(tmp_path, Point.JOB_SENT, Strike.KILL)
    for point in Point:
        failpoints.reach(point)


def test_a_missing_folder_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="is no folder"):
        failpoints.strikes_from(tmp_path / "nowhere")
