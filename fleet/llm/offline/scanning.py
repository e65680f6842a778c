"""Propose drafts from a feed without a model: by interests, lessons of the owner, and chance.

Called by `fleet.llm.offline.provider`. Pure. The texts come from the given writer. Proposals are drawn by weight: kinds
and topics that the owner accepts are proposed more often, those that were rejected many times hardly ever.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from fleet.core import text
from fleet.llm.base import CommentRequest, PostRequest, PostWords, SeenPost
from fleet.llm.lexicon.topics import OTHER, topic_of
from fleet.llm.provider import Provider
from fleet.llm.scan_request import Idea, ScanAnswer, ScanItem, ScanRequest

_ABOUT = {"post": 1, "comment": 2, "reaction": 2, "connection": 1}
"""Maximum proposals of each kind: fewer than a model may make; lessons reduce them further."""
_STEEPNESS = 2.0
_HOPELESS = -0.4
_CURIOSITY = 0.08  # sometimes propose rejected kinds again, or a change of mind would never be noticed
_POST_DRAFTS = 4
_MOST_TRIES = 8
_HARMLESS = ("like", "love")
_FRIENDLY = (
    "Your work speaks to me; may I follow it?", "I keep coming back to what you make.",
    "We seem to care about the same things.", "I would like to see more of what you do.",
)  # fmt: skip
_One = TypeVar("_One")


def answer(request: ScanRequest, dice: random.Random, writer: Provider) -> ScanAnswer:
    """Return proposals for a batch, or a new revision of one draft."""
    if request.revise is not None:
        return ScanAnswer((_anew(request, dice, writer),))
    ideas: list[Idea] = []
    for kind in request.kinds:
        ideas += _of_kind(kind, request, dice, writer)
    return ScanAnswer(tuple(ideas))


def _of_kind(kind: str, request: ScanRequest, dice: random.Random, writer: Provider) -> list[Idea]:
    if kind == "post":
        return _posts(request, dice, writer)
    chosen = _drawn(request.items, lambda item: _odds(request, kind, item.topic), _ABOUT[kind], dice)
    return [_about(kind, item, request, dice, writer) for item in chosen]


def _about(kind: str, item: ScanItem, request: ScanRequest, dice: random.Random, writer: Provider) -> Idea:
    sure = _sure(request, kind, item.topic)
    reason = _reason(item.topic)
    match kind:
        case "comment":
            said = _comment(request, item, dice, writer)
            return Idea(kind, item.ref, said, confidence=sure, reason=reason)
        case "reaction":
            return Idea(kind, item.ref, type=dice.choice(_fitting(request)), confidence=sure, reason=reason)
        case _:
            return Idea(kind, item.author_ref, dice.choice(_FRIENDLY), confidence=sure, reason=reason)


def _fitting(request: ScanRequest) -> Sequence[str]:
    """Return the harmless reactions: a writer that does not understand a post must not be angry about it."""
    return [one for one in request.reactions if one in _HARMLESS] or request.reactions[:1]


def _reason(topic: str) -> str:
    return "" if topic in ("", OTHER) else f"it is about {topic}"


def _comment(request: ScanRequest, item: ScanItem, dice: random.Random, writer: Provider) -> str:
    seen = SeenPost(item.ref, item.author, item.text)
    return writer.write_comment(CommentRequest(request.speaker, (seen,)), dice)[0].text


def _posts(request: ScanRequest, dice: random.Random, writer: Provider) -> list[Idea]:
    """Write a few posts and keep those on topics that the owner likes."""
    drafts = [
        writer.write_post(PostRequest(request.speaker, request.recent_captions), dice)[0] for _ in range(_POST_DRAFTS)
    ]
    kept = _drawn(drafts, lambda words: _odds(request, "post", _topic(words, request)), _ABOUT["post"], dice)
    return [
        Idea(
            "post", "", words.caption, image_prompt=words.image_prompt, alt_text=words.alt_text,
            visibility=request.visibilities[0], confidence=_sure(request, "post", _topic(words, request)),
            reason=_reason(_topic(words, request)),
        )
        for words in kept
    ]  # fmt: skip


def _topic(words: PostWords, request: ScanRequest) -> str:
    return topic_of(f"{words.caption} {words.image_prompt}", request.speaker.character.interests)


def _anew(request: ScanRequest, dice: random.Random, writer: Provider) -> Idea:
    """Return another text of the same kind. Of the owner's instructions it follows only a wish for a shorter text."""
    assert request.revise is not None
    kind, ref = request.revise.kind, request.revise.ref
    item = next((one for one in request.items if ref in (one.ref, one.author_ref)), None)
    for _ in range(_MOST_TRIES):
        if kind == "post" or item is None:
            words = writer.write_post(PostRequest(request.speaker, request.recent_captions), dice)[0]
            idea = Idea("post", "", words.caption, image_prompt=words.image_prompt, alt_text=words.alt_text)
        else:
            idea = _about(kind, item, request, dice, writer)
        if idea.text != request.revise.text:  # random choices repeat a text about once in hundreds
            break
    wants_less = any(word in request.revise.instructions.casefold() for word in ("short", "brief", "less"))
    longest_chars = max(20, len(request.revise.text) * 2 // 3) if wants_less else len(idea.text)
    return replace(idea, text=text.cut(idea.text, longest_chars))


def _drawn(
    things: Sequence[_One], odds: Callable[[_One], float], most: int, dice: random.Random
) -> list[_One]:  # fmt: skip
    """Draw up to `most` by weight, without replacement; one of weight 0 is rarely included."""
    taken: list[_One] = []
    left = [(thing, odds(thing)) for thing in things]
    left = [(thing, weight) for thing, weight in left if weight > 0 or dice.random() < _CURIOSITY]
    while left and len(taken) < most:
        at = dice.choices(range(len(left)), weights=[max(weight, 0.05) for _, weight in left])[0]
        taken.append(left.pop(at)[0])
    return taken


def _odds(request: ScanRequest, kind: str, topic: str) -> float:
    """Return the weight of a proposal: 0 if the owner has rejected enough of them."""
    taught = lean(request, kind, topic)
    return 0.0 if taught <= _HOPELESS else math.exp(_STEEPNESS * taught)


def _sure(request: ScanRequest, kind: str, topic: str) -> float:
    return round(0.5 + 0.45 * lean(request, kind, topic), 2)


def lean(request: ScanRequest, kind: str, topic: str) -> float:
    """Return the learned preference for a kind and topic, -1 to 1: that of the topic, or of the kind."""
    known = {one.topic: one.weight for one in request.leanings if one.kind == kind}
    return max(-1.0, min(1.0, known.get(topic, known.get("*", 0.0))))
