"""The kind of job that measures an account and its posts."""

from __future__ import annotations

from datetime import timedelta

from fleet.engine.policy import Priority, RetryPolicy
from fleet.engine.registry import JobHandler

MEASURE = "measure_account"
MEASURE_ACCOUNT = JobHandler(
    kind=MEASURE,
    noun="a measurement of an account",
    plural="measurements of accounts",
    prepare="fleet.features.engagement.collect:prepare",
    priority=Priority.LOW,
    retry=RetryPolicy(),
    expires_after=timedelta(hours=2),
    is_act=False,
    uses_surface=False,
)
"""It reads and writes nothing outside: a repetition is harmless. The kill switch and pauses delay it."""
