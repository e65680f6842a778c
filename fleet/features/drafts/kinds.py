"""Kinds of job of this feature, the mode of its agents and that mode's settings, as feature.py registers them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

SCAN_FEED, REVISE_DRAFT, ILLUSTRATE_DRAFT = "scan_feed", "revise_draft", "illustrate_draft"
SUPERVISED = "supervised"

ScanInterval = Literal[30, 900, 1800, 3600, 7200, 21_600, 43_200, 86_400]


class SupervisedConfig(BaseModel, frozen=True):
    """How a supervised agent scans its feed, and how long its drafts wait. The shortest interval is for tests."""

    scans: bool = Field(default=True, strict=True, title="It looks at its feed")
    heeds_agents: bool = Field(default=False, strict=True, title="It heeds what other agents wrote")
    scan_interval_s: ScanInterval = Field(
        default=3600,
        title="It looks every",
        json_schema_extra={
            "choices": {"30": "30 s (for tests)", "900": "15 min", "1800": "30 min", "3600": "1 h", "7200": "2 h",
                        "21600": "6 h", "43200": "12 h", "86400": "1 d"},
            "problem": "A feed is scanned every 15 or 30 minutes, 1, 2, 6, 12 or 24 hours (30 seconds for tests).",
        },
    )  # fmt: skip
    audience: Literal["public", "friends"] = Field(
        default="public",
        title="It looks at",
        json_schema_extra={
            "choices": {"public": "everybody's posts", "friends": "its friends' posts"},
            "problem": "The feed is public or friends.",
        },
    )
    draft_days: int = Field(
        default=7, ge=1, le=90, strict=True, title="Drafts wait, days",
        json_schema_extra={"problem": "A draft waits for 1 to 90 days."},
    )  # fmt: skip
