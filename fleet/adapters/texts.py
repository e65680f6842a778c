"""Length and form of texts as outside systems count them: graphemes, UTF-16, X's weights, bytes, links, hashtags.

Pure. Called by adapters, by `fleet.features.content` and by what splits a long text into the parts of a thread.
Every pattern here reads a text in linear time: texts of strangers are read as well.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import regex

from fleet.adapters.manifest import TextRule, TextUnit
from fleet.core import text as core_text
from fleet.core.text import links as addresses

ELLIPSIS = "…"
_GRAPHEME = regex.compile(r"\X")
_EMOJI = regex.compile(r"\p{Emoji_Presentation}|\p{Extended_Pictographic}|\p{Regional_Indicator}|[0-9#*]\uFE0F?\u20E3")
_URL = regex.compile(r"(?<![\w@/.])https?://[^\s<>\"'`{}|\\^\u3000-\u303f\uff00-\uffef]{1,2048}+", regex.IGNORECASE)
_BARE_URL = regex.compile(
    r"(?<![\w@./:#$-])(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.){1,10}+(?P<ending>[a-z]{2,24})(?![\w.-]*@)(?![a-z0-9-])"
    r"(?:/[^\s<>\"'`{}|\\^]{0,2048}+)?",
    regex.IGNORECASE,
)
_STOPS = ".,;:!?…*_~。、！？"
_CLOSING = {")": "(", "]": "["}
_HASHTAG = regex.compile(r"(?<![\w&/#＃])[#＃](?!\uFE0F|\u20E3)(\w*[^\W\d]\w*+)")
_MENTION = regex.compile(r"(?<![\w@＠.!#$%&*/])[@＠]([\w](?:[\w.-]*[\w])?+(?:@[\w](?:[\w.-]*[\w])?+)?+)")
_SENTENCE_END = regex.compile(r"(?:[.!?…][\"”’)»]*+(?=\s|$)|[。！？।؟۔]|\n)\s*+")
_SPACES = regex.compile(r"\s++")
_LEAST_PART = 0.4
"""A part of a thread that ends at a sentence has at least this share of the length; else it ends at a word."""
_ONE_WEIGHT = ((0, 4351), (8192, 8205), (8208, 8223), (8242, 8247))
"""The code points that X counts as one; all others as two (twitter-text, configuration 3)."""


@dataclass(frozen=True, slots=True)
class TextSpan:
    """A part of a text with a meaning: its place in code points, and its value without the sign before it."""

    start: int
    end: int
    value: str

    def bytes_in(self, words: str) -> tuple[int, int]:
        """Return its place in the UTF-8 form of the text."""
        start = len(words[: self.start].encode())
        return start, start + len(words[self.start : self.end].encode())


def graphemes(words: str) -> list[str]:
    """Return the characters as readers count them: a family of emoji is one."""
    return [one[0] for one in _GRAPHEME.finditer(words)]


def urls(words: str, *, bare: bool = False) -> list[TextSpan]:
    """Return the links that begin with http:// or https://; with `bare`, also host names such as example.org/a.

    Punctuation that ends a sentence is no part of a link.
    """
    found = [_trimmed(match.start(), match[0]) for match in _URL.finditer(words)]
    if bare:
        taken = [(one.start, one.end) for one in found]
        found += [
            _trimmed(match.start(), match[0]) for match in _BARE_URL.finditer(words)
            if match["ending"].lower() in addresses.endings()
            and not any(start <= match.start() < end for start, end in taken)
        ]  # fmt: skip
    return sorted(found, key=lambda one: one.start)


def hashtags(words: str) -> list[TextSpan]:
    """Return the hashtags; `#1` and a hash within a link are none."""
    return [*_outside_links(words, _HASHTAG)]


def mentions(words: str) -> list[TextSpan]:
    """Return the names after an @; those within a link or an address of mail are none."""
    return [*_outside_links(words, _MENTION)]


def length(words: str, rule: TextRule) -> int:
    """Return the length of a text as the system of the rule counts it."""
    if rule.unit is TextUnit.WEIGHTED:
        words = unicodedata.normalize("NFC", words.replace("\r\n", "\n"))
    if rule.url_length is None:
        return _LENGTHS[rule.unit](words)
    total, end = 0, 0
    for link in urls(words, bare=rule.unit is TextUnit.WEIGHTED):
        total += _LENGTHS[rule.unit](words[end : link.start]) + rule.url_length
        end = link.end
    return total + _LENGTHS[rule.unit](words[end:])


def fits(words: str, rule: TextRule) -> bool:
    """Return whether a text is short enough, in each of the rule's measures."""
    if rule.most_bytes is not None and len(words.encode()) > rule.most_bytes:
        return False
    return length(words, rule) <= rule.most


def problems(words: str, rule: TextRule) -> list[str]:
    """Return what is wrong with the form of a text, for people; nothing for one that the system takes."""
    found = []
    if (counted := length(words, rule)) > rule.most:
        found.append(f"{counted:,} {_UNIT_WORDS[rule.unit]}, {rule.most:,} allowed")
    if rule.most_bytes is not None and (size := len(words.encode())) > rule.most_bytes:
        found.append(f"{size:,} bytes, {rule.most_bytes:,} allowed")
    for name, spans, most in (
        ("hashtags", hashtags(words), rule.hashtags),
        ("mentions", mentions(words), rule.mentions),
    ):
        if len(spans) > most:
            found.append(f"{len(spans)} {name}, {most} allowed")
    if not rule.links and urls(words):
        found.append("links do not work there")
    if words.count("\n") > rule.line_breaks:
        found.append(f"{words.count(chr(10))} line breaks, {rule.line_breaks} allowed")
    return found


