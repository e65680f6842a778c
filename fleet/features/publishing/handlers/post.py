"""Handler of posts: text, then picture, then the gallery.

Text and picture are paid for once, whatever happens between.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from fleet.adapters import social
from fleet.adapters.base import AnyAction
from fleet.core.errors import InvalidInput
from fleet.engine import registry
from fleet.engine.attempts.work import Work
from fleet.engine.jobs.outcomes import Held, Skipped
from fleet.engine.jobs.states import JobState
from fleet.features.content.surfaces import Kind
from fleet.features.costs import budget_guard
from fleet.features.publishing import approved, formats
from fleet.features.publishing.kinds import POST
from fleet.features.publishing.pictures import credited, picture, show, show_ordered
from fleet.features.publishing.words import batching, published_texts
from fleet.features.publishing.words.memory import MOST_RECALLED, memory_of
from fleet.features.publishing.words.quality import quality_of
from fleet.features.publishing.words.review_words import Turn, WrittenDraft, reviewed, reviewed_once
from fleet.features.publishing.words.voice import speaker_of
from fleet.llm.base import PostRequest


def prepare(work: Work) -> AnyAction | Skipped | Held:
    """Return the post, with a caption and a picture that are the same in every attempt.

    Another feature can prepare the posts that it has added ("publishing.posts").
    """
    for prepared in registry.current().extensions("publishing.posts"):
        found: AnyAction | Skipped | None = prepared(work)
        if found is not None:
            return found
    said = approved.content_of(work)
    if said is not None:
        return _as_approved(work, said)
    words = reviewed(work, lambda turn: _write(work, turn))
    if isinstance(words, Skipped | Held):
        return words
    told = {"reason": words.get("reason"), "alt_text": words["alt_text"]}
    work.told = {name: value for name, value in told.items() if value}
    # A probe searches by the text of the post; nothing is fetched or drawn for that.
    format = str(work.claim.payload.get("format", ""))
    if work.claim.state is JobState.UNKNOWN:
        url = ""
        show_ordered(work)
    else:
        url = "" if format in formats.FORMATS else picture(work, words["image_prompt"])
    post = social.PostPayload(words["caption"], url, words["alt_text"])
    made = formats.in_format(work, format, post, words["image_prompt"], words["caption"])
    caption, alt_text = credited(work, None, words["caption"], words["alt_text"])
    return work.action(social.POST, replace(made, text=caption, alt_text=alt_text))


def _as_approved(work: Work, said: Mapping[str, Any]) -> AnyAction | Skipped:
    """Return the post of an approved draft, with its stored picture or one that the workflow makes now."""
    stale = approved.why_not(work)
    if stale is not None:
        return stale
    prompt = said["image_prompt"] or said["text"]
    texts = {"image_prompt": (Kind.PROMPT, prompt), "caption": (Kind.CAPTION, said["text"])}
    if said["alt_text"]:
        texts["alt_text"] = (Kind.ALT_TEXT, said["alt_text"])
    words = reviewed_once(work, texts)
    if isinstance(words, Skipped):
        return words
    url = ""
    work.told = {"alt_text": words["alt_text"]} if words.get("alt_text") else {}
    show(work, str(said["media"][0]["key"]) if said["media"] else None)
    if work.claim.state is not JobState.UNKNOWN:
        url = _kept_picture(work, said["media"]) or picture(work, words["image_prompt"])
    key = str(said["media"][0]["key"]) if said["media"] else None
    caption, alt_text = credited(work, key, words["caption"], words.get("alt_text", ""))
    post = social.PostPayload(caption, url, alt_text, said["visibility"])
    return work.action(social.POST, post)


def _kept_picture(work: Work, kept: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the approved picture; None for a draft without one.

    Raises InvalidInput in a fleet without a feature that stores pictures, so that the job becomes a dead letter:
    another picture is not the approved one.
    """
    if not kept:
        return None
    for serve in registry.current().extensions("publishing.kept_pictures"):
        found: str | None = serve(work, kept)
        return found
    raise InvalidInput(
        "The approved picture is kept by a feature that this fleet leaves out.",
        fix="Have media (FLEET_FEATURES), then replay the job.",
    )


def _write(work: Work, turn: Turn) -> WrittenDraft | Held:
    with work.deps.db.transaction() as tx:
        recent = published_texts.recent_results(tx, work.agent.id, POST, "caption")
    memories = memory_of(work.deps).recall(work.agent.id, (), limit=MOST_RECALLED)
    styles = tuple(
        style
        for styles in registry.current().extensions("publishing.styles")
        for style in styles(work.deps, work.claim.payload)
    )
    heard = quality_of(work.deps).heard(work.claim.surface)
    topic = str(work.claim.payload.get("topic", ""))
    request = PostRequest(
        speaker_of(work.deps, work.agent), tuple(recent), memories, styles, turn.objections, heard, subject=topic
    )
    made = batching.words(work, request, turn)
    if isinstance(made, Held):
        return made
    words, usage = made or budget_guard.words_of(work).write_post(request, turn.dice, within_s=work.words_within_s)
    texts = {
        "image_prompt": (Kind.PROMPT, words.image_prompt),
        "caption": (Kind.CAPTION, words.caption),
        "alt_text": (Kind.ALT_TEXT, words.alt_text),
    }
    return WrittenDraft(texts, usage, words.reason)
