"""Captions, titles and comments as surfaces take them: one line, in any script, within the limit.

Called on every text that a writer gives back, whoever the writer is. Pure; what "unseen" means is said in `core.text`.
"""

from __future__ import annotations

from fleet.core import text

READ_TIMES = 20
"""Of a text so many times beyond its limit nothing can be shown, so it is not read either."""

_QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’", "«": "»", "„": "“", "「": "」"}


def tidy(words: str, limit_chars: int, *, hashtags: bool = True, links: bool = True) -> str:
    """Return the words on one line without unseen characters, at most `limit_chars` code points long.

    Every script and emoji survives. With `hashtags` or `links` off, those are taken out too.
    """
    words = text.clean(words[: READ_TIMES * limit_chars])
    # Taking one thing out can put another together, such as a link inside a hashtag.
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
