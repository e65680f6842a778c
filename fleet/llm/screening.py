"""Whether words that a model wrote may be shown: they must not parrot strangers, give orders or tell the house rules.

Called by `fleet.llm.writer` on every answer. Pure. A model that was talked into something gives back what it was talked
into, so the test that needs no list of languages is how much of its answer was handed to it.
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
"""Letters of somebody else's text that may stand in a row: about three words. Of scripts with a sign for a word or a
syllable, fewer."""
_LONGEST_HOUSE_RUN = 40
_PIECE = 8
_ORDERED_QUOTE = 6
"""Letters in a row that may not be taken from one who gives orders: hardly a word."""
MOST_BORROWED_PERCENT = 40


def why_not_post(words: PostWords, request: PostRequest) -> str | None:
    """Return why a post must not be shown, or None."""
    texts = (words.image_prompt, words.caption, words.alt_text)
    if any(_same(words.caption, earlier) for earlier in request.recent_captions):
        return "caption: it is one of the recent captions; write another."
    return _why_not(texts, strangers=request.memories)


def why_not_comment(words: CommentWords, request: CommentRequest) -> str | None:
    """Return why a comment must not be shown, or None. An author may be named, as long as the name is one."""
    strangers = [part for post in request.seen for part in (post.caption, *post.comments)]
    strangers += [post.author for post in request.seen if not author_name(post.author)]
    names = [re.escape(name) for post in request.seen if (name := author_name(post.author))]
    known = re.compile(rf"\b(?:{'|'.join(names)})\b") if names else None
    # Whom an agent talked to before is named in its memories, and may be named again.
    memories = [known.sub(" ", one) if known else one for one in request.memories]
    return _why_not((words.text,), strangers=[*strangers, *memories])


def why_not_words(texts: Iterable[str], strangers: Iterable[str]) -> str | None:
    """Return why texts must not be shown beside what strangers wrote, or None."""
    return _why_not(texts, list(strangers))


def _why_not(texts: Iterable[str], strangers: Iterable[str]) -> str | None:
    said = [one for one in texts if one]
    if any(gives_orders(one) for one in said):
        return "It gives orders; talk about the picture."
    if any(_shares_run(_squeezed(one), _squeezed(HOUSE), _LONGEST_HOUSE_RUN) for one in said):
        return "It repeats these rules; talk about the picture."
    if any(_parrots(one, strangers) for one in said):
        return "It repeats what somebody else wrote; use your own words, and at most three of theirs in a row."
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
    """Say whether a run of so many letters stands in both of two squeezed texts."""
    length = max(2, letters // _scale(said))
    return not _pieces(said, length).isdisjoint(_pieces(other, length))


def _parrots(said: str, strangers: Iterable[str]) -> bool:
    """Say whether a text is mostly, or in a long run, what strangers wrote; of one who gives orders next to nothing."""
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
