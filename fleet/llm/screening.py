"""Screening of a model's texts: they must not copy other users' texts, give orders or reveal the prompt.

Called by `fleet.llm.writer` on every response. Pure. A manipulated model repeats the text that manipulated it, so the
check that works in every language is how much of the response was copied from its input.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from fleet.llm.base import CommentRequest, CommentWords, PostRequest, PostWords
from fleet.llm.lexicon.orders import gives_orders
from fleet.llm.lexicon.subject import author_name
from fleet.llm.prompts import HOUSE

LONGEST_QUOTE = 15
"""The longest copied run of letters: about three words. Shorter for scripts with a sign for a word or a syllable."""
_LONGEST_HOUSE_RUN = 40
_PIECE = 8
_ORDERED_QUOTE = 6
"""The longest run copied from a text that gives orders: hardly a word."""
MOST_BORROWED_PERCENT = 40


def why_not_post(words: PostWords, request: PostRequest) -> str | None:
    """Return why a post must not be shown, or None."""
    texts = (words.image_prompt, words.caption, words.alt_text)
    if any(_same(words.caption, earlier) for earlier in request.recent_captions):
        return "caption: it is one of the recent captions; write another."
    return _why_not(texts, strangers=request.memories)


def why_not_comment(words: CommentWords, request: CommentRequest) -> str | None:
    """Return why a comment must not be shown, or None. An author may be named, if the name is a plain one."""
    strangers = [part for post in request.seen for part in (post.caption, *post.comments)]
    strangers += [post.author for post in request.seen if not author_name(post.author)]
    names = [re.escape(name) for post in request.seen if (name := author_name(post.author))]
    known = re.compile(rf"\b(?:{'|'.join(names)})\b") if names else None
    # Whom an agent talked to before is named in its memories, and may be named again.
    memories = [known.sub(" ", one) if known else one for one in request.memories]
    return _why_not((words.text,), strangers=[*strangers, *memories])


def why_not_words(texts: Iterable[str], strangers: Iterable[str]) -> str | None:
    """Return why texts must not be shown, given other users' texts, or None."""
    return _why_not(texts, list(strangers))


def _why_not(texts: Iterable[str], strangers: Iterable[str]) -> str | None:
    said = [one for one in texts if one]
    if any(gives_orders(one) for one in said):
        return "It gives orders; talk about the picture."
    if any(_shares_run(_squeezed(one), _squeezed(HOUSE), _LONGEST_HOUSE_RUN) for one in said):
        return "It repeats these rules; talk about the picture."
    if any(_parrots(one, strangers) for one in said):
        return "It copies another user's text; use your own words, and at most three of theirs in a row."
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


def _shares_run(said: str, other: str, letters: int) -> bool:
    """Return whether a run of so many letters occurs in both of two squeezed texts."""
    length = max(2, letters // _scale(said))
    return not _pieces(said, length).isdisjoint(_pieces(other, length))


def _parrots(said: str, strangers: Iterable[str]) -> bool:
    """Return whether a text was mostly, or in a long run, copied from other users; of texts that give orders hardly
    anything may be.
    """
    letters = _squeezed(said)
    theirs = [(squeezed, _ORDERED_QUOTE if gives_orders(words) else LONGEST_QUOTE)
              for words in strangers if (squeezed := _squeezed(words))]  # fmt: skip
    if any(letters in one or _shares_run(letters, one, limit) for one, limit in theirs):
        return True
    length = max(2, _PIECE // _scale(letters))
    known = set().union(*(_pieces(one, length) for one, _ in theirs)) if theirs else set()
    borrowed = [False] * len(letters)
    for at in range(len(letters) - length + 1):
        if letters[at : at + length] in known:
            borrowed[at : at + length] = [True] * length
    return sum(borrowed) * 100 > MOST_BORROWED_PERCENT * len(letters)
