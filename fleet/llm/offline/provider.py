"""The writer without a model: composes texts from the speaker's grammar, costs nothing, and never fails.

Called through `fleet.llm.provider.Provider`; the last provider of every chain. Text from outside (author, caption) is
shortened, sanitized and only quoted.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import TypeVar

from fleet.core import clock, text
from fleet.llm.answers import LEAST_PROMPT_WORDS, MOST_PROMPT_WORDS
from fleet.llm.base import (
    BriefRequest,
    CampaignPlan,
    CommentRequest,
    CommentWords,
    Grammar,
    PostRequest,
    PostWords,
    ProductRequest,
    ProductWords,
    SeenPost,
    Speaker,
    Usage,
)
from fleet.llm.lexicon import subject
from fleet.llm.offline import briefing, describing, grammar, leads, phrases, scanning, styles
from fleet.llm.provider import Till
from fleet.llm.scan_request import ScanAnswer, ScanRequest

MOST_DRAFTS = 12
LONGEST_CAPTION_CHARS = 500
LONGEST_ALT_CHARS = 300
LONGEST_COMMENT_CHARS = 300
_SHARED_DRAWS = 3
_OPENING_WORDS = 2
_HEARD_WORDS = 2
_RECENT_OPENINGS = 6
_LED: Grammar = {"led": ("{plain}", *["{lead} {plain}"] * 4)}

_Words = TypeVar("_Words")


class OfflineProvider:
    """Writes from rules and random numbers. The same request and generator give the same text."""

    name = "offline"
    model = "grammar-1"

    def write_post(
        self,
        request: PostRequest,
        dice: random.Random,
        *,
        within_s: float | None = None,  # noqa: ARG002
    ) -> tuple[PostWords, Usage]:
        """Write image prompt, caption and alt text about one subject, different from recent captions."""
        return self._timed(lambda: _post(request, dice))

    def write_comment(
        self,
        request: CommentRequest,
        dice: random.Random,
        *,
        within_s: float | None = None,  # noqa: ARG002
    ) -> tuple[CommentWords, Usage]:
        """Choose a post by interests and chance; write one sentence that names its author, subject or words."""
        return self._timed(lambda: _answer(request, dice))

    def digest(
        self,
        request: ScanRequest,
        dice: random.Random,
        *,
        within_s: float | None = None,  # noqa: ARG002
    ) -> tuple[ScanAnswer, Usage]:
        """Propose by interests, by lessons of the owner, and by chance."""
        return self._timed(lambda: scanning.answer(request, dice, self))

    def plan_campaign(
        self,
        request: BriefRequest,
        dice: random.Random,
        *,
        within_s: float | None = None,  # noqa: ARG002
    ) -> tuple[CampaignPlan, Usage]:
        """Return angles on the goal of a campaign."""
        return self._timed(lambda: briefing.answer(request, dice))

    def describe(
        self,
        request: ProductRequest,
        dice: random.Random,  # noqa: ARG002
        *,
        within_s: float | None = None,  # noqa: ARG002
    ) -> tuple[ProductWords, Usage]:
        """Return the facts of a product as sentences."""
        return self._timed(lambda: describing.answer(request))

    def estimate(self, request: PostRequest | CommentRequest | ScanRequest | BriefRequest | ProductRequest) -> int:  # noqa: ARG002
        """Return 0: no model is called."""
        return 0

    def paid_by(self, till: Till) -> OfflineProvider:  # noqa: ARG002
        """Return this writer: there is nothing to pay."""
        return self

    def _timed(self, write: Callable[[], _Words]) -> tuple[_Words, Usage]:
        began_s = clock.monotonic_s()
        words = write()
        took_ms = round((clock.monotonic_s() - began_s) * 1000)
        return words, Usage(provider=self.name, model=self.model, latency_ms=took_ms)


def _post(request: PostRequest, dice: random.Random) -> PostWords:
    rules = _rules(request.speaker)
    of_caption = styles.of_caption(request)
    heard = _openers(request.heard)
    drafts: list[tuple[int, int, str, dict[str, str]]] = []
    for _ in range(MOST_DRAFTS):
        slots = grammar.draw_shared(rules, dice)
        caption = grammar.expand(rules, "caption", dice, slots)
        caption = _finish(styles.caption(caption, of_caption, dice), LONGEST_CAPTION_CHARS)
        stale = _clashes(caption, slots, request.recent_captions) + styles.misses(caption, of_caption)
        stale += 2 * len(_openers((caption,)) & heard)
        drafts.append((stale, len(drafts), caption, slots))
        if drafts[-1][0] == 0:
            break
    _, _, caption, slots = min(drafts)
    if request.subject:
        about = _finish(request.subject, LONGEST_CAPTION_CHARS // 2).rstrip(".!?… ")
        caption = _finish(f"{about}. {caption}" if about else caption, LONGEST_CAPTION_CHARS)
    return PostWords(
        image_prompt=styles.image_prompt(
            _image_prompt(rules, dice, slots), styles.of_prompt(request), dice, MOST_PROMPT_WORDS
        ),
        caption=caption,
        alt_text=_finish(grammar.expand(rules, "alt_text", dice, slots), LONGEST_ALT_CHARS),
    )


def _answer(request: CommentRequest, dice: random.Random) -> CommentWords:
    post, shared = _choose(request, dice)
    reason = f"It is about {shared}." if shared else "It stood out."
    heard = _openers(request.heard)
    drafts: list[tuple[int, int, str]] = []
    for _ in range(MOST_DRAFTS):
        words = _comment(request.speaker, post, dice)
        drafts.append((len(_openers((words,)) & heard), len(drafts), words))
        if drafts[-1][0] == 0:
            break
    return CommentWords(min(drafts)[2], answers=post.id, reason=reason)


def _choose(request: CommentRequest, dice: random.Random) -> tuple[SeenPost, str]:
    """Draw a post, and the interest that it shares; a post that shares one is three times as likely."""
    shared = [_shared(post, request.speaker.character.interests) for post in request.seen]
    # Python guarantees the same random() in all versions, but not the same choices().
    point = dice.random() * sum(_SHARED_DRAWS if one else 1 for one in shared)
    for post, one in zip(request.seen, shared, strict=True):
        point -= _SHARED_DRAWS if one else 1
        if point < 0:
            return post, one
    return request.seen[-1], shared[-1]


def _shared(post: SeenPost, interests: tuple[str, ...]) -> str:
    """Return the first of the interests that a caption names, or an empty string."""
    said = set(subject.inert(post.caption).casefold().split())
    return next((one for one in interests if said & {word for word in one.casefold().split() if len(word) > 3}), "")


def _comment(speaker: Speaker, post: SeenPost, dice: random.Random) -> str:
    author = subject.author_name(post.author)
    about = subject.subject(post.caption)
    quote = subject.quote(post.caption)
    known = {"author": author, "subject": about, "quote": quote}
    absent = frozenset(name for name, value in known.items() if not value)
    rules = grammar.without(_rules(speaker), absent)
    general = grammar.without(phrases.for_temper(speaker.character.vibe), absent)
    start = "comment" if {"author", "subject", "quote"} - absent else phrases.BLIND_COMMENT
    data = {name: value for name, value in known.items() if value and name != "subject"}
    said = {
        **(rules if start in rules else general),
        **_LED,
        "lead": leads.for_temper(speaker.character.vibe),
        "plain": (f"{{{start}}}",),
    }
    sentence = grammar.expand(said, "led", dice, {"subject": about} if about else {}, data=data)
    return _finish(sentence, LONGEST_COMMENT_CHARS)


def _rules(speaker: Speaker) -> Grammar:
    """Return the speaker's own grammar; the general one fills in missing rules."""
    own = dict(speaker.grammar)
    if all(start in own for start in grammar.STARTS):
        return {**own, phrases.BLIND_COMMENT: phrases.for_temper(speaker.character.vibe)[phrases.BLIND_COMMENT]}
    general = phrases.for_temper(speaker.character.vibe)
    interests = tuple(filter(None, (_interest(interest) for interest in speaker.character.interests)))
    return {**general, **({"interest": interests} if interests else {}), **own}


