"""One message becomes what each network takes: a thread, a caption with its hashtags, a post with a link card. Pure.

Limits come from the manifest of the network's adapter. Here is only what the networks' customs add to them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from fleet.adapters import texts
from fleet.adapters.manifest import AdapterType, MediaRule, TextRule
from fleet.core import text

MOST_PARTS = 10
_COUNTER_CHARS = 6
"""What " 10/10" adds to a part of a thread, at most."""
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkStyle:
    """How posts of a network are built."""

    has_threads: bool = False
    """Whether a text that is too long becomes a thread: `PostPayload.follows` continues a post there."""
    has_card: bool = False
    """Whether a link becomes a card that takes the place of pictures."""
    needs_media: bool = False
    format: str = ""


STYLES: Mapping[str, NetworkStyle] = MappingProxyType(
    {
        "x": NetworkStyle(has_threads=True),
        "atproto": NetworkStyle(has_threads=True),
        "mastodon": NetworkStyle(has_threads=True),
        "linkedin": NetworkStyle(has_card=True),
        "facebook": NetworkStyle(has_card=True),
        "instagram": NetworkStyle(needs_media=True),
        "tiktok": NetworkStyle(needs_media=True),
    }
)
PLAIN = NetworkStyle()
_DEFAULT_RULE = TextRule(most=500, links=False)


@dataclass(frozen=True, slots=True)
class Adapted:
    """A post in the form of a network. `link` is shown as a card or after the last part; empty without one."""

    parts: tuple[str, ...]
    link: str = ""
    has_picture: bool = False
    notes: tuple[str, ...] = ()
    """What was left out or changed, for people."""


def rule_of(manifest: AdapterType | None, own: Mapping[str, TextRule] = MappingProxyType({})) -> TextRule:
    """Return the rule of a network's posts. `own` are the rules of the account's server, which come first."""
    return {**(manifest.texts if manifest is not None else {}), **own}.get("post", _DEFAULT_RULE)


def style_of(network: str) -> NetworkStyle:
    """Return how posts of a network are built."""
    return STYLES.get(network, PLAIN)


def adapt(
    message: str, rule: TextRule, style: NetworkStyle, *, hashtags: Sequence[str] = (), link: str = "",
    has_picture: bool = False,
) -> Adapted:  # fmt: skip
    """Return a message as a post of a network: every part fits the rule, its link included."""
    notes: list[str] = []
    words = text.storable(message).strip()
    if not rule.line_breaks:
        words = " ".join(words.split())
    if link and not rule.links:
        link, notes = "", [*notes, "the link is left out: links do not work there"]
    if link and style.has_card and has_picture:
        has_picture, notes = False, [*notes, "the link's card takes the place of the picture"]
    tags = _fresh_tags(words, hashtags, (rule.best_hashtags or rule.hashtags) - len(texts.hashtags(words)))
    room = _without_link(rule, link, style)
    tagged = _tagged(words, tags, rule)
    if texts.fits(tagged, room):
        return Adapted((tagged,), link, has_picture, tuple(notes))
    if not style.has_threads:
        short = texts.cut_at_sentence(words, _less(room, _size(" ".join(tags), rule) + 1))
        return Adapted(
            (_tagged(short, tags, rule),), link, has_picture, (*notes, f"cut to {rule.most:,} characters")
        )  # fmt: skip
    return Adapted(_thread(words, tags, rule, room), link, has_picture, tuple(notes))


def _thread(words: str, tags: Sequence[str], rule: TextRule, room: TextRule) -> tuple[str, ...]:
    """Return a text as the parts of a thread, numbered: the tags are in the first part, the link follows the last."""
    tail = " ".join(tags)
    spare = _COUNTER_CHARS + max(_size(tail, rule) + 1 if tail else 0, rule.most - room.most)
    parts = texts.split(words, rule, most_parts=MOST_PARTS, reserve=min(spare, rule.most // 2))
    numbered = [f"{part} {number}/{len(parts)}" for number, part in enumerate(parts, 1)] if len(parts) > 1 else parts
    first = f"{numbered[0]} {tail}" if tail and texts.fits(f"{numbered[0]} {tail}", rule) else numbered[0]
    return (first, *numbered[1:])


def _without_link(rule: TextRule, link: str, style: NetworkStyle) -> TextRule:
    """Return the rule for the text beside a link that its adapter appends."""
    return rule if not link or style.has_card else _less(rule, _size(f"\n\n{link}", rule))


def _less(rule: TextRule, units: int) -> TextRule:
    fewer_bytes = None if rule.most_bytes is None else max(1, rule.most_bytes - 4 * units)
    return replace(rule, most=max(1, rule.most - units), most_bytes=fewer_bytes)


def _size(words: str, rule: TextRule) -> int:
    return texts.length(words, rule)


def _tagged(words: str, tags: Sequence[str], rule: TextRule) -> str:
    between = "\n" if rule.line_breaks and rule.best_hashtags > 2 else " "
    return f"{words}{between}{' '.join(tags)}" if tags else words


def _fresh_tags(words: str, hashtags: Sequence[str], most: int) -> list[str]:
    known = {one.value.casefold() for one in texts.hashtags(words)}
    found = [f"#{tag}" for one in hashtags if (tag := as_hashtag(one)) and tag.casefold() not in known]
    return list(dict.fromkeys(found))[: max(0, most)]


def as_hashtag(words: str) -> str:
    """Return words as a hashtag without its sign: "open source" is OpenSource; empty if there is none in them."""
    found = _WORD.findall(text.clean(words))
    joined = found[0] if len(found) == 1 else "".join(one[:1].upper() + one[1:] for one in found)
    return joined[:60] if any(char.isalpha() for char in joined) else ""


def problems(
    parts: Sequence[str], rule: TextRule, style: NetworkStyle, *, link: str = "", pictures: int = 0,
    media: MediaRule | None = None, alt_texts: Collection[str] = (), needs_media: bool = False,
) -> list[str]:  # fmt: skip
    """Return what a network would not take of a post, for people; nothing for one that it takes."""
    found: list[str] = []
    if not [one for one in parts if one.strip()]:
        found.append("there is no text")
    if len(parts) > 1 and not style.has_threads:
        found.append("there are no threads there")
    for number, part in enumerate(parts, 1):
        shown = f"{part}\n\n{link}" if link and not style.has_card and number == len(parts) else part
        where = f"part {number}: " if len(parts) > 1 else ""
        found += [f"{where}{one}" for one in texts.problems(shown, rule)]
    if media is not None and pictures > media.most:
        found.append(f"{pictures} pictures, {media.most} allowed")
    if pictures and media is None:
        found.append("there are no pictures there")
    if (style.needs_media or needs_media) and not pictures:
        found.append("a post there needs a picture")
    if pictures and any(not one.strip() for one in alt_texts):
        found.append("a picture has no alt text")
    return found
