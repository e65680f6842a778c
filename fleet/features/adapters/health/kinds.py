"""The kind of job that checks an account."""

from __future__ import annotations

from datetime import timedelta

from fleet.engine.policy import Priority, RetryPolicy
from fleet.engine.registry import JobHandler

CHECK = "check_account"
CHECK_ACCOUNT = JobHandler(
    kind=CHECK,
    noun="a check of an account",
    plural="checks of accounts",
    prepare="fleet.features.adapters.health.checks:prepare",
    priority=Priority.LOW,
    retry=RetryPolicy(max_attempts=1),
    expires_after=timedelta(minutes=10),
    is_act=False,
    is_notice=True,
    uses_surface=False,
)
