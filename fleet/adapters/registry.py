"""Which surfaces there are, by name. Called by `fleet.engine.deps`."""

from __future__ import annotations

from collections.abc import Callable

from fleet.adapters.base import Platform
from fleet.adapters.floimg.adapter import FloImg
from fleet.core.errors import InvalidInput, NotFound
from fleet.core.settings import Settings


def _floimg(settings: Settings) -> Platform:
    if not settings.gallery_url:
        raise InvalidInput(
            "No gallery is set.", fix="Set FLEET_GALLERY_URL, or start the sandbox gallery with `fleet up`."
        )
    return FloImg(settings.gallery_url, settings.service_token.get_secret_value(), timeout_s=settings.http_timeout_s)


ADAPTERS: dict[str, Callable[[Settings], Platform]] = {"floimg": _floimg}


def check(name: str) -> None:
    """Raise NotFound for a surface that nobody knows."""
    if name not in ADAPTERS:
        raise NotFound(f"There is no surface {name!r}.", fix=f"Known: {', '.join(sorted(ADAPTERS))}.")


def connect(name: str, settings: Settings) -> Platform:
    """Return the adapter of a surface. Raises NotFound for an unknown one, InvalidInput for missing settings."""
    check(name)
    return ADAPTERS[name](settings)
