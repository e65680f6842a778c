"""How own values of adapters are written, and what they may be. Pure.

Limits are written ADAPTER/LIMIT=UNITS, times ADAPTER=SECONDS; each once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from fleet.adapters.manifest import AdapterType, Limit, LimitScope
from fleet.core.errors import InvalidInput, NotFound

MOST_UNITS = 100_000_000
LEAST_TIMEOUT_S, MOST_TIMEOUT_S = 1.0, 120.0
CHECK_S, LEAST_CHECK_S, MOST_CHECK_S = 300.0, 60.0, 86_400.0
"""The agent that has accounts checked looks once a minute."""


def limits(entries: Iterable[str]) -> dict[tuple[str, str], int]:
    """Return own sizes of limits by adapter and limit. Raises ValueError."""
    found: dict[tuple[str, str], int] = {}
    for entry in entries:
        name, equals, written = entry.rpartition("=")
        adapter, slash, limit = (part.strip() for part in name.partition("/"))
        units = written.strip()
        if not (equals and slash and adapter and limit and units.isascii() and units.isdecimal()):
            raise ValueError(f"{entry[:60]!r}: write ADAPTER/LIMIT=UNITS, such as x/posts=20")
        if len(units) > 9 or not 1 <= int(units) <= MOST_UNITS:
            raise ValueError(f"{entry[:60]!r}: a limit has 1 to {MOST_UNITS:,} units")
        if (adapter, limit) in found:
            raise ValueError(f"{adapter}/{limit} is there twice")
        found[adapter, limit] = int(units)
    return found


def seconds(entries: Iterable[str], *, least: float, most: float) -> dict[str, float]:
    """Return seconds by adapter. Raises ValueError."""
    found: dict[str, float] = {}
    for entry in entries:
        adapter, equals, written = (part.strip() for part in entry.partition("="))
        try:
            value = float(written)
        except ValueError:
            value = -1.0
        if not (equals and adapter and least <= value <= most):
            raise ValueError(f"{entry[:60]!r}: write ADAPTER=SECONDS, of {least:g} to {most:g} seconds")
        if adapter in found:
            raise ValueError(f"{adapter} is there twice")
        found[adapter] = value
    return found


def written_limits(values: Mapping[tuple[str, str], int]) -> list[str]:
    """Return own sizes of limits as the setting has them."""
    return [f"{adapter}/{limit}={units}" for (adapter, limit), units in sorted(values.items())]


def written_seconds(values: Mapping[str, float]) -> list[str]:
    """Return seconds by adapter as the setting has them."""
    return [f"{adapter}={value:g}" for adapter, value in sorted(values.items())]


def limit_of(kind: AdapterType, name: str) -> Limit:
    """Return a limit of a manifest. Raises NotFound."""
    found = next((one for one in kind.limits if one.name == name), None)
    if found is None:
        known = ", ".join(one.name for one in kind.limits) or "it has none"
        raise NotFound(f"{kind.name} has no limit {name[:60]!r}.", fix=f"Limits: {known}.")
    return found


def check_size(kind: AdapterType, limit: Limit, units: int, *, is_for_all: bool) -> None:
    """Raise InvalidInput for a size that would let nothing through, or that accounts cannot have for themselves."""
    dearest = max([limit.cost, *limit.costs.values()])
    if units < dearest:
        raise InvalidInput(
            f"{limit.name}: {units} units would never let an operation through that costs {dearest}.",
            fix=f"Give at least {dearest}; to stop an account, stop it.",
        )
    if limit.scope is not LimitScope.ACCOUNT and not is_for_all:
        shared = "accounts at a host" if limit.scope is LimitScope.HOST else f"all accounts of {kind.name}"
        raise InvalidInput(
            f"{limit.name} is shared by {shared}: one account has no size of its own.", fix="Set it for all accounts."
        )


def sizes(layers: Sequence[tuple[bool, Mapping[str, int]]], kind: AdapterType) -> dict[str, int]:
    """Return the sizes in force by limit, weakest layer first; a layer that is not for all cannot set shared limits."""
    shared = {one.name for one in kind.limits if one.scope is not LimitScope.ACCOUNT}
    found: dict[str, int] = {}
    for is_for_all, values in layers:
        found |= {name: units for name, units in values.items() if is_for_all or name not in shared}
    return found
