"""The prompt of a feed scan for a supervised agent: rules, persona, batch, lessons.

Called by `fleet.llm.writer`. Pure. As in `prompts`, what was written by somebody goes in as JSON between tags that it
cannot write itself; only what the owner asks of a revision stands where instructions do.
"""

from __future__ import annotations

import functools
import json
import random
from collections.abc import Mapping
from typing import Any

from fleet.llm import prompts
from fleet.llm.lexicon.subject import author_name
from fleet.llm.model import Prompt
from fleet.llm.scan_request import MOST, Example, Revise, ScanItem, ScanRequest

MAX_OUTPUT_TOKENS = 4_000
"""Fifteen short texts are about 1,500 tokens; thinking tokens count too."""

MOST_ITEMS, MOST_EXAMPLES, MOST_LEANINGS = 50, 4, 12
_LONGEST_INSTRUCTIONS_CHARS = 1_000

SCAN = """\

Now you look at a feed and propose; the owner of the account decides on each proposal. Only propose what the persona
would truly want to say or do; an empty list is a good answer.
- posts: new posts that fit the persona and go with what moves the feed. content: one or two sentences. picture: what
  the picture shows, 40 to 80 words, in the manner of an image_prompt. altText: one sentence that says what can be
  seen. mediaUrls: addresses of public pictures, only if you know them for certain; else an empty list. visibility:
  who sees it.
- comments: one sentence to the person who made a post, about something in that post alone. At most one a post.
- reactions: how a post strikes the persona. At most one a post.
- connectionRequests: people whose posts go with the persona's interests, with one friendly sentence.
- postId and userId: the short names of the feed, such as p3 and u3. There are no others.
- confidence: how sure you are that the owner will agree, 0 to 1. reason: at most fifteen words on why.
The owner's leanings and earlier decisions are in <own_data>: weights from -1 (never) to 1 (always) by kind and topic,
and drafts that were accepted or refused. Propose more like the accepted and nothing like the refused ones, and use
none of their words again."""

_TEXT = {"type": "string"}
_NUMBER = {"type": "number"}
_BOTH = {"confidence": _NUMBER, "reason": _TEXT}


def scan(request: ScanRequest, dice: random.Random) -> Prompt:
    """Ask for proposals for a batch, or a new revision of one draft. A random number makes responses differ."""
    items = request.items[:MOST_ITEMS]
    own: dict[str, Any] = {
        "name": prompts._name(request.speaker.name),
        "recent_captions": prompts._texts(request.recent_captions[: prompts.MOST_RECENT]),
        "leanings": [
            {"kind": one.kind, "topic": prompts._name(one.topic), "weight": round(one.weight, 2)}
            for one in request.leanings[:MOST_LEANINGS]
        ],
        "accepted": [_example(one) for one in request.accepted[:MOST_EXAMPLES]],
        "refused": [_example(one) for one in request.refused[:MOST_EXAMPLES]],
    }
    if request.revise is not None:
        own["draft"] = prompts._short(request.revise.text, 2_000)
    parts = [
        *prompts._remembered(request.memories),
        prompts._block("own_data", own),
        prompts._block("spark_data", {"number": str(dice.randrange(10_000))}),
        prompts._block("gallery_data", [_seen(one) for one in items]),
        _revision(request.revise) if request.revise else _task(request),
    ]
    schema = _schema(request.kinds, request.reactions, request.visibilities)
    moment = "\n\n".join(part for part in parts if part)
    house = prompts.HOUSE + "\n" + SCAN
    return Prompt("scan", house, prompts._persona(request.speaker), moment, schema, MAX_OUTPUT_TOKENS)


def _task(request: ScanRequest) -> str:
    most = ", ".join(f"{MOST[kind]} {_NOUNS[kind]}" for kind in request.kinds)
    return f"The data has ended. Propose at most {most}. Answer with the JSON object alone."


_NOUNS = {"post": "posts", "comment": "comments", "reaction": "reactions", "connection": "connection requests"}


def _revision(revise: Revise) -> str:
    """Ask for a new revision of one draft. The owner's instructions are quoted, so that their end is unambiguous."""
    wish = json.dumps(prompts._short(revise.instructions, _LONGEST_INSTRUCTIONS_CHARS), ensure_ascii=False)
    about = f" on {revise.ref}" if revise.ref else ""
    return (
        f"The data has ended. The owner sends back the {revise.kind}{about} in <own_data>, named draft, and wishes:"
        f" {wish}\nWrite it anew as the owner wishes, as the only entry of its list; every other list stays empty."
        f" Answer with the JSON object alone."
    )


def _seen(one: ScanItem) -> dict[str, Any]:
    told: dict[str, Any] = {
        "post": one.ref, "user": one.author_ref, "author": author_name(one.author),
        "text": prompts._theirs(one.text),
    }  # fmt: skip
    if one.by_agent:
        told["by_an_agent"] = True
    comments = [
        {"author": author_name(said.author), "text": words}
        for said in one.comments[: prompts.MOST_COMMENTS]
        if (words := prompts._theirs(said.text))
    ]
    return {**told, "comments": comments} if comments else told


def _example(one: Example) -> dict[str, str]:
    """Return an example; its context is text of an outsider, its reason is text of the owner."""
    told = {"kind": one.kind, "text": prompts._texts([one.text])[0], "about": prompts._theirs(one.about),
            "owner_said": prompts._texts([one.why])[0]}  # fmt: skip
    return {name: value for name, value in told.items() if value}


@functools.lru_cache(maxsize=32)
def _schema(kinds: tuple[str, ...], reactions: tuple[str, ...], visibilities: tuple[str, ...]) -> Mapping[str, Any]:
    """Return the schema of a response for a surface with these kinds and reactions."""
    shapes: dict[str, tuple[str, dict[str, Any]]] = {
        "post": ("posts", {
            "content": _TEXT, "visibility": {"type": "string", "enum": list(visibilities)}, "picture": _TEXT,
            "altText": _TEXT, "mediaUrls": {"type": "array", "items": _TEXT},
        }),
        "comment": ("comments", {"postId": _TEXT, "content": _TEXT}),
        "reaction": ("reactions", {"postId": _TEXT, "type": {"type": "string", "enum": list(reactions)}}),
        "connection": ("connectionRequests", {"userId": _TEXT, "message": _TEXT}),
    }  # fmt: skip
    return _closed({shapes[kind][0]: {"type": "array", "items": _closed(shapes[kind][1] | _BOTH)} for kind in kinds})


def _closed(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": dict(properties), "required": list(properties),
            "additionalProperties": False}  # fmt: skip
