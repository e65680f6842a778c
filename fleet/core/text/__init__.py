"""Make texts of people and machines safe to store and to show, in every script.

Called wherever a text enters or leaves Fleet. Pure. Letters, marks and emoji of all languages stay; invisible
characters go: controls, direction overrides, zero-width and tag characters, piled-up marks.
"""

from __future__ import annotations

import html
import re
import unicodedata

from fleet.core.text import links

ELLIPSIS = "…"
MOST_MARKS = 5  # no orthography piles more on one letter; decorated "zalgo" text does

_ZWNJ, _ZWJ = "\u200c", "\u200d"
_BLACK_FLAG = "\U0001f3f4"
_VISIBLE_FORMATS = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd")
_BLANK_LETTERS = frozenset("\u115f\u1160\u3164\uffa0\u2800\u17b4\u17b5")
_JOINER_MARK, _SELECTORS = "\u034f", range(0xFE00, 0xFE10)
_FREE_SELECTORS = range(0x180B, 0x1810)  # Mongolian ones, and its vowel separator
_TAGS = range(0xE0000, 0xE0200)  # tag characters and the selectors beyond them: a way to hide text in text
_FLAG_TAGS = range(0xE0020, 0xE0080)
_REGIONS = range(0x1F1E6, 0x1F200)
_SKIN_TONES = range(0x1F3FB, 0x1F400)
_EMOJI = (range(0x2190, 0x2BFF), range(0x1F000, 0x1FB00))
_JOINED_SCRIPTS = (range(0x0600, 0x08FF), range(0x0900, 0x0DFF), range(0x0E80, 0x1100), range(0x1780, 0x18B0))

_TERMINAL_CODES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]{0,200}(?:\x07|\x1b\\)?|\x9b[0-?]*[ -/]*[@-~]")
_TAG_EDGE = re.compile(r"[<>]")
_OPENING = re.compile(r"</?[a-zA-Z!?]")
_HIDDEN = re.compile(r"<(script|style)\b", re.IGNORECASE)
_CLOSINGS = {name: re.compile(rf"</{name}[^<>]*>", re.IGNORECASE) for name in ("script", "style")}
_MOST_NESTED_ENTITIES = 8
"""Passes in which entities are decoded: one pass for each level of `&amp;amp;lt;`. What remains is removed."""
_MARKUP_SIGNS = re.compile(r"[<>`{}\[\]\\|~^]|\*\*+|__+")
_MARKDOWN_LINK = re.compile(r"!?\[([^\[\]]{0,200})\]\([^()\s]{0,500}\)")
_KEY = re.compile(
    r"-----BEGIN [A-Z ]{3,40}-----\S*"
    r"|\b(?:sk|pk|rk|fst|ghp|gho|ghs|github_pat|glpat|xox[abprs]|hf|npm|AKIA|ASIA|AIza|ya29)[-_.]?[A-Za-z0-9_-]{8,}"
    r"|\beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){0,2}"
    r"|\b(?:0x|bc1|ltc1)[A-Za-z0-9]{20,}"
    r"|(?<![\w+/-])(?=[A-Za-z_+/]*\d)(?=[\d_+/]*[A-Za-z])[A-Za-z0-9_+/]{24,}={0,2}"  # letters and digits without end
)
_ADDRESS = re.compile(r"[\w.+-]{1,64}[@＠][\w-]+(?:\.[\w-]+)*")
_MENTION = re.compile(r"[@＠][\w.-]*")
_HASHTAG_WORD = re.compile(r"(?=\w*[^\W\d])\w+\s*")
_HASH_BEFORE_WORD = re.compile(r"[#＃](?=\w*[^\W\d])")
_NOT_KEPT = re.compile("[\x00\ud800-\udfff]")
_BLANKS = re.compile(r"\s+")
_BLANK_BEFORE_POINT = re.compile(r"\s+(?=[,.;:!?…](?:\s|$))")


def storable(text: str) -> str:
    """Return the text with a replacement for what no database stores: NUL, and lone surrogates."""
    return _NOT_KEPT.sub("\ufffd", text)


def clean(text: str) -> str:
    """Return the text in NFC on one line: every script and emoji kept, all invisible characters removed.

    Cleaning a clean text changes nothing.
    """
    if text.isascii() and text.isprintable():
        return _BLANKS.sub(" ", text).strip()
    seen = ""
    # Removing characters may bring two joiners or a letter and its mark together, so repeat until nothing changes.
    while seen != text:
        seen = text
        text = unicodedata.normalize("NFC", _TERMINAL_CODES.sub("", text))
        text = _BLANKS.sub(" ", "".join(_visible(text))).strip()
        text = unicodedata.normalize("NFC", text)
    return text


