"""Apply the styles of a post without a model: an ending and a maximum length.

Called by `fleet.llm.offline.provider` only; models get the same as instructions. Pure. Without a style nothing changes
and no random number is drawn.
"""

from __future__ import annotations

import random
import re

from fleet.llm.base import PostPart, PostRequest, Style

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_CLAUSE_END = re.compile(r"[,;:]\s|\s[–—]\s")
_LEAST_WORDS = 3
_TOO_LONG = 4  # worse than a repeated opening, better than a repeated caption


def of_caption(request: PostRequest) -> Style | None:
    """Return the style of the caption, None without one; the first of several counts."""
    return _of(request, PostPart.CAPTION)


def of_prompt(request: PostRequest) -> Style | None:
    """Return the style of the image prompt, likewise."""
    return _of(request, PostPart.IMAGE_PROMPT)


def _of(request: PostRequest, part: PostPart) -> Style | None:
    return next((style for style in request.styles if style.part is part), None)


def caption(words: str, style: Style | None, dice: random.Random) -> str:
    """Return a caption in the style: its first sentence with one of the endings, or as short as possible.

    A caption has at most two sentences, so an ending takes the place of the second.
    """
    if style is None:
        return words
    if style.most_words is not None and len(words.split()) > style.most_words:
        words = _shortened(_sentences(words)[0], style.most_words)
    if style.endings:
        words = f"{_sentences(words)[0]} {dice.choice(style.endings)}"
    return words


def misses(caption: str, style: Style | None) -> int:
    """Return a penalty for a caption that misses its style, to choose between drafts; 0 if it fits."""
    too_long = style is not None and style.most_words is not None and len(caption.split()) > style.most_words
    return _TOO_LONG * too_long


def image_prompt(words: str, style: Style | None, dice: random.Random, most_words: int) -> str:
    """Return an image prompt with one of the style's endings, in at most so many words."""
    if style is None or not style.endings:
        return words
    ending = dice.choice(style.endings)
    room = most_words - len(ending.split())
    kept = words.split()
    base = words if len(kept) <= room else " ".join(kept[:room]).rstrip(",;:-. ") + "."
    return f"{base} {ending}"


def _sentences(words: str) -> list[str]:
    return _SENTENCE_END.split(words.strip())


def _shortened(sentence: str, most_words: int) -> str:
    """Cut a sentence at the end of a clause; one without such a place stays whole and counts as too long."""
    if len(sentence.split()) <= most_words:
        return sentence
    places = [match.start() for match in _CLAUSE_END.finditer(sentence)]
    fitting = [sentence[:place] for place in places if _LEAST_WORDS <= len(sentence[:place].split()) <= most_words]
    return f"{fitting[-1].rstrip()}." if fitting else sentence
