"""HTML from templates: everything escaped, with the few filters that the pages need. Called by `pages` alone."""

from __future__ import annotations

import functools
import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from fleet.sandbox.gallery.store.posts import GalleryPost

_HERE = Path(__file__).parent
_HUES = 12


def render(template: str, values: dict[str, Any]) -> str:
    """Return a page or a part of one."""
    return _environment().get_template(template).render(values)


def ago(moment: datetime, now: datetime) -> str:
    """Return the age of a time in words."""
    seconds = max(0, (now - moment).total_seconds())
    if seconds < 45:
        return "just now"
    if seconds < 3600:
        return f"{max(1, round(seconds / 60))} min ago"
    if seconds < 86_400:
        hours = round(seconds / 3600)
        return f"{hours} hour{'' if hours == 1 else 's'} ago"
    if seconds < 7 * 86_400:
        days = round(seconds / 86_400)
        return f"{days} day{'' if days == 1 else 's'} ago"
    return f"{moment.astimezone(UTC):%d %b %Y}".lstrip("0")


def hue(username: str) -> int:
    """Return the account's avatar colour, one of twelve hues."""
    return hashlib.sha256(username.encode()).digest()[0] % _HUES


def initials(name: str) -> str:
    """Return one or two letters that stand for a name."""
    words = [word for word in name.split() if word[0].isalnum()] or [name.strip() or "?"]
    return (words[0][0] + (words[-1][0] if len(words) > 1 else "")).upper()


def picture_url(post: GalleryPost) -> str:
    """Return the address of a post's picture for our own pages, whatever name the gallery is visited by.

    Empty for a picture that is kept elsewhere: its server would learn who looks at our pages.
    """
    return f"/images/{post.image_name}" if post.image_name else ""


def preview_url(post: GalleryPost) -> str:
    """Return the address of a small version of the picture; empty for one that is kept elsewhere."""
    return f"/images/{post.image_name.split('.')[0]}.preview.webp" if post.image_name else ""


def made_how(post: GalleryPost) -> str:
    """Return the text of the label on a picture; empty for a person's unlabelled one."""
    kind = (post.source or "").rsplit("/", 1)[-1]
    if kind == "algorithmicMedia":
        return "Drawn by formula"
    return "AI-made" if post.user.is_agent or "Algorithmic" in kind else ""


def _asset(name: str) -> str:
    """Return a static file's address with its digest, so that a new version is never mistaken for the old."""
    digest = hashlib.sha256((_HERE / "static" / name).read_bytes()).hexdigest()[:10]
    return f"/static/{name}?v={digest}"


@functools.cache
def _environment() -> Environment:
    found = Environment(loader=FileSystemLoader(_HERE / "templates"), autoescape=True, undefined=StrictUndefined,
                        trim_blocks=True, lstrip_blocks=True)  # fmt: skip
    found.filters.update(ago=ago, hue=hue, initials=initials, picture_url=picture_url, preview_url=preview_url,
                         made_how=made_how)  # fmt: skip
    found.globals["asset"] = functools.cache(_asset)
    return found
