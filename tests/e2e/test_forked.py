"""Copies of the process that has loaded Fleet end with the run of the tests that started them."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.factories import WITHIN_S

ROOT = Path(__file__).parents[2]
RUN = """
import os, sys
from pathlib import Path
from multiprocessing import forkserver
from tests.e2e import forked

forked._SERVER.set_forkserver_preload([])
copy = forked.Forked(("http.server", "--bind", "127.0.0.1", "0"), dict(os.environ), Path.cwd(), Path(sys.argv[1]))
print(copy.pid, forkserver._forkserver._forkserver_pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.e2e
def test_a_copy_and_its_server_end_when_the_run_is_killed(tmp_path: Path) -> None:
    """Symptom: a test left a copy behind; it and the server, 200 MB, lived until the machine was restarted."""
    with subprocess.Popen(
        [sys.executable, "-c", RUN, str(tmp_path / "log")], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as run:
        assert run.stdout is not None
        pids = [int(pid) for pid in run.stdout.readline().split()]
        ends = [os.pidfd_open(pid) for pid in pids]
        run.kill()
    try:
        left = [pid for pid, end in zip(pids, ends, strict=True) if not select.select([end], [], [], WITHIN_S)[0]]
    finally:
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
    assert left == []