def cut(text: str, limit_chars: int) -> str:
    """Shorten to at most `limit_chars` code points, an ellipsis included.

    Cuts at a blank where one is near, else between two whole characters as a reader counts them.
    """
    if len(text) <= limit_chars:
        return text
    if limit_chars < 1:
        return ""
    end = limit_chars - len(ELLIPSIS)
    while end > 0 and not _may_break(text, end):
        end -= 1
    blank = text.rfind(" ", 0, end + 1)
    if blank > end // 2:
        end = blank
    return text[:end].rstrip(" ,;:-–—") + ELLIPSIS


def without_markup(text: str) -> str:
    """Remove tags, comments and entities of HTML, and the characters of Markdown; the words between them stay."""
    for _ in range(_MOST_NESTED_ENTITIES):
        decoded = html.unescape(text)
        plain = _without_tags(decoded)
        if plain == text:
            break
        text = plain
    else:
        text = text.replace("&", " ")
    return _MARKUP_SIGNS.sub(" ", text)


def without_links(text: str) -> str:
    """Remove addresses of web and mail, also disguised ones (hxxp, a[.]example); a markdown link keeps its label.

    An address that may also be the end of a sentence ("lamp.It is late") stays.
    """
    text = _MARKDOWN_LINK.sub(r"\1", _ADDRESS.sub(" ", text))
    kept, end = [], 0
    for link in links.find(text):
        if link.sure:
            kept += [text[end : link.start], " "]
            end = link.end
    return _close_up("".join(kept) + text[end:])


def without_keys(text: str) -> str:
    """Remove whatever looks like a key, a token or a wallet address."""
    return _close_up(_KEY.sub(" ", text))


def without_mentions(text: str) -> str:
    """Remove @names, so that a text mentions no outside user."""
    return _close_up(_MENTION.sub(" ", _ADDRESS.sub(" ", text)))


def without_hashtags(text: str) -> str:
    """Remove the hashtags that end a text; one within a sentence becomes its plain word. `#1` is a number and stays."""
    end = len(text)
    while (hash_at := max(text.rfind("#", 0, end), text.rfind("＃", 0, end))) >= 0:
        if not _HASHTAG_WORD.fullmatch(text, hash_at + 1, end):
            break
        end = hash_at
    return _close_up(_HASH_BEFORE_WORD.sub("", text[:end]))


def _without_tags(text: str) -> str:
    """Remove tags, comments, scripts and styles in one pass; the end of an unclosed tag is searched for only once."""
    kept: list[str] = []
    unclosed: set[str] = set()
    at = 0
    while (start := text.find("<", at)) >= 0:
        kept.append(text[at:start])
        at = _end_of_tag(text, start, unclosed)
        kept.append(" " if at > start else "<")
        at = max(at, start + 1)
    return "".join([*kept, text[at:]])


def _end_of_tag(text: str, start: int, unclosed: set[str]) -> int:
    """Return where the tag or comment that begins at `start` ends; `start` itself if none begins there."""
    if text.startswith("<!--", start):
        end = text.find("-->", start)
        return end + 3 if end >= 0 else len(text)
    if not _OPENING.match(text, start):
        return start
    edge = _TAG_EDGE.search(text, start + 1)
    if edge is None:
        return len(text)
    hidden = _HIDDEN.match(text, start)
    name = hidden[1].lower() if hidden else ""
    if edge[0] == "<":
        return start
    if name and name not in unclosed:
        closing = _CLOSINGS[name].search(text, edge.end())
        if closing is not None:
            return closing.end()
        unclosed.add(name)
    return edge.end()


def _close_up(text: str) -> str:
    return _BLANK_BEFORE_POINT.sub("", _BLANKS.sub(" ", text)).strip()


def _visible(text: str) -> list[str]:
    kept: list[str] = []
    marks = 0
    for place, char in enumerate(text):
        if " " <= char <= "~":
            kept.append(char)
            marks = 0
            continue
        char = _keep(char, kept, text[place + 1 : place + 2])  # noqa: PLW2901
        if not char:
            continue
        marks = marks + 1 if unicodedata.category(char) in ("Mn", "Me") else 0
        if marks <= MOST_MARKS:
            kept.append(char)
    return kept


