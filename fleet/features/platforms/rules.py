"""The decisions of an agent of a platform: what it answers, when it posts, and whom it leaves alone. Pure.

People come first: an open mention or reply is answered before anything else is done. A post is due at the hours of the
platform. What is left is drawn by weights, as publishing agents do.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from fleet.adapters.gateway import wait_for
from fleet.adapters.social import COMMENT, FOLLOW, POST, REPOST
from fleet.features.platforms.inbox.triage import OpenItem
from fleet.features.publishing import rules as publishing
from fleet.features.publishing.rules import FeedObservation, Plan, PublishingDecision, SeenItem

SLOT_OPEN_FOR = timedelta(hours=2)
"""A post that was due longer ago is left out; the next hour comes."""
MOST_ANSWERS = 3
"""In one tick; each waits for its cap besides."""
OWN_ACTIONS = (REPOST, FOLLOW)
_TARGETS: Mapping[str | None, str] = {REPOST.name: "id", FOLLOW.name: "author_id"}


@dataclass(frozen=True, slots=True)
class PlatformObservation:
    """All that a decision rests on. `slot` is the hour of the post that is due, in words: "12:00".

    `feed` and the rest of `publishing` are without people who want to be left alone. `offered` names the reposts and
    follows that the platform and the agent's owner allow.
    """

    publishing: FeedObservation
    inbox: tuple[OpenItem, ...] = ()
    slot: str | None = None
    offered: tuple[str, ...] = ()
    done: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By action, the targets in the feed that the agent has reposted or followed."""
    author_ids: Mapping[str, str] = field(default_factory=dict)
    """By post in the feed, the id of its author."""
    formats: Mapping[str, float] = field(default_factory=dict)
    """The weights of the formats of posts that its platform has; empty for plain posts."""
    topics: Mapping[str, float] = field(default_factory=dict)
    """The weights of the topics of its posts; empty for those of its persona."""


def due_slot(local: datetime, hours: Collection[int], days: Collection[int], last: datetime | None) -> datetime | None:
    """Return the hour of today at which a post is due: begun at most two hours ago, and not posted since.

    `local` and `last` are on the persona's clocks; days count from 0 = Sunday.
    """
    if (local.weekday() + 1) % 7 not in days:
        return None
    begun = [local.replace(hour=hour, minute=0, second=0, microsecond=0) for hour in hours if hour <= local.hour]
    latest = max(begun, default=None)
    if latest is None or local - latest >= SLOT_OPEN_FOR or (last is not None and last >= latest):
        return None
    return latest


def decide(moment: PlatformObservation, dice: random.Random) -> PublishingDecision:
    """Choose what to do now. The same observation and random numbers give the same decision."""
    common = moment.publishing
    if not common.has_account or common.asked_for in (*publishing.ACTIONS, "provision"):
        return publishing.decide(common, dice)
    if common.asked_for is None:
        answers = _answers(moment)
        if answers:
            whom = answers[0].payload["author_name"] or answers[0].payload["author"]
            others = f" and {len(answers) - 1} more" if len(answers) > 1 else ""
            return PublishingDecision("comment", f"I answer {whom}{others}.", {}, answers)
        if moment.slot is not None and _may(moment, POST.name) and not common.posting:
            return PublishingDecision("post", f"It is {moment.slot}: time for a post.", {}, (_post(moment, dice),))
    return _draw(moment, dice)


def _post(moment: PlatformObservation, dice: random.Random) -> Plan:
    """Draw the format and the topic of a post. Without weights nothing is drawn, so that older decisions repeat."""
    name, topic = _drawn(moment.formats, dice) or "post", _drawn(moment.topics, dice)
    payload = {"format": name} if name != "post" else {}
    return Plan("post", payload=payload | ({"topic": topic} if topic else {}))


def _drawn(found: Mapping[str, float], dice: random.Random) -> str:
    weights = {name: weight for name, weight in found.items() if weight > 0}
    return dice.choices([*weights], weights=[*weights.values()])[0] if weights else ""


