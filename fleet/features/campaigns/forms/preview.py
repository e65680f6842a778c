"""An item as its network will show it: each part with its length, the link's card, the crop, and problems. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from fleet.adapters import registry as adapters
from fleet.adapters import texts
from fleet.adapters.manifest import TextRule
from fleet.features.campaigns.forms import adapting


@dataclass(frozen=True, slots=True)
class PartPreview:
    """One part: its text as sent, its length as the network counts it, and the most that it takes."""

    text: str
    length: int
    most: int
    unit: str


@dataclass(frozen=True, slots=True)
class PostPreview:
    """A post as a network will show it. `ratio` is width divided by height of its pictures; None: as they are."""

    network: str
    parts: tuple[PartPreview, ...]
    card: Mapping[str, str]
    """url, host, title and description of the link's card; empty without one."""
    pictures: tuple[Mapping[str, Any], ...]
    ratio: float | None
    label: str
    """How the network marks the post as made with AI."""
    problems: tuple[str, ...]
    notes: tuple[str, ...]


def of(
    network: str, *, message: str = "", parts: Sequence[str] = (), link: Mapping[str, str] | None = None,
    media: Sequence[Mapping[str, Any]] = (), hashtags: Sequence[str] = (), is_adapted: bool = False,
    own: Mapping[str, TextRule] = MappingProxyType({}),
) -> PostPreview:  # fmt: skip
    """Return the preview of a message, adapted as the pipeline does; with `parts`, of these as they are.

    `own` are the text rules of the account's server.
    """
    manifest = adapters.get(network) if network in adapters.names() else None
    rule, style, link = adapting.rule_of(manifest, own), adapting.style_of(network), dict(link or {})
    notes: tuple[str, ...] = ()
    shown, url, pictures = tuple(parts), link.get("url", ""), list(media)
    if not parts and not is_adapted:
        made = adapting.adapt(message, rule, style, hashtags=hashtags, link=url, has_picture=bool(media))
        shown, url, notes = made.parts, made.link, made.notes
        pictures = pictures if made.has_picture or style.needs_media else []
    problems = adapting.problems(
        shown, rule, style, link=url, pictures=len(pictures), media=None if manifest is None else manifest.pictures
    )
    card = {**link, "host": _host(url)} if url and style.has_card else {}
    appended = f"\n\n{url}" if url and not style.has_card else ""
    sent = [f"{one}{appended}" if place == len(shown) else one for place, one in enumerate(shown, 1)]
    return PostPreview(
        network=network,
        parts=tuple(PartPreview(one, texts.length(one, rule), rule.most, str(rule.unit)) for one in sent),
        card=card,
        pictures=tuple(pictures),
        ratio=manifest.pictures.best_ratio if manifest is not None and manifest.pictures is not None else None,
        label=manifest.labels.post if manifest is not None and manifest.labels is not None else "",
        problems=tuple(problems),
        notes=notes,
    )


def _host(url: str) -> str:
    """Return the host of an address; empty for one that is only half typed."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