def _interest(raw: str) -> str:
    """Make an interest fit for a sentence; braces in it would be taken for rules."""
    return text.cut(subject.inert(raw), subject.LONGEST_SUBJECT_CHARS)


def _clashes(caption: str, slots: dict[str, str], recent: tuple[str, ...]) -> int:
    """Return a penalty for repetition: of the caption itself above all, of its opening, its subject, or a word."""
    said = [_plain(earlier) for earlier in recent]
    plain = _plain(caption)
    opening = plain.split()[:_OPENING_WORDS]
    about = _plain(slots.get("subject", ""))
    stale = 8 * (plain in said)
    stale += 2 * any(earlier.split()[:_OPENING_WORDS] == opening for earlier in said[:_RECENT_OPENINGS])
    stale += 2 * bool(about and any(about in earlier for earlier in said))
    return stale + any(len(value) > 3 and plain.count(_plain(value)) > 1 for value in slots.values())


def _openers(texts: Iterable[str]) -> set[str]:
    """Return the first words of each text, and those after its lead."""
    begun = (part for words in texts for part in (words, words.partition(": ")[2]) if part)
    return {" ".join(_plain(part).split()[:_HEARD_WORDS]) for part in begun}


def _image_prompt(rules: Grammar, dice: random.Random, slots: dict[str, str]) -> str:
    """Write a prompt of 40 to 80 words; pad or cut a text of another length."""
    prompt = ""
    for _ in range(MOST_DRAFTS):
        prompt = text.clean(grammar.expand(rules, "image_prompt", dice, slots))
        if LEAST_PROMPT_WORDS <= len(prompt.split()) <= MOST_PROMPT_WORDS:
            return prompt
    while len(prompt.split()) < LEAST_PROMPT_WORDS:
        prompt = f"{prompt} {grammar.expand(phrases.for_temper(''), phrases.MORE_PROMPT, dice)}".strip()
    words = prompt.split()
    return prompt if len(words) <= MOST_PROMPT_WORDS else " ".join(words[:MOST_PROMPT_WORDS]).rstrip(",;:-. ") + "."


def _finish(words: str, limit_chars: int) -> str:
    return text.cut(text.clean(text.without_hashtags(words)), limit_chars)


def _plain(words: str) -> str:
    return " ".join(words.casefold().split())
