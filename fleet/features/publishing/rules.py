"""The decision of a publishing agent: pure, from its observation, the rules, and its own random generator.

`fleet.engine.tick` gathers a `FeedObservation`, calls `decide`, and records both; `fleet replay` does it again and must
get the same. Weights are relative; an action that is capped, paused or impossible now weighs nothing.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from fleet.adapters.base import ActionType, Cap
from fleet.adapters.gateway import Caps, WriteUsage, wait_for
from fleet.adapters.social import COMMENT, LIKE, POST, TargetPayload

MOST_OFFERED = 8
"""Maximum posts that one comment may choose from: as many as its writer is shown."""
LONGEST_CAPTION_CHARS = 600
"""The length to which captions in a job are cut; the whole one is in the tick's inputs."""


@dataclass(frozen=True, slots=True)
class Reaction:
    """An action on a post of the feed, or on its author, without text. An agent does it once to each."""

    type: ActionType[TargetPayload]
    thought: str
    nothing_new: str
    target: Literal["id", "author"] = "id"
    """The field of a post in the feed that is the target of the job."""


REACTIONS = {one.type.name: one for one in (Reaction(LIKE, "I like what {who} made.", "nothing new to like"),)}
ACTIONS = ("post", "comment", *REACTIONS, "browse")
CAPPED = {one.name: one for one in (POST, COMMENT, *(reaction.type for reaction in REACTIONS.values()))}
"""The actions among them that are written to the surface."""
TARGETS = ("id", *{one.target for one in REACTIONS.values() if one.target != "id"})
"""The fields of a post in the feed that jobs can have as their target."""


@dataclass(frozen=True, slots=True)
class SeenItem:
    """A post in the feed, as far as a decision needs it. `ours` counts the fleet's own comments on it.

    `done` names what the agent has done to it or to its author.
    """

    id: str
    author: str
    author_name: str
    caption: str
    likes: int = 0
    comments: int = 0
    ours: int = 0
    done: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FeedObservation:
    """All that a decision rests on. `posting`: a post of this agent is on its way, and may be for a day.

    `commenting`: a comment of this agent waits, for instance for a budget; a second one would only wait beside it.
    """

    now: datetime
    agent_id: uuid.UUID
    username: str
    has_account: bool
    weights: Mapping[str, float]
    interests: tuple[str, ...]
    feed: tuple[SeenItem, ...]
    usage: WriteUsage
    caps: Caps
    comment_lead: int
    held_kinds: tuple[str, ...] = ()
    asked_for: str | None = None
    waits: Mapping[str, str] = field(default_factory=dict)  # actions that it would not take now by itself, and why
    posting: bool = False
    commenting: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """A job of the decision."""

    kind: str
    target: str | None = None
    payload: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PublishingDecision:
    """The chosen action and the reason. `weights` are those of the random choice."""

    action: str | None
    thought: str
    weights: Mapping[str, float]
    plans: tuple[Plan, ...] = ()

    def outcome(self) -> dict[str, Any]:
        """Return the decision as data for the decision log."""
        return {
            "action": self.action,
            "thought": self.thought,
            "weights": {name: round(weight, 6) for name, weight in self.weights.items()},
            "plans": [{"kind": p.kind, "target": p.target, "payload": dict(p.payload)} for p in self.plans],
        }


def decide(moment: FeedObservation, dice: random.Random) -> PublishingDecision:
    """Choose what to do now. The same observation and random numbers give the same decision."""
    if not moment.has_account:
        return PublishingDecision("provision", "I need an account here first.", {}, (Plan("provision"),))
    candidates = {"comment": _to_comment(moment), "browse": list(moment.feed)}
    candidates |= {name: _open_to(moment, name) for name in REACTIONS}
    weights, obstacles = _weights(moment, candidates)
    if moment.asked_for is not None and moment.asked_for in obstacles:
        return PublishingDecision(
            None, f"I was asked to {moment.asked_for}, but {obstacles[moment.asked_for]}.", weights
        )
    total = sum(weights.values())
    if total <= 0:
        return PublishingDecision(None, f"Nothing to do: {'; '.join(dict.fromkeys(obstacles.values()))}.", weights)
    action = dice.choices(ACTIONS, weights=[weights[name] for name in ACTIONS])[0]
    if action == "post":
        return PublishingDecision("post", "I have an idea for a picture.", weights, (Plan("post"),))
    if action == "comment":
        return _comment(candidates[action], moment, weights, dice)
    return _react(action, candidates[action], moment, weights, dice)