def _keep(char: str, kept: list[str], following: str) -> str:
    """Return the replacement of one character: itself, a blank, or nothing."""
    before = kept[-1] if kept else ""
    code = ord(char)
    if code < 0x7F:
        return char if code >= 0x20 else _control(char)
    if char in _BLANK_LETTERS:
        return " "
    if char in (_ZWJ, _ZWNJ):
        return char if _joins(before, char, following) else ""
    if code in _SELECTORS:
        return char if before and not before.isspace() and ord(before) not in _SELECTORS else ""
    if code in _TAGS:
        return char if code in _FLAG_TAGS and _in_flag(kept) else ""
    return _by_category(char, code)


def _by_category(char: str, code: int) -> str:
    category = unicodedata.category(char)
    if category in ("Zs", "Zl", "Zp"):
        return " "
    if category == "Cc":
        return _control(char)
    if category == "Cf":
        return char if char in _VISIBLE_FORMATS or code in _FREE_SELECTORS else ""
    if category == "Cn":  # newer than our tables, as every year's emoji are; noncharacters stay out
        return "" if code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF else char
    return "" if category in ("Cs", "Co") or char == _JOINER_MARK else char


def _control(char: str) -> str:
    return " " if char in "\t\n\v\f\r\x1c\x1d\x1e\x1f\x85" else ""


def _joins(before: str, joiner: str, following: str) -> bool:
    """Return whether a joiner has an effect at its place: between emoji, or in a script that joins its letters."""
    if not before or not following:
        return False
    if joiner == _ZWJ and _is_emoji(following):
        return _is_emoji(before) or ord(before) in _SELECTORS or ord(before) in _SKIN_TONES
    return any(ord(before) in block for block in _JOINED_SCRIPTS)


def _is_emoji(char: str) -> bool:
    return any(ord(char) in block for block in _EMOJI)


def _in_flag(kept: list[str]) -> bool:
    """Return whether a tag character continues a flag, such as that of Scotland: at most six tags and their end."""
    for back, char in enumerate(reversed(kept[-8:])):
        if char == _BLACK_FLAG:
            return back <= 6
        if ord(char) not in _FLAG_TAGS:
            return False
    return False


def _may_break(text: str, place: int) -> bool:
    """Tell whether text[:place] and text[place:] are whole characters to a reader."""
    before, after = text[place - 1], text[place]
    code = ord(after)
    if unicodedata.combining(after) or unicodedata.category(after) in ("Mn", "Me", "Mc"):
        return False
    if after in (_ZWJ, _ZWNJ) or before in (_ZWJ, _ZWNJ) or code in _SELECTORS:
        return False
    if code in _SKIN_TONES or code in _FLAG_TAGS:
        return False
    if code in range(0x1160, 0x1200):  # the later letters of a Hangul syllable
        return False
    return code not in _REGIONS or _regions_before(text, place) % 2 == 0


def _regions_before(text: str, place: int) -> int:
    count = 0
    while count < place and ord(text[place - 1 - count]) in _REGIONS:
        count += 1
    return count


_STEPS = ((86_400 * 2, 86_400, "d"), (3600 * 2, 3600, "h"), (120, 60, "min"), (0, 1, "s"))


def span(seconds: float) -> str:
    """Return a length of time in its largest fitting unit: 40 s, 12 min, 5 h, 3 d."""
    for least, unit, name in _STEPS:
        if seconds >= least:
            return f"{int(seconds // unit)} {name}"
    return "0 s"


def span_between(least_s: float, most_s: float) -> str:
    """Return a range of lengths of time as people say it: 1 to 5 min, 30 to 90 s, 90 s to 2.5 h."""
    unit, most_unit = _unit_of(least_s), _unit_of(most_s)
    unit = min(unit, most_unit)
    least, most = _in_unit(least_s, unit), _in_unit(most_s, most_unit)
    if least == most:
        return most
    return f"{least.partition(' ')[0]} to {most}" if unit == most_unit else f"{least} to {most}"


def pause_words(interval: tuple[float, float], real: tuple[float, float]) -> str:
    """Return a range of pauses in words; `real` is the same in real time, told where the tempo makes it another."""
    plain, scaled = span_between(*interval), span_between(*real)
    return f"about {plain}" if plain == scaled else f"about {plain}; in real time about {scaled}"


def _unit_of(seconds: float) -> int:
    """Return the largest unit of which a length of time has exactly one, or two and more."""
    return next((unit for _, unit, _ in _STEPS if seconds == unit or seconds >= 2 * unit), 1)


def _in_unit(seconds: float, unit: int) -> str:
    return f"{round(seconds / unit, 1):g} {next(name for _, one, name in _STEPS if one == unit)}"
