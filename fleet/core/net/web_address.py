"""Addresses that a person's browser may be led to. Pure."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

PORTS = {"http": 80, "https": 443}
_MOST_CHARS = 1000
_NEVER = " \\\"'<>`"


def split(url: str) -> SplitResult | None:
    """Return the parts of an http(s) address with a host and without a login; None for anything else."""
    if not url.isascii() or not url.isprintable() or len(url) > _MOST_CHARS or any(one in url for one in _NEVER):
        return None
    try:
        parts = urlsplit(url)
        is_web = parts.scheme in PORTS and bool(parts.hostname) and "@" not in parts.netloc and parts.port != 0
    except ValueError:  # a port that is none
        return None
    return parts if is_web else None
