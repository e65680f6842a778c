"""The adapter of TikTok by its Content Posting API."""

from __future__ import annotations

from datetime import timedelta

from fleet.adapters.base import Resolution
from fleet.adapters.manifest import (
    AdapterType,
    AuthKind,
    Capability,
    Labels,
    Limit,
    Operation,
    TextRule,
    TextUnit,
)
from fleet.adapters.tiktok.adapter import OAUTH, PICTURES, VIDEOS, TikTok
from fleet.adapters.webhook_signatures import TIKTOK

_CONSENT = (
    "TikTok's Content Sharing Guidelines: consent and a preview for each post, no default privacy; an audit refuses "
    "silent posting (read 2026-11-22)."
)
_NONE = "The API has none (read 2026-11-22)."
_MINUTE, _DAY = timedelta(minutes=1), timedelta(days=1)
_RATES = "Content Posting API reference, read 2026-11-22"

ADAPTER = AdapterType(
    name="tiktok",
    help="TikTok: videos and pictures, by default as drafts in the account's inbox, which a person posts in the app.",
    credentials='JSON: {"access_token": "...", "publish": "inbox" or "direct", "privacy_level": "SELF_ONLY"}',
    connect=TikTok,
    operations=(
        Operation(name="post", capability=Capability.WORKAROUND, unknown=Resolution.PROBE, needs_consent=True,
                  note="as a draft in the account's inbox; directly if the credentials say so", rule=_CONSENT),
        Operation(name="provision", unknown=Resolution.NATURAL, note="Looks up the account; creates none."),
        Operation(name="deprovision", unknown=Resolution.NATURAL, note="Forgets the account; deletes nothing."),
        Operation(name="comment", capability=Capability.UNSUPPORTED, rule=_NONE),
        Operation(name="like", capability=Capability.UNSUPPORTED, rule=_NONE),
        Operation(name="follow", capability=Capability.UNSUPPORTED, rule=_NONE),
        Operation(name="repost", capability=Capability.UNSUPPORTED, rule=_NONE),
        Operation(name="delete", capability=Capability.UNSUPPORTED, rule=_NONE),
        Operation(name="edit", capability=Capability.UNSUPPORTED, rule=_NONE),
        Operation(name="feed", note="The account's own videos."),
        Operation(name="item", note="The account's own videos."),
        Operation(name="posts", capability=Capability.UNSUPPORTED,
                  rule="TikTok gives a post no id that its list has, until people published it (read 2026-11-22)."),
        Operation(name="metrics", batch=20),
        Operation(name="check"),
    ),
    limits=(
        Limit(name="uploads", most=6, window=_MINUTE, cost=0, costs={"post": 1}, source=_RATES),
        Limit(name="posts", most=15, window=_DAY, cost=0, costs={"post": 1},
              source="about 15 a day, unpublished; 5 pending drafts in 24 hours (read 2026-11-22)"),
        Limit(name="reads", most=600, window=_MINUTE, cost=0, source=_RATES,
              costs={"feed": 1, "item": 1, "metrics": 1, "check": 1}),
    ),
    auth=AuthKind.OAUTH2,
    oauth=OAUTH,
    webhooks=TIKTOK,
    texts={"post": TextRule(most=2200, unit=TextUnit.UTF16, hashtags=100, best_hashtags=5, mentions=3, links=False,
                            line_breaks=0)},
    pictures=PICTURES,
    videos=VIDEOS,
    labels=Labels(
        account="none by the API; say it in the bio",
        post="is_aigc on videos that are posted directly; of drafts and pictures a person sets it in the app",
        source="TikTok Content Posting API, read 2026-11-22",
    ),
    pages="https://www.tiktok.com",
    docs="networks/tiktok.md",
)  # fmt: skip
