"""The adapter of Facebook's Pages by Meta's Graph API."""

from __future__ import annotations

from datetime import timedelta

from fleet.adapters.base import Resolution
from fleet.adapters.facebook.adapter import OAUTH, PICTURES, Facebook
from fleet.adapters.manifest import (
    AdapterType,
    AuthKind,
    Capability,
    Labels,
    Limit,
    MediaRule,
    Operation,
    TextRule,
)
from fleet.adapters.webhook_signatures import META

_ENGAGEMENT = "Meta forbids inauthentic engagement (transparency.meta.com, read 2026-11-22)"
_DAY = timedelta(days=1)

ADAPTER = AdapterType(
    name="facebook",
    help="Facebook Pages: posts with pictures, links and reels; comments and likes as the page.",
    credentials='JSON: {"access_token": "...", "page_id": "...", "label": "Made with AI."}',
    connect=Facebook,
    operations=(
        Operation(name="post", unknown=Resolution.PROBE, note="Posts, reels, stories; events are closed to new apps."),
        Operation(name="comment", unknown=Resolution.PROBE, note="As the page."),
        Operation(name="like", capability=Capability.WORKAROUND, unknown=Resolution.NATURAL, is_on=False,
                  note="as the page, on its own posts", rule=f"{_ENGAGEMENT}."),
        Operation(name="unlike", unknown=Resolution.NATURAL),
        Operation(name="edit", unknown=Resolution.NATURAL),
        Operation(name="delete", unknown=Resolution.NATURAL),
        Operation(name="provision", unknown=Resolution.NATURAL, note="Looks up the page; creates none."),
        Operation(name="deprovision", unknown=Resolution.NATURAL, note="Forgets the page; deletes nothing."),
        Operation(name="follow", capability=Capability.UNSUPPORTED, rule=f"{_ENGAGEMENT}; the API has no follows."),
        Operation(name="repost", capability=Capability.UNSUPPORTED, rule="The API shares no posts (read 2026-11-22)."),
        Operation(name="feed", note="The page's own posts."),
        Operation(name="comments"),
        Operation(name="item"),
        Operation(name="posts", note="The page's own posts."),
        Operation(name="metrics"),
        Operation(name="check"),
    ),
    limits=(
        Limit(name="reels", most=30, window=_DAY, cost=0, costs={"post": 1},
              source="Reels Publishing API: 30 in 24 hours; used for all posts, read 2026-11-22"),
    ),
    auth=AuthKind.OAUTH2,
    oauth=OAUTH,
    webhooks=META,
    texts={
        "post": TextRule(most=63_206, hashtags=30, best_hashtags=3, mentions=3),
        "comment": TextRule(most=8_000, mentions=3),
        "alt_text": TextRule(most=1000, links=False),
    },
    pictures=PICTURES,
    videos=MediaRule(most=1, types=("video/mp4",), most_bytes=1_000_000_000, best_ratio=9 / 16, min_width=540,
                     min_seconds=3, max_seconds=90),
    labels=Labels(
        account="none by the API; say it in the page's description",
        post="is_ai_generated on reels, DigitalSourceType in the XMP of pictures, words at the end of other posts",
        source="Graph API SDK 26.0.3 (is_ai_generated on video_reels alone), read 2026-11-22",
    ),
    pages="https://www.facebook.com",
    docs="networks/facebook.md",
)  # fmt: skip
