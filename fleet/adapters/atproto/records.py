"""Records of the AT Protocol as JSON: posts with facets and embeds, likes, follows, profiles. Pure.

A record is built from its job alone, from the same values in every attempt: the job's time, and the `uploads` that the
engine stored (blobs, the accounts of mentions, the versions of posts that it refers to).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fleet.adapters import base, texts
from fleet.adapters.atproto import keys
from fleet.adapters.manifest import TextRule, TextUnit
from fleet.adapters.social import LinkCard, Media

POST_TEXT = TextRule(
    most=300, unit=TextUnit.GRAPHEMES, most_bytes=3000, hashtags=8, best_hashtags=3, mentions=5, line_breaks=20
)
ALT_TEXT = TextRule(most=1000, unit=TextUnit.GRAPHEMES, line_breaks=20)
BIO = TextRule(most=256, unit=TextUnit.GRAPHEMES, most_bytes=2560, line_breaks=20)
BOT = "bot"
WARNINGS = ("sexual", "nudity", "porn", "graphic-media")
"""The self-labels that a post can have (app.bsky and the label values of atproto.com)."""
_MOST_FACETS = 50
_TAG_RULE = TextRule(most=64, unit=TextUnit.GRAPHEMES, most_bytes=640)
_SELF_LABELS = "com.atproto.label.defs#selfLabels"


def handles(words: str) -> list[str]:
    """Return the handles that a text mentions, each once."""
    found = [one.value.lower() for one in texts.mentions(words) if keys.HANDLE.fullmatch(one.value)]
    return list(dict.fromkeys(found))[: POST_TEXT.mentions]


def facets(words: str, dids: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the links, hashtags and mentions of a text by UTF-8 byte. A mention without a DID stays plain text."""
    found: list[tuple[texts.TextSpan, dict[str, str]]] = [
        (one, {"$type": "app.bsky.richtext.facet#link", "uri": one.value}) for one in texts.urls(words)
    ]
    found += [
        (one, {"$type": "app.bsky.richtext.facet#tag", "tag": one.value})
        for one in texts.hashtags(words) if texts.fits(one.value, _TAG_RULE)
    ]  # fmt: skip
    found += [
        (one, {"$type": "app.bsky.richtext.facet#mention", "did": dids[one.value.lower()]})
        for one in texts.mentions(words) if one.value.lower() in dids
    ]  # fmt: skip
    placed = []
    for span, feature in sorted(found, key=lambda one: one[0].start)[:_MOST_FACETS]:
        start, end = span.bytes_in(words)
        placed.append({"index": {"byteStart": start, "byteEnd": end}, "features": [feature]})
    return placed


def post(words: str, created_at: str, uploads: Mapping[str, Any], *, language: str = "", warning: str = "",
         pictures: Iterable[Media] = (), link: LinkCard | None = None) -> dict[str, Any]:  # fmt: skip
    """Return the record of a post. Raises Refused for one that the network does not take."""
    if not texts.fits(words, POST_TEXT):
        raise base.Refused("; ".join(texts.problems(words, POST_TEXT)))
    record: dict[str, Any] = {"$type": keys.POST, "text": words, "createdAt": created_at}
    found = facets(words, uploads.get("mentions", {}))
    if found:
        record["facets"] = found
    if uploads.get("reply"):
        record["reply"] = uploads["reply"]
    embed = _embed(uploads, pictures, link)
    if embed is not None:
        record["embed"] = embed
    if language:
        record["langs"] = [language]
    if warning:
        if warning not in WARNINGS:
            raise base.Refused(f"the network has no content warning {warning!r}; it has {', '.join(WARNINGS)}")
        record["labels"] = {"$type": _SELF_LABELS, "values": [{"val": warning}]}
    return record


def _embed(uploads: Mapping[str, Any], pictures: Iterable[Media], link: LinkCard | None) -> dict[str, Any] | None:
    media: dict[str, Any] | None = None
    images = [
        {"image": blob, "alt": texts.cut(one.alt_text, ALT_TEXT)}
        for blob, one in zip(uploads.get("pictures", ()), pictures, strict=True)
    ]
    if images:
        media = {"$type": "app.bsky.embed.images", "images": images}
    elif link is not None:
        card: dict[str, Any] = {"uri": link.url, "title": link.title[:300], "description": link.description[:1000]}
        if uploads.get("thumb"):
            card["thumb"] = uploads["thumb"]
        media = {"$type": "app.bsky.embed.external", "external": card}
    if not uploads.get("quoted"):
        return media
    quote = {"$type": "app.bsky.embed.record", "record": uploads["quoted"]}
    return quote if media is None else {"$type": "app.bsky.embed.recordWithMedia", "record": quote, "media": media}


def profile(current: Mapping[str, Any] | None, name: str, bio: str) -> dict[str, Any]:
    """Return a profile that says that the account is automated; what a person wrote there stays."""
    record: dict[str, Any] = {"$type": keys.PROFILE, **(current or {})}
    record.setdefault("displayName", texts.cut(name, TextRule(most=64, unit=TextUnit.GRAPHEMES, most_bytes=640)))
    written = str(record.get("description") or "")
    if bio and bio not in written:
        both = f"{written}\n\n{bio}" if written else bio
        record["description"] = both if texts.fits(both, BIO) else texts.cut(bio, BIO)
    if not is_bot(record):
        values = [one for one in labels_of(record) if one != BOT]
        record["labels"] = {"$type": _SELF_LABELS, "values": [{"val": one} for one in [*values, BOT]]}
    return record


def labels_of(record: Mapping[str, Any]) -> list[str]:
    """Return the labels that an account has given itself in its profile."""
    labels = record.get("labels")
    values = labels.get("values") if isinstance(labels, dict) else None
    return [str(one.get("val")) for one in values if isinstance(one, dict)] if isinstance(values, list) else []


def is_bot(record: Mapping[str, Any]) -> bool:
    """Return whether a profile says that its account is automated."""
    return BOT in labels_of(record)