def cut(words: str, rule: TextRule) -> str:
    """Shorten a text that is too long, an ellipsis included: at a blank if one is near, else between two graphemes."""
    if fits(words, rule):
        return words
    if rule.unit is TextUnit.CHARACTERS and rule.most_bytes is None and rule.url_length is None:
        return core_text.cut(words, rule.most)
    end = _longest(words, lambda part: fits(part + ELLIPSIS, rule))
    blank = words.rfind(" ", 0, end + 1)
    if blank > end // 2:
        end = blank
    short = words[:end].rstrip(" ,;:-–—") + ELLIPSIS
    return short if fits(short, rule) else ""


def cut_at_sentence(words: str, rule: TextRule) -> str:
    """Shorten a text to whole sentences; if the first one is too long, at a word with an ellipsis."""
    if fits(words, rule):
        return words
    longest = _longest(words, lambda part: fits(part, rule))
    whole = words[: _sentence_end(words, longest) or 0].rstrip()
    return whole if len(whole) >= _LEAST_PART * longest and fits(whole, rule) else cut(words, rule)


def split(words: str, rule: TextRule, *, most_parts: int = 25, reserve: int = 0) -> list[str]:
    """Return a text as parts that fit: they end at a sentence where possible, else at a word.

    No part ends within a link or a grapheme, unless that alone is too long. `reserve` units of each part stay free, for
    what the caller adds to it ("2/5"). A text of more than `most_parts` ends with an ellipsis.
    """
    room = replace(rule, most=max(1, rule.most - reserve))
    rest, parts = words.strip(), list[str]()
    while rest and len(parts) < most_parts:
        if fits(rest, room):
            return [*parts, rest]
        if len(parts) == most_parts - 1:
            return [*parts, cut(rest, room)]
        end = _part_end(rest, room)
        parts.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
    return parts


def _part_end(words: str, rule: TextRule) -> int:
    longest = max(_longest(words, lambda part: fits(part.rstrip(), rule)), 1)
    sentence = _sentence_end(words, longest)
    if sentence is not None and sentence >= _LEAST_PART * longest and not _in_link(words, sentence):
        return sentence
    spaces: list[int] = [space.end() for space in _SPACES.finditer(words[: longest + 1]) if space.start() > 0]
    for end in reversed(spaces):
        if end <= longest + 1 and not _in_link(words, end):
            return min(end, longest + 1)
    link = next((one for one in urls(words) if one.start < longest < one.end), None)
    if link is not None and link.start > 0:
        return link.start
    return longest


def _in_link(words: str, place: int) -> bool:
    return any(one.start < place < one.end for one in urls(words[: place + 200]))


def _sentence_end(words: str, longest: int) -> int | None:
    ends: list[int] = [
        match.end() for match in _SENTENCE_END.finditer(words) if len(words[: match.end()].rstrip()) <= longest
    ]
    return ends[-1] if ends else None


def _longest(words: str, is_fine: Callable[[str], bool]) -> int:
    """Return the length in code points of the longest beginning that is fine, in whole graphemes."""
    places = [0, *(match.end() for match in _GRAPHEME.finditer(words))]
    low, high = 0, len(places) - 1
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if is_fine(words[: places[middle]]) else (low, middle - 1)
    return int(places[low])


def _outside_links(words: str, pattern: regex.Pattern[str]) -> Iterator[TextSpan]:
    taken = [(one.start, one.end) for one in urls(words)]
    for match in pattern.finditer(words):
        if not any(start <= match.start() < end for start, end in taken):
            yield TextSpan(match.start(), match.end(), match[1])


def _trimmed(start: int, value: str) -> TextSpan:
    while value and (value[-1] in _STOPS or _closes_nothing(value)):
        value = value[:-1]
    return TextSpan(start, start + len(value), value)


def _closes_nothing(value: str) -> bool:
    opening = _CLOSING.get(value[-1])
    return opening is not None and value.count(value[-1]) > value.count(opening)


def _utf16(words: str) -> int:
    return len(words.encode("utf-16-le", "surrogatepass")) // 2


def _weighted(words: str) -> int:
    if words.isascii():
        return len(words)
    total = 0
    for one in _GRAPHEME.finditer(words):
        grapheme = one[0]
        if _EMOJI.match(grapheme) and (len(grapheme) > 1 or ord(grapheme) > 0xFF):
            total += 2
        else:
            total += sum(1 if _is_light(ord(char)) else 2 for char in grapheme)
    return total


def _is_light(code: int) -> bool:
    return any(first <= code <= last for first, last in _ONE_WEIGHT)


_LENGTHS: dict[TextUnit, Callable[[str], int]] = {
    TextUnit.CHARACTERS: len,
    TextUnit.GRAPHEMES: lambda words: len(words) if words.isascii() and "\r" not in words else len(graphemes(words)),
    TextUnit.UTF16: _utf16,
    TextUnit.WEIGHTED: _weighted,
}
_UNIT_WORDS = {
    TextUnit.CHARACTERS: "characters", TextUnit.GRAPHEMES: "characters", TextUnit.UTF16: "UTF-16 units",
    TextUnit.WEIGHTED: "weighted characters",
}  # fmt: skip
