"""The adapter of the AT Protocol: Bluesky and every other server of that network."""

from __future__ import annotations

from fleet.adapters.atproto.adapter import AtProto
from fleet.adapters.atproto.manifest import LABELS, LIMITS, OPERATIONS, PAGES, PICTURES
from fleet.adapters.atproto.records import ALT_TEXT, BIO, POST_TEXT
from fleet.adapters.manifest import AdapterType, AuthKind

ADAPTER = AdapterType(
    name="atproto",
    help="The AT Protocol: Bluesky, or a server of yours.",
    credentials="handle and app password (ada.example.org:abcd-efgh-ijkl-mnop)",
    connect=AtProto,
    operations=OPERATIONS,
    limits=LIMITS,
    auth=AuthKind.APP_PASSWORD,
    texts={"post": POST_TEXT, "comment": POST_TEXT, "alt_text": ALT_TEXT, "bio": BIO},
    pictures=PICTURES,
    labels=LABELS,
    pages=PAGES,
    docs="atproto.md",
)
