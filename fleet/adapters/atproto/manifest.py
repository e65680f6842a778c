"""What Fleet does on the AT Protocol, its limits and its rules; docs/atproto.md says what was read, and when."""

from __future__ import annotations

from datetime import timedelta

from fleet.adapters.base import Resolution
from fleet.adapters.manifest import Capability, Labels, Limit, LimitScope, MediaRule, Operation

PAGES = "https://bsky.app"
_OPT_IN = (
    "Bots like, repost and reply only where a user tagged them (docs.bsky.app, starter templates: bots; 2026-11-22)."
)
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_POINTS = {
    "post": 2, "comment": 2, "like": 2, "repost": 2, "follow": 2, "edit": 2, "provision": 2,
    "unlike": 1, "unrepost": 1, "unfollow": 1, "delete": 1,
}  # fmt: skip

PICTURES = MediaRule(most=4, types=("image/jpeg", "image/png", "image/webp"), most_bytes=2_000_000, alt_text=1000)
THUMB = MediaRule(most=1, types=("image/jpeg", "image/png", "image/webp"), most_bytes=1_000_000)
OPERATIONS = (
    Operation(name="post", unknown=Resolution.PROBE),
    Operation(name="comment", unknown=Resolution.PROBE, rule=_OPT_IN),
    Operation(name="like", unknown=Resolution.NATURAL, is_on=False, rule=_OPT_IN),
    Operation(name="repost", unknown=Resolution.NATURAL, is_on=False, rule=_OPT_IN),
    Operation(name="follow", unknown=Resolution.NATURAL, is_on=False, rule=_OPT_IN),
    Operation(name="unlike", unknown=Resolution.NATURAL),
    Operation(name="unrepost", unknown=Resolution.NATURAL),
    Operation(name="unfollow", unknown=Resolution.NATURAL),
    Operation(name="delete", unknown=Resolution.NATURAL),
    Operation(
        name="edit", capability=Capability.WORKAROUND, unknown=Resolution.NATURAL,
        note="The record is replaced; apps do not mark it as edited, and replies keep the version that they saw.",
    ),
    Operation(name="provision", unknown=Resolution.NATURAL, note="Labels the profile; the account exists before."),
    Operation(name="deprovision", unknown=Resolution.NATURAL, note="Ends the session; account and label stay."),
    Operation(name="feed", note="The timeline of the account: it shows accounts that it follows."),
    Operation(name="comments"),
    Operation(name="item"),
    Operation(name="posts", note="The records of the account's repository."),
    Operation(name="notifications"),
    Operation(name="metrics", batch=25, note="Likes, reposts, replies and quotes; the network counts no views."),
    Operation(name="check"),
    Operation(
        name="trends", capability=Capability.UNSUPPORTED,
        rule="Only unstable, unspecified calls of one AppView (app.bsky.unspecced; 2026-11-22).",
    ),
)  # fmt: skip
WRITES = {one.name: one.unknown for one in OPERATIONS if one.unknown is not None}
LIMITS = (
    Limit(name="points an hour", most=5000, window=_HOUR, costs=_POINTS, cost=0, source="docs.bsky.app, rate limits"),
    Limit(name="points a day", most=35_000, window=_DAY, costs=_POINTS, cost=0, source="docs.bsky.app, rate limits"),
    Limit(
        name="calls in 5 minutes", most=3000, window=timedelta(minutes=5), scope=LimitScope.HOST,
        by_request=True, source="docs.bsky.app, rate limits: by IP address",
    ),
)  # fmt: skip
LABELS = Labels(
    account="the self-label bot on its profile, and a line that names the operator",
    post="the label of its author's account",
    source="app.bsky.actor.profile; docs.bsky.app, starter templates: bots",
)
