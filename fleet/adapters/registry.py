"""Which adapters there are, by name: built-in ones, and those of packages by the entry point group `fleet.adapters`.

Called by `fleet.engine.deps`. An entry point names a function that takes the settings and returns an `Adapter`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from importlib import metadata

from fleet.adapters.base import Adapter
from fleet.adapters.floimg.adapter import FloImg
from fleet.core.errors import InvalidInput, NotFound
from fleet.core.settings import Settings

ENTRY_POINTS = "fleet.adapters"
Connect = Callable[[Settings], Adapter]


def _floimg(settings: Settings) -> Adapter:
    if not settings.gallery_url:
        raise InvalidInput(
            "No gallery is set.", fix="Set FLEET_GALLERY_URL, or start the sandbox gallery with `fleet up`."
        )
    return FloImg(settings.gallery_url, settings.service_token.get_secret_value(), timeout_s=settings.http_timeout_s)


ADAPTERS: dict[str, Connect] = {"floimg": _floimg}
"""The built-in ones."""


@functools.cache
def _installed() -> dict[str, metadata.EntryPoint]:
    return {point.name: point for point in metadata.entry_points(group=ENTRY_POINTS)}


def names() -> list[str]:
    """Return the names of all adapters, built-in ones first."""
    return list(dict.fromkeys([*ADAPTERS, *sorted(_installed())]))


def check(name: str) -> None:
    """Raise NotFound for an adapter that nobody knows."""
    if name not in names():
        raise NotFound(f"There is no surface {name!r}.", fix=f"Known: {', '.join(sorted(names()))}.")


def connect(name: str, settings: Settings) -> Adapter:
    """Return an adapter. Raises NotFound for an unknown one, InvalidInput for missing settings."""
    check(name)
    make: Connect = ADAPTERS[name] if name in ADAPTERS else _installed()[name].load()
    return make(settings)
