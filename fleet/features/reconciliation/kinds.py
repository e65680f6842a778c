"""The jobs of this feature and the types of event, as they are registered in feature.py."""

from __future__ import annotations

from datetime import timedelta

from fleet.engine.policy import Priority
from fleet.engine.registry import EventType, FollowUp, JobHandler
from fleet.features.stores.kinds import WRITES

RECONCILE_STORE = JobHandler(
    kind="reconcile_store", noun="a comparison of a store", plural="comparisons of stores",
    prepare="fleet.features.reconciliation.compare.run:prepare", expires_after=timedelta(hours=6),
)  # fmt: skip
RECONCILE_POSTS = JobHandler(
    kind="reconcile_posts", noun="a comparison of posts", plural="comparisons of posts",
    prepare="fleet.features.reconciliation.posts.run:prepare", priority=Priority.LOW, expires_after=timedelta(hours=6),
    is_act=False,
)  # fmt: skip
"""It reads an account's posts and writes nothing outside. The kill switch and a pause of the account delay it."""
FOLLOW_UPS = tuple(FollowUp(kind=kind, run="fleet.features.reconciliation.fixes.jobs:written") for kind in WRITES)
_PAGE = "trouble"
EVENTS = (
    EventType(subject="reconciliation.moved", words="compares {store}: {step}, {read} read", sign="⇄", icon="again",
              is_quiet=True),
    EventType(subject="reconciliation.done", words="compared {store}: {found} discrepancies, {fixed} to fix", sign="⇄",
              icon="again"),
    EventType(subject="reconciliation.failed", words="could not compare {store}", reason=("why",), sign="✖",
              tone="yellow", icon="stop", family=_PAGE),
    EventType(subject="discrepancy.found", words="{about:160} differs at {store}: {type}, {severity}", sign="≠",
              tone="yellow", icon="unknown", family=_PAGE),
    EventType(subject="discrepancy.critical", words="{about:160} differs at {store}: {local} here, {remote} there",
              sign="!", tone="bold red", icon="stop", family=_PAGE),
    EventType(subject="discrepancy.fixed", words="fixed {about:160} at {store}", sign="✔", tone="green", icon="again"),
    EventType(subject="discrepancy.undone", words="undid the fix of {about:160} at {store}", sign="↶", icon="hand",
              family="people"),
    EventType(subject="discrepancy.dismissed", words="dismissed the difference of {about:160} at {store}, by {by}",
              sign="–", icon="hand", family="people"),
    EventType(subject="discrepancy.accepted", words="accepted {about:160} as {store} shows it, by {by}", sign="✔",
              icon="hand", family="people"),
)  # fmt: skip
