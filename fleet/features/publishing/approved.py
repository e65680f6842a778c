"""Jobs whose content a person approved: the content, and whether it may still be published.

The feature that requested the approval decides that ("publishing.approved").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fleet.engine import registry
from fleet.engine.attempts.work import Work
from fleet.engine.jobs.outcomes import Skipped


def content_of(work: Work) -> Mapping[str, Any] | None:
    """Return the approved content that a job publishes; None for a job without an approval."""
    found: Mapping[str, Any] | None = work.claim.payload.get("content") if "draft" in work.claim.payload else None
    return found


def why_not(work: Work) -> Skipped | None:
    """Return why the job's content must not be published any more, if something is against it."""
    for check in registry.current().extensions("publishing.approved"):
        skipped: Skipped | None = check(work)
        if skipped is not None:
            return skipped
    return None
