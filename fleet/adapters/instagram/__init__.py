"""The adapter of Instagram's professional accounts by Meta's Graph API."""

from __future__ import annotations

from datetime import timedelta

from fleet.adapters.base import Resolution
from fleet.adapters.instagram.adapter import OAUTH, PICTURES, Instagram
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

_NONE = "Instagram's API has no likes, follows or reposts; automated ones are inauthentic engagement (read 2026-11-22)."
_PUBLIC = "Meta fetches each picture from a public https address of the picture store (docs/media.md)."
_DAY = timedelta(days=1)
_READS = ("feed", "comments", "item", "posts", "metrics", "check")

ADAPTER = AdapterType(
    name="instagram",
    help="Instagram (professional accounts): pictures, carousels, reels and stories, marked as made with AI.",
    credentials='JSON: {"access_token": "...", "user_id": "..."}',
    connect=Instagram,
    operations=(
        Operation(name="post", unknown=Resolution.PROBE, note=_PUBLIC),
        Operation(name="comment", unknown=Resolution.PROBE, note="On the account's own media."),
        Operation(name="delete", unknown=Resolution.NATURAL, note="Only with Facebook Login (graph.facebook.com)."),
        Operation(name="provision", unknown=Resolution.NATURAL, note="Looks up the account; creates none."),
        Operation(name="deprovision", unknown=Resolution.NATURAL, note="Forgets the account; deletes nothing."),
        Operation(name="like", capability=Capability.UNSUPPORTED, rule=_NONE),
        Operation(name="follow", capability=Capability.UNSUPPORTED, rule=_NONE),
        Operation(name="repost", capability=Capability.UNSUPPORTED, rule=_NONE),
        Operation(name="edit", capability=Capability.UNSUPPORTED, rule="The API edits no captions (read 2026-11-22)."),
        Operation(name="feed", note="The account's own media."),
        Operation(name="comments", note="Of the account's own media."),
        Operation(name="item", note="The account's own media."),
        Operation(name="posts", note="The account's own media."),
        Operation(name="metrics", note="Up to 48 hours late."),
        Operation(name="check"),
    ),
    limits=(
        Limit(name="posts", most=50, window=_DAY, cost=0, costs={"post": 1},
              source="content_publishing_limit: Meta's pages say 50 and 100 in 24 hours, read 2026-11-22"),
        Limit(name="calls", most=200, window=timedelta(hours=1), costs=dict.fromkeys(_READS, 1),
              source="Graph API rate limits: 200 an hour and user, read 2026-11-22"),
    ),
    auth=AuthKind.OAUTH2,
    oauth=OAUTH,
    webhooks=META,
    texts={
        "post": TextRule(most=2200, hashtags=5, best_hashtags=5, mentions=20, links=False),
        "comment": TextRule(most=2200, hashtags=4, mentions=3, links=False),
        "alt_text": TextRule(most=1000, links=False),
    },
    pictures=PICTURES,
    videos=MediaRule(most=1, types=("video/mp4", "video/quicktime"), most_bytes=300_000_000, best_ratio=9 / 16,
                     min_seconds=3, max_seconds=900),
    labels=Labels(
        account="none by the API; say it in the bio",
        post="is_ai_generated, on each container (of a carousel, on the parent)",
        source="Instagram changelog of 2026-06-22, read 2026-11-22",
    ),
    pages="https://www.instagram.com",
    docs="networks/instagram.md",
)  # fmt: skip
