"""The adapter of X by its API v2."""

from __future__ import annotations

from datetime import timedelta

from fleet.adapters.base import Resolution
from fleet.adapters.manifest import (
    AdapterType,
    AuthKind,
    Capability,
    Labels,
    Limit,
    LimitScope,
    MediaRule,
    Operation,
    TextRule,
    TextUnit,
)
from fleet.adapters.webhook_signatures import X_ACTIVITY
from fleet.adapters.x.adapter import OAUTH, PICTURES, X

_PRICING = "docs.x.com pricing and changelog, read 2026-11-22"
_REPLIES = (
    "Since 2026-02-23 an app may reply only where the author mentioned or quoted the account; replies by AI need "
)
_REPLIES += "X's approval (X automation rules and changelog, read 2026-11-22)."
_GONE = "Likes, follows and quote posts left the self-serve API on 2026-04-20 (X changelog, read 2026-11-22)."
_BULK = "X's automation rules forbid automated reposts in bulk (read 2026-11-22)."
_READ_NAMES = ("feed", "comments", "item", "notifications", "posts", "metrics", "check")
_READS = "Reading posts is charged by the post (X pricing, read 2026-11-22)."
_QUARTER, _DAY = timedelta(minutes=15), timedelta(days=1)

ADAPTER = AdapterType(
    name="x",
    help="X: posts with pictures and alt text, marked as made with AI; replies only to people who mention the account.",
    credentials='JSON: {"access_token": "...", "user_id": "..."} (user_id may be left out)',
    connect=X,
    operations=(
        Operation(name="post", unknown=Resolution.PROBE, usd=0.015,
                  note="A post with a URL costs $0.20, another one $0.015."),
        Operation(name="comment", capability=Capability.WORKAROUND, unknown=Resolution.PROBE, is_on=False,
                  needs_consent=True, usd=0.015, note="only to posts that mention or quote the account", rule=_REPLIES),
        Operation(name="delete", unknown=Resolution.NATURAL),
        Operation(name="repost", unknown=Resolution.NATURAL, is_on=False, rule=_BULK),
        Operation(name="unrepost", unknown=Resolution.NATURAL),
        Operation(name="provision", unknown=Resolution.NATURAL, note="Looks up the account; creates none."),
        Operation(name="deprovision", unknown=Resolution.NATURAL, note="Forgets the account; deletes nothing."),
        Operation(name="like", capability=Capability.UNSUPPORTED, rule=_GONE),
        Operation(name="unlike", capability=Capability.UNSUPPORTED, rule=_GONE),
        Operation(name="follow", capability=Capability.UNSUPPORTED, rule=_GONE),
        Operation(name="unfollow", capability=Capability.UNSUPPORTED, rule=_GONE),
        Operation(name="edit", capability=Capability.UNSUPPORTED, rule="Only Premium accounts, for an hour."),
        Operation(name="feed", usd=0.005, note="Each post that is read costs $0.005."),
        Operation(name="comments", usd=0.005, note="Each post that is read costs $0.005."),
        Operation(name="item"),
        Operation(name="posts", is_on=False, usd=0.005, note="Each post that is read costs $0.005.", rule=_READS),
        Operation(name="notifications", note="Mentions."),
        Operation(name="metrics", batch=100),
        Operation(name="check"),
    ),
    limits=(
        Limit(name="writes", most=100, window=_QUARTER, source=_PRICING,
              costs=dict.fromkeys((*_READ_NAMES, "delete"), 0)),
        Limit(name="deletes", most=50, window=_QUARTER, cost=0, costs={"delete": 1}, source=_PRICING),
        Limit(name="app_writes", most=10_000, window=_DAY, scope=LimitScope.APP, cost=0, source=_PRICING,
              costs={"post": 1, "comment": 1}),
        Limit(name="mentions", most=300, window=_QUARTER, cost=0, costs={"notifications": 1}, source=_PRICING),
    ),
    auth=AuthKind.OAUTH2,
    oauth=OAUTH,
    webhooks=X_ACTIVITY,
    texts={
        "post": TextRule(most=280, unit=TextUnit.WEIGHTED, url_length=23, hashtags=10, best_hashtags=2, mentions=1),
        "comment": TextRule(most=280, unit=TextUnit.WEIGHTED, url_length=23, hashtags=10, best_hashtags=0, mentions=1),
        "alt_text": TextRule(most=1000, links=False),
    },
    pictures=PICTURES,
    videos=MediaRule(most=1, types=("video/mp4",), most_bytes=512_000_000, min_seconds=0.5, max_seconds=140),
    labels=Labels(
        account="the label Automated, which a person sets in the account's settings on X",
        post="made_with_ai, on each post",
        source="X API: POST /2/tweets (OpenAPI 2.167), read 2026-11-22",
    ),
    pages="https://x.com",
    docs="networks/x.md",
)  # fmt: skip