def _weights(
    moment: FeedObservation, candidates: Mapping[str, list[SeenItem]]
) -> tuple[dict[str, float], dict[str, str]]:
    """Return each action's weight now, and for each that weighs nothing the reason."""
    obstacles: dict[str, str] = {}
    for name in ACTIONS:
        why = _obstacle(name, moment, candidates)
        if why is not None:
            obstacles[name] = why
    wanted = {moment.asked_for: 1.0} if moment.asked_for else moment.weights
    return {name: 0.0 if name in obstacles else wanted.get(name, 0.0) for name in ACTIONS}, obstacles


def _obstacle(name: str, moment: FeedObservation, candidates: Mapping[str, list[SeenItem]]) -> str | None:
    if name in moment.held_kinds:
        return f"{name} is paused"
    if moment.asked_for is None and moment.weights.get(name, 0.0) <= 0:
        return f"I never {name}"
    if moment.asked_for is None and name in moment.waits:
        return moment.waits[name]
    if name == "post" and moment.posting:
        return "a post of mine is on its way"
    if name == "comment" and moment.commenting:
        return "a comment of mine is waiting"
    if name in CAPPED:
        wait = wait_for(CAPPED[name], moment.usage, moment.caps, moment.now)
        if wait is not None:
            return wait.why
    if name == "comment" and not candidates[name]:
        return "there is nothing new to comment on"
    if name in REACTIONS and not candidates[name]:
        return f"there is {REACTIONS[name].nothing_new}"
    return None


def _open_to(moment: FeedObservation, action: str) -> list[SeenItem]:
    return [post for post in moment.feed if post.author != moment.username and action not in post.done]


def _to_comment(moment: FeedObservation) -> list[SeenItem]:
    return [
        post
        for post in _open_to(moment, "comment")
        if not comment_would_crowd(post.comments, post.ours, moment.comment_lead)
    ]


def comment_would_crowd(comments: int, ours: int, lead: int) -> bool:
    """Return whether one more AI comment would exceed the human ones plus the lead.

    `comments` counts all on the post, `ours` the fleet's (some perhaps not shown yet).
    """
    human = max(0, comments - ours)
    return ours + 1 > human + lead


def _react(action: str, posts: list[SeenItem], moment: FeedObservation, weights: Mapping[str, float],
           dice: random.Random) -> PublishingDecision:  # fmt: skip
    if not posts:
        return PublishingDecision("browse", "The gallery is still empty; I look around.", weights, (Plan("browse"),))
    post = _draw(posts, moment.interests, dice)
    one = REACTIONS.get(action)
    plan = Plan(action, post.id if one is None else getattr(post, one.target), _told(post))
    thought = "I take a closer look at what {who} made." if one is None else one.thought
    return PublishingDecision(action, thought.format(who=_who(post)), weights, (plan,))


def _comment(
    posts: list[SeenItem], moment: FeedObservation, weights: Mapping[str, float], dice: random.Random
) -> PublishingDecision:
    """Offer posts to comment on, the most drawing likely first; which one is answered is the writer's choice."""
    left: list[SeenItem] = list(posts)
    drawn: list[SeenItem] = []
    while left and len(drawn) < MOST_OFFERED:
        drawn.append(_draw(left, moment.interests, dice))
        left.remove(drawn[-1])
    plan = Plan("comment", None, {"seen": [{"id": post.id, **_told(post)} for post in drawn]})
    whom = _who(drawn[0]) if len(drawn) == 1 else f"one of {len(drawn)}, perhaps to {_who(drawn[0])}"
    return PublishingDecision("comment", f"I want to say something to {whom}.", weights, (plan,))


