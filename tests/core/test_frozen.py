"""What a process loads at its start is left to it for good, and no look for garbage goes through it again."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests import ROOT

_AFTER = """
import gc
from celery import signals
import workers.app
signals.{signal}.send(sender=None)
gc.collect()
print(gc.get_freeze_count(), len(gc.get_objects()))
"""


def told_by(program: str) -> str:
    environment = {"FLEET_BROKER_URL": "memory://", "FLEET_DATABASE_URL": "postgresql+psycopg://nobody@127.0.0.1/none"}
    argv = [sys.executable, "-c", program]
    return subprocess.run(argv, cwd=ROOT, env=environment, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("signal", ["worker_ready", "worker_process_init"])
def test_a_worker_looks_through_nothing_that_was_there_at_its_start(signal: str) -> None:
    told = told_by(_AFTER.format(signal=signal))
    frozen, looked_through = map(int, told.split())
    assert frozen > 10_000 > looked_through


_BEFORE_FORK = """
from celery import signals
import workers.app, workers.tasks
from fleet.core.db import sql
signals.worker_init.send(sender=None)
print(len(sql._MADE), sum("_compiled" not in vars(one) for one in sql._MADE))
"""


def test_children_of_a_pool_find_every_statement_compiled() -> None:
    """Symptom: each of them compiled all again, and so did whoever took its place after a thousand tasks."""
    made, left = map(int, told_by(_BEFORE_FORK).split())
    assert (made > 20, left) == (True, 0)
