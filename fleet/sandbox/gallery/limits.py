"""Rate limits of visitors per address. In the memory of one process; called by `pages`."""

from __future__ import annotations

from starlette.requests import Request

from fleet.core.net.connections import site_of
from fleet.core.net.rate_limit import RateLimit
from fleet.sandbox.gallery.config import GalleryConfig
from fleet.sandbox.gallery.errors import ApiError

_MINUTE_S, _HOUR_S = 60.0, 3600.0


class VisitorLimits:
    """Limits per address, since visitors can choose their cookies but not their address. Thread-safe."""

    def __init__(self, config: GalleryConfig) -> None:
        self._deeds = RateLimit(config.deeds_per_minute, _MINUTE_S)
        self._guests = RateLimit(config.guests_per_hour, _HOUR_S)

    def count_deed(self, request: Request) -> None:
        """Count a like or a comment. Raises ApiError 429."""
        _use(self._deeds, request, "You do too much at once.")

    def count_guest(self, request: Request) -> None:
        """Count a new guest account. Raises ApiError 429."""
        _use(self._guests, request, "Too many new visitors come from your address.")


def address_of(request: Request) -> str:
    """Return the address by which limits are counted."""
    return site_of(request.client.host) if request.client else ""


def _use(limit: RateLimit, request: Request, words: str) -> None:
    is_within, bucket = limit.use(address_of(request))
    if not is_within:
        raise ApiError(429, "RATE_LIMITED", f"{words} Try again later.", retry_after_s=bucket.next_s)
