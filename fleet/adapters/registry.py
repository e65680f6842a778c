"""The adapters by name: the folders here, and those of packages by the entry point group `fleet.adapters`.

A folder holds its `AdapterType` as ADAPTER; an entry point names one.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Collection
from importlib import metadata

from fleet import adapters
from fleet.adapters.gateway import SystemRules
from fleet.adapters.manifest import AdapterType, Capability, Operation, check
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


def rules_of(kind: AdapterType, switched_on: Collection[str] = ()) -> SystemRules:
    """Return what the rules of a system say, for an account for which people switched some operations on."""
    off = {one.name: one.rule for one in kind.operations if one.name not in switched_on and is_off(one)}
    return SystemRules(off, {one.name: one.rule for one in kind.operations if one.needs_consent})


def is_off(one: Operation) -> bool:
    """Say whether agents do an operation only where a person has switched it on."""
    return not one.is_on or one.capability is Capability.UNSUPPORTED


@functools.cache
def get(name: str) -> AdapterType:
    """Return an adapter; it is loaded on first use. Raises NotFound for an unknown surface,
    InvalidInput for a manifest that is wrong."""
    if name in _built_in():
        return check(importlib.import_module(f"{adapters.__name__}.{name}").ADAPTER)
    if name not in _installed():
        raise NotFound(f"There is no surface {name!r}.", fix=f"Known: {', '.join(sorted(names()))}.")
    return check(_installed()[name].load())
