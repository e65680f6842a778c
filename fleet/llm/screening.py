"""Whether words that a model wrote may be shown: they must not parrot strangers, give orders or tell the house rules.

Called by `fleet.llm.writer` on every answer. Pure. A model that was talked into something gives back what it was talked
into, so the test that needs no list of languages is how much of its answer was handed to it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from fleet.llm.base import CommentRequest, CommentWords, PostRequest, PostWords
from fleet.llm.orders import gives_orders
from fleet.llm.prompts import HOUSE

LONGEST_QUOTE = 40
"""Letters of somebody else's text that may stand in a row; of a script with a sign for a word or syllable, a third."""
_PIECE = 12
MOST_BORROWED_PERCENT = 60


def why_not_post(words: PostWords, request: PostRequest) -> str | None:
    """Return why a post must not be shown, or None."""
    texts = (words.image_prompt, words.caption, words.alt_text, words.reason)
    if any(_same(words.caption, earlier) for earlier in request.recent_captions):
        return "it repeats a recent caption"
    return _why_not(texts, strangers=request.memories)


def why_not_comment(words: CommentWords, request: CommentRequest) -> str | None:
    """Return why a comment must not be shown, or None."""
    strangers = [part for post in request.seen for part in (post.caption, post.author)]
    return _why_not((words.text, words.reason), strangers=[*strangers, *request.memories])


def _why_not(texts: Iterable[str], strangers: Iterable[str]) -> str | None:
    said = [one for one in texts if one]
    if any(gives_orders(one) for one in said):
        return "it gives orders"
    if any(_longest_shared(one, [HOUSE]) for one in said):
        return "it tells the rules of the house"
    if any(_parrots(one, strangers) for one in said):
        return "it parrots what it was shown"
    return None


def _same(one: str, other: str) -> bool:
    return _squeezed(one) == _squeezed(other)


def _squeezed(words: str) -> str:
    """Return letters and digits alone, so that points, blanks, case and fancy letters do not hide a copy."""
    return "".join(char for char in unicodedata.normalize("NFKC", words).casefold() if char.isalnum())


def _scale(squeezed: str) -> int:
    """Return 3 for scripts whose signs are words or syllables, 1 for alphabets."""
    dense = sum(char >= "\u2e80" for char in squeezed)
    return 3 if dense * 2 > len(squeezed) else 1


def _pieces(squeezed: str, length: int) -> set[str]:
    return {squeezed[at : at + length] for at in range(len(squeezed) - length + 1)}


def _longest_shared(said: str, others: Iterable[str]) -> bool:
    """Say whether a run of letters as long as a quote must not be stands in another text too."""
    squeezed = _squeezed(said)
    length = LONGEST_QUOTE // _scale(squeezed)
    runs = _pieces(squeezed, length)
    return any(not runs.isdisjoint(_pieces(_squeezed(other), length)) for other in others)


def _parrots(said: str, strangers: Iterable[str]) -> bool:
    """Say whether a text is mostly, or in one long run, what strangers wrote."""
    theirs = [squeezed for squeezed in map(_squeezed, strangers) if squeezed]
    squeezed = _squeezed(said)
    if any(squeezed in one for one in theirs) or _longest_shared(said, theirs):
        return True
    length = _PIECE // _scale(squeezed)
    known = set().union(*(_pieces(one, length) for one in theirs)) if theirs else set()
    borrowed = [False] * len(squeezed)
    for at in range(len(squeezed) - length + 1):
        if squeezed[at : at + length] in known:
            borrowed[at : at + length] = [True] * length
    return sum(borrowed) * 100 > MOST_BORROWED_PERCENT * len(squeezed)
