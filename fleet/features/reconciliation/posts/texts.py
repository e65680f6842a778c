"""Whether a network shows the text that was sent, in whatever form it writes links, names and white space. Pure.

Sources: Mastodon writes `@name@host` as `@name` and adds invisible parts to links (docs.joinmastodon.org, statuses). X
replaces each address by one of t.co and adds those of link cards (docs.x.com, entities). Facebook, Instagram, LinkedIn
and galleries give entities and white space in forms of their own. Read 2026-11-24.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Sequence
from urllib.parse import unquote

_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u2060\ufe0e\ufe0f\ufeff"))
_TAG = re.compile(r"</?(?:a|abbr|b|br|blockquote|code|div|em|i|li|ol|p|pre|s|span|strong|u|ul)\b[^<>]{0,2000}>", re.I)
_LINK = re.compile(r"(?:https?://)?(?:[a-z0-9-]+\.)+[a-z]{2,24}(?::\d{1,5})?(?:[/?#]\S*)?", re.I)
_SHORT_HOSTS = {"x": ("t.co",), "linkedin": ("lnkd.in",), "facebook": ("fb.me",)}
"""The hosts to which a network shortens any address: where it leads is not in the text."""
_CUT = ("…", "...")
_STOPS = ".,;:!?…\"'”’»)]}"
_SUFFIXED = frozenset({"x"})
"""Networks whose posts end with the addresses of their cards and quotes."""


def same_text(network: str, sent: str, shown: str, *, link: str = "") -> bool:
    """Return whether `shown`, as a network gives it, is the text `sent`. `link` is the address of the post's card."""
    if sent == shown:
        return True
    ours, theirs = _words(sent), _words(shown)
    if _same_words(network, ours, theirs):
        return True
    extra = theirs[len(ours) :]
    if not extra or not _same_words(network, ours, theirs[: len(ours)]):
        return False
    if network in _SUFFIXED:
        return all(_is_link(one) for one in extra)
    return bool(link) and len(extra) == 1 and _same_word(network, link, extra[0])


def links_of(text: str) -> frozenset[str]:
    """Return the addresses in a text, in the one form in which they are compared."""
    return frozenset(_address(one) for one in _words(text) if _is_link(one))


def _words(text: str) -> list[str]:
    """Return the words of a text: without tags, with the characters of entities, in one Unicode form."""
    found = _TAG.sub(_of_tag, text) if "<" in text else text
    found = unicodedata.normalize("NFKC", html.unescape(html.unescape(found))).translate(_INVISIBLE)
    return found.split()


def _of_tag(match: re.Match[str]) -> str:
    """Return what a tag is between words: blocks part them, inline tags do not."""
    name = match[0].strip("</> ").split()[0].lower().rstrip("/>")
    return " " if name in ("br", "p", "div", "li", "ul", "ol", "blockquote", "pre") else ""


def _same_words(network: str, ours: Sequence[str], theirs: Sequence[str]) -> bool:
    return len(ours) == len(theirs) and all(_same_word(network, *both) for both in zip(ours, theirs, strict=True))


def _same_word(network: str, ours: str, theirs: str) -> bool:
    if ours == theirs:
        return True
    ours, our_end = _without_stops(ours)
    theirs, their_end = _without_stops(theirs)
    is_cut = theirs.endswith(_CUT) or their_end.startswith(_CUT)
    if our_end != their_end and not is_cut:
        return False
    if ours == theirs:
        return our_end == their_end
    if ours.startswith("@") and theirs.startswith("@"):
        return _name(ours) == _name(theirs)
    if not _is_link(ours):
        return False
    if _is_short(network, theirs):
        return True
    if not _is_link(theirs):
        return False
    mine, seen = _address(ours), _address(theirs)
    return mine == seen or (is_cut and len(seen) > 3 and mine.startswith(seen))


def _without_stops(word: str) -> tuple[str, str]:
    """Return a word without the brackets before it and the punctuation after it, and that punctuation."""
    bare = word.rstrip(_STOPS)
    return bare.lstrip("([{\"'“‘«"), word[len(bare) :]


def _is_link(word: str) -> bool:
    return _LINK.fullmatch(_without_stops(word)[0]) is not None


def _is_short(network: str, word: str) -> bool:
    host = _address(word).partition("/")[0]
    return host in _SHORT_HOSTS.get(network, ())


def _address(word: str) -> str:
    """Return an address without its scheme, the `www.` of its host, the case of its host and a slash at its end."""
    bare = re.sub(r"^https?://", "", _without_stops(word)[0], flags=re.I)
    host, slash, rest = bare.partition("/")
    return unquote(f"{host.lower().removeprefix('www.')}{slash}{rest}").rstrip("/")


def _name(word: str) -> str:
    """Return the name of a mention without its host."""
    return word.lstrip("@").partition("@")[0].lower()
