"""Find the adapter that a person names: an installed one, or a package that has an `ADAPTER`."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from fleet.adapters import manifest, registry
from fleet.adapters.manifest import AdapterType
from fleet.core.errors import InvalidInput, NotFound


def adapter(name: str) -> AdapterType:
    """Return an adapter by its name, "package" or "package:attribute". Raises NotFound, InvalidInput."""
    if name in registry.names():
        return registry.get(name)
    module, _, attribute = name.partition(":")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))  # a package that is being written, and not installed yet
    try:
        found = getattr(importlib.import_module(module), attribute or "ADAPTER")
    except (ImportError, ValueError, AttributeError) as error:
        raise NotFound(
            f"There is no adapter {name[:60]!r}: {error}.",
            fix=f"Installed: {', '.join(registry.names())}; or name a package that has an ADAPTER.",
        ) from error
    if not isinstance(found, AdapterType):
        raise InvalidInput(f"{name[:60]} is no AdapterType.", fix="See docs/adapters.md.")
    return manifest.check(found)
