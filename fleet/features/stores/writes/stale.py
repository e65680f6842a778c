"""What follows from a write that found something else than it expected: nothing was written, the object is read again.

The store's agent sees the skipped job at its next tick, and reads the object by its id.
"""

from __future__ import annotations

from fleet.adapters.shops import ProductExists, Stale
from fleet.engine.attempts.error_policy import AttemptResult
from fleet.engine.jobs.outcomes import Skipped


def stale(error: Exception) -> AttemptResult | None:
    """Return the result of an attempt that found a newer value, or a product that the shop has already."""
    if isinstance(error, Stale):
        return AttemptResult(Skipped(f"the shop has a newer value: {error}", {"found": _plain(error.found)}))
    if isinstance(error, ProductExists):
        return AttemptResult(Skipped(f"the shop has it already: {error}", {"product_ids": list(error.product_ids)}))
    return None


def _plain(found: object) -> dict[str, str]:
    return {str(name)[:60]: str(value)[:300] for name, value in found.items()} if isinstance(found, dict) else {}