def _draw(posts: list[SeenItem], interests: tuple[str, ...], dice: random.Random) -> SeenItem:
    wanted = [[word for word in interest.casefold().split() if len(word) > 3] for interest in interests]
    return dice.choices(posts, weights=[_appeal(post, wanted) for post in posts])[0]


def _told(post: SeenItem) -> dict[str, Any]:
    """Return the data of a post that a job needs."""
    told = {name: getattr(post, name) for name in ("author", "author_name", "comments", "ours")}
    return {**told, "caption": post.caption[:LONGEST_CAPTION_CHARS]}


def _who(post: SeenItem) -> str:
    return post.author_name or post.author or "somebody"


def _appeal(post: SeenItem, interests: Sequence[Sequence[str]]) -> float:
    """Return how attractive a post is: shared interests add to it, and so does a lack of reactions.

    The longer words of each interest are given.
    """
    caption = post.caption.casefold()
    shared = sum([any(word in caption for word in words) for words in interests])
    return (1.0 + shared) * (2.0 if post.likes + post.comments == 0 else 1.0)


def to_data(moment: FeedObservation) -> dict[str, Any]:
    """Return a moment as JSON-ready data for the decision log."""
    last_at = {name: at.isoformat() for name, at in moment.usage.last_at.items()}
    caps = {
        name: {"gap_s": cap.gap.total_seconds(), "per_day": cap.per_day} for name, cap in moment.caps.actions.items()
    }
    return _columns(moment) | {
        "now": moment.now.isoformat(),
        "agent_id": str(moment.agent_id),
        "feed": [_columns(seen) for seen in moment.feed],
        "usage": {"counts": dict(moment.usage.counts), "last_at": last_at},
        "caps": {"actions": caps, "day_s": moment.caps.day.total_seconds()},
    }


def _columns(value: Any) -> dict[str, Any]:
    """Return a dataclass's fields as they are; `dataclasses.asdict` copies them, at ten times the price."""
    return {name: getattr(value, name) for name in value.__slots__}


def from_data(data: Mapping[str, Any]) -> FeedObservation:
    """Return the moment that `to_data` wrote down. Raises KeyError, TypeError, ValueError for other data."""
    recorded = dict(data)
    if recorded.pop("scan", None) is not None:  # until 0.9 supervised agents were recorded in this form
        raise ValueError("a supervised agent's moment")
    usage = WriteUsage(
        dict(data["usage"]["counts"]),
        {name: datetime.fromisoformat(at) for name, at in data["usage"]["last_at"].items()},
    )
    if "comment_lead" not in recorded:  # an earlier version recorded it among the caps
        recorded["comment_lead"] = int(data["caps"]["ai_comment_lead"])
    rest = {
        "now": datetime.fromisoformat(data["now"]),
        "agent_id": uuid.UUID(data["agent_id"]),
        "interests": tuple(data["interests"]),
        "feed": tuple(_seen(post) for post in data["feed"]),
        "held_kinds": tuple(data["held_kinds"]),
        "usage": usage,
        "caps": _caps_from(data["caps"]),
    }
    return FeedObservation(**{**recorded, **rest})


def _seen(data: Mapping[str, Any]) -> SeenItem:
    """Return a recorded post."""
    post = dict(data)
    if "done" not in post:  # an earlier version had a flag for each
        flags = {"like": post.pop("liked"), "comment": post.pop("commented")}
        post["done"] = [name for name, is_done in flags.items() if is_done]
    return SeenItem(**{**post, "done": tuple(post["done"])})


def _caps_from(data: Mapping[str, Any]) -> Caps:
    """Return recorded caps."""
    if "actions" not in data:  # an earlier version had a field for each
        data = {
            "actions": {
                "post": {"gap_s": data["post_gap"], "per_day": data["posts_per_day"]},
                "comment": {"gap_s": data["comment_gap"], "per_day": data["comments_per_day"]},
                "like": {"gap_s": 0.0, "per_day": data["likes_per_day"]},
            },
            "day_s": data["day"],
        }
    caps = {
        name: Cap(gap=timedelta(seconds=cap["gap_s"]), per_day=cap["per_day"]) for name, cap in data["actions"].items()
    }
    return Caps(caps, timedelta(seconds=data["day_s"]))