def _may(moment: PlatformObservation, action: str) -> bool:
    common = moment.publishing
    cap = {one.name: one for one in (POST, COMMENT, *OWN_ACTIONS)}[action]
    return (
        action not in common.held_kinds
        and action not in common.waits
        and wait_for(cap, common.usage, common.caps, common.now) is None
    )


def _answers(moment: PlatformObservation) -> tuple[Plan, ...]:
    if not _may(moment, COMMENT.name):
        return ()
    return tuple(
        Plan("comment", one.item_id, {
            "author": one.author, "author_name": one.author_name, "author_id": one.author_id, "comments": 0, "ours": 0,
            "caption": one.text[: publishing.LONGEST_CAPTION_CHARS], "inbox": one.id,
        })
        for one in moment.inbox[:MOST_ANSWERS]
    )  # fmt: skip


def _draw(moment: PlatformObservation, dice: random.Random) -> PublishingDecision:
    """Draw between reposts, follows and what publishing agents do; posts have their hours."""
    common = moment.publishing
    open_to = {action: _open(moment, action) for action in moment.offered}
    wanted = {common.asked_for: 1.0} if common.asked_for else common.weights
    own = {
        action: wanted.get(action, 0.0) if posts and _may(moment, action) else 0.0 for action, posts in open_to.items()
    }
    if common.asked_for in _TARGETS and not own.get(common.asked_for or "", 0.0):
        return PublishingDecision(
            None, f"I was asked to {common.asked_for}, but nothing is open to it, or its rules forbid it.", own
        )
    rest = {name: 0.0 if name == "post" else common.weights.get(name, 0.0) for name in publishing.ACTIONS}
    share = sum(own.values()) / ((sum(own.values()) + sum(rest.values())) or 1.0)
    if own and dice.random() < share:
        action = dice.choices([*own], weights=[*own.values()])[0]
        return _do(action, dice.choice(open_to[action]), moment, own)
    return publishing.decide(replace(common, weights=rest), dice)


def _open(moment: PlatformObservation, action: str) -> list[SeenItem]:
    done = moment.done.get(action, ())
    return [
        post
        for post in moment.publishing.feed
        if post.author != moment.publishing.username and _target(moment, action, post) not in ("", *done)
    ]


def _target(moment: PlatformObservation, action: str, post: SeenItem) -> str:
    return moment.author_ids.get(post.id, "") if _TARGETS[action] == "author_id" else post.id


def _do(action: str, post: SeenItem, moment: PlatformObservation, weights: Mapping[str, float]) -> PublishingDecision:
    who = post.author_name or post.author
    thought = f"I want to see more of {who}." if action == FOLLOW.name else f"I share what {who} wrote."
    payload = {"author": post.author, "author_name": post.author_name, "caption": post.caption[:200]}
    return PublishingDecision(action, thought, weights, (Plan(action, _target(moment, action, post), payload),))


def to_data(moment: PlatformObservation) -> dict[str, Any]:
    """Return an observation as JSON-ready data for the decision log."""
    return {
        "publishing": publishing.to_data(moment.publishing),
        "inbox": [_columns(one) for one in moment.inbox],
        "slot": moment.slot,
        "offered": list(moment.offered),
        "done": {action: list(targets) for action, targets in moment.done.items()},
        "author_ids": dict(moment.author_ids),
        "formats": dict(moment.formats),
        "topics": dict(moment.topics),
    }


def from_data(data: Mapping[str, Any]) -> PlatformObservation:
    """Return the observation that `to_data` wrote down. Raises KeyError, TypeError, ValueError for other data."""
    return PlatformObservation(
        publishing=publishing.from_data(data["publishing"]),
        inbox=tuple(OpenItem(**one) for one in data["inbox"]),
        slot=data["slot"],
        offered=tuple(data["offered"]),
        done={action: tuple(targets) for action, targets in data["done"].items()},
        author_ids=dict(data["author_ids"]),
        formats=dict(data.get("formats", {})),
        topics=dict(data.get("topics", {})),
    )


def _columns(one: OpenItem) -> dict[str, Any]:
    return {name: getattr(one, name) for name in one.__slots__}
