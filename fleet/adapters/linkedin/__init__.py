"""The adapter of LinkedIn by its versioned API: organisations and members."""

from __future__ import annotations

from datetime import timedelta

from fleet.adapters.base import Resolution
from fleet.adapters.linkedin.adapter import OAUTH, PICTURES, LinkedIn
from fleet.adapters.linkedin.uploads import VIDEOS
from fleet.adapters.manifest import (
    AdapterType,
    AuthKind,
    Capability,
    Labels,
    Limit,
    Operation,
    TextRule,
)
from fleet.adapters.webhook_signatures import LINKEDIN

_AGREEMENT = (
    "LinkedIn's user agreement 8.2 forbids bots that create, comment, like or share, except through approved API "
    "products (read 2026-11-22)."
)
_UNPUBLISHED = "LinkedIn publishes no numbers; about 150 posts a day [Ayrshare's documentation, read 2026-11-22]"

ADAPTER = AdapterType(
    name="linkedin",
    help="LinkedIn: posts of an organisation's page or of a member, with pictures, links and hashtags.",
    credentials='JSON: {"access_token": "...", "author": "urn:li:organization:..." or "urn:li:person:...", '
    '"label": "Made with AI."}',
    connect=LinkedIn,
    operations=(
        Operation(name="post", unknown=Resolution.PROBE, needs_consent=True, rule=_AGREEMENT),
        Operation(name="comment", unknown=Resolution.PROBE, is_on=False, needs_consent=True, rule=_AGREEMENT),
        Operation(name="repost", unknown=Resolution.PROBE, is_on=False, needs_consent=True, rule=_AGREEMENT),
        Operation(name="like", unknown=Resolution.NATURAL, is_on=False, rule=f"Organisations only. {_AGREEMENT}"),
        Operation(name="unlike", unknown=Resolution.NATURAL),
        Operation(name="edit", unknown=Resolution.NATURAL),
        Operation(name="delete", unknown=Resolution.NATURAL),
        Operation(name="provision", unknown=Resolution.NATURAL, note="Looks up the account; creates none."),
        Operation(name="deprovision", unknown=Resolution.NATURAL, note="Forgets the account; deletes nothing."),
        Operation(name="follow", capability=Capability.UNSUPPORTED, rule=_AGREEMENT),
        Operation(name="feed", note="Own posts of an organisation; members' posts cannot be read."),
        Operation(name="comments", note="Of an organisation's posts."),
        Operation(name="item", note="Of an organisation's posts."),
        Operation(name="posts", is_on=False, note="Own posts of an organisation.",
                  rule="LinkedIn shows the posts of organisations alone, not those of members (read 2026-11-22)."),
        Operation(name="metrics", batch=20, note="Of an organisation; those of members need a restricted scope."),
        Operation(name="check"),
    ),
    limits=(
        Limit(name="posts", most=150, window=timedelta(days=1), cost=0, costs={"post": 1, "repost": 1},
              source=_UNPUBLISHED),
    ),
    auth=AuthKind.OAUTH2,
    oauth=OAUTH,
    webhooks=LINKEDIN,
    texts={
        "post": TextRule(most=3000, hashtags=5, best_hashtags=3, mentions=3),
        "comment": TextRule(most=1250, hashtags=0),
        "alt_text": TextRule(most=4086, links=False),
    },
    pictures=PICTURES,
    videos=VIDEOS,
    labels=Labels(
        account="none: LinkedIn has no mark of automated accounts",
        post="words at the end of the text (`label` of the credentials); LinkedIn shows C2PA of signed pictures",
        source="LinkedIn Posts API (no field found), read 2026-11-22",
    ),
    pages="https://www.linkedin.com",
    docs="networks/linkedin.md",
)  # fmt: skip
