"""The adapter of Mastodon servers. What was read, and what could not be tried: docs/mastodon.md."""

from __future__ import annotations

from datetime import timedelta

from fleet.adapters.base import Resolution
from fleet.adapters.manifest import (
    AccountAccess,
    AdapterType,
    AuthKind,
    Labels,
    Limit,
    Operation,
)
from fleet.adapters.mastodon.adapter import OAUTH, PICTURES, TEXTS, Mastodon
from fleet.core.errors import InvalidInput

_NOBOT = "#nobot in the bio of the other account: the write is refused (a convention of the network, read 2026-11-22)."
_RATES = "rack_attack.rb and rate_limiter.rb of Mastodon, read 2026-11-22"


def _connect(access: AccountAccess) -> Mastodon:
    if not access.address:
        raise InvalidInput("The account has no server.", fix="Give its address, such as https://mastodon.example.")
    return Mastodon(access)


ADAPTER = AdapterType(
    name="mastodon",
    help="A Mastodon server: posts, threads, replies, favourites, boosts and follows of a bot account.",
    credentials="access token",
    connect=_connect,
    auth=AuthKind.OAUTH2,
    oauth=OAUTH,
    operations=(
        Operation(name="post", unknown=Resolution.RESEND_THEN_PROBE),
        Operation(name="comment", unknown=Resolution.RESEND_THEN_PROBE, rule=_NOBOT),
        Operation(name="like", unknown=Resolution.NATURAL, rule=_NOBOT),
        Operation(name="unlike", unknown=Resolution.NATURAL),
        Operation(name="repost", unknown=Resolution.NATURAL),
        Operation(name="unrepost", unknown=Resolution.NATURAL),
        Operation(name="follow", unknown=Resolution.NATURAL, rule=_NOBOT),
        Operation(name="unfollow", unknown=Resolution.NATURAL),
        Operation(name="edit", unknown=Resolution.NATURAL),
        Operation(name="delete", unknown=Resolution.NATURAL),
        Operation(name="provision", unknown=Resolution.NATURAL, note="Sets the flag bot and the bio."),
        Operation(name="deprovision", unknown=Resolution.NATURAL, note="Takes the line of Fleet out of the bio."),
        Operation(name="feed"),
        Operation(name="comments"),
        Operation(name="item"),
        Operation(name="posts"),
        Operation(name="notifications"),
        Operation(name="metrics", batch=20, note="Favourites, boosts, replies, followers; no views."),
        Operation(name="trends", note="Hashtags."),
        Operation(name="check"),
    ),
    limits=(
        Limit(name="calls", most=300, window=timedelta(minutes=5), source=_RATES, by_request=True),
        Limit(name="account calls", most=1500, window=timedelta(minutes=5), source=_RATES, by_request=True),
        Limit(
            name="posts",
            most=300,
            window=timedelta(hours=3),
            costs={"post": 1, "comment": 1, "repost": 1},
            cost=0,
            source=_RATES,
        ),
        Limit(
            name="removals",
            most=30,
            window=timedelta(minutes=30),
            costs={"delete": 1, "unrepost": 1},
            cost=0,
            source=_RATES,
        ),
        Limit(name="follows", most=400, window=timedelta(days=1), costs={"follow": 1}, cost=0, source=_RATES),
    ),
    texts=TEXTS,
    pictures=PICTURES,
    labels=Labels(account="bot", post="the label of its author's account", source="docs.joinmastodon.org"),
    docs="mastodon.md",
)
