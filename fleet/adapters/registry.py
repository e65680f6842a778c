"""The adapters by name: the folders here, and those of packages by the entry point group `fleet.adapters`.

A folder holds its `AdapterType` as ADAPTER; an entry point names one.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from importlib import metadata

from fleet import adapters
from fleet.adapters.manifest import AdapterType
from fleet.core.errors import NotFound

ENTRY_POINTS = "fleet.adapters"


@functools.cache
def _built_in() -> list[str]:
    return sorted(module.name for module in pkgutil.iter_modules(adapters.__path__) if module.ispkg)


@functools.cache
def _installed() -> dict[str, metadata.EntryPoint]:
    return {point.name: point for point in metadata.entry_points(group=ENTRY_POINTS)}


def names() -> list[str]:
    """Return the names of all adapters, built-in ones first."""
    return list(dict.fromkeys([*_built_in(), *sorted(_installed())]))


@functools.cache
def get(name: str) -> AdapterType:
    """Return an adapter; it is loaded on first use. Raises NotFound for an unknown surface."""
    if name in _built_in():
        found: AdapterType = importlib.import_module(f"{adapters.__name__}.{name}").ADAPTER
        return found
    if name not in _installed():
        raise NotFound(f"There is no surface {name!r}.", fix=f"Known: {', '.join(sorted(names()))}.")
    installed: AdapterType = _installed()[name].load()
    return installed
