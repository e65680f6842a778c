"""Captions, titles and comments in the form of surfaces: one line, in any script, within the limit.

Called on every text of every writer. Pure; `core.text` defines invisible characters.
"""

from __future__ import annotations

from fleet.core import text

READ_TIMES = 20
"""A text is read up to so many times its limit: the rest could not be shown anyway."""

_QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’", "«": "»", "„": "“", "「": "」"}


def tidy(words: str, limit_chars: int, *, hashtags: bool = True, links: bool = True) -> str:
    """Return the text on one line without invisible characters, at most `limit_chars` code points long.

    Every script and emoji stays. With `hashtags` or `links` off, those are removed too.
    """
    words = text.clean(words[: READ_TIMES * limit_chars])
    # Removing one match can join another, such as a link inside a hashtag.
    seen = ""
    while seen != words:
        seen = words
        words = words if links else text.without_links(words)
        words = words if hashtags else text.without_hashtags(words)
        words = text.clean(words)
    return text.cut(words, limit_chars)


def unquoted(words: str) -> str:
    """Take off the quotation marks in which models like to hand over their whole answer."""
    words = words.strip()
    closing = _QUOTES.get(words[:1])
    inner = words[1:-1]
    if closing and len(words) > 2 and words.endswith(closing) and words[0] not in inner and closing not in inner:
        return inner
    return words
