"""What follows from decisions, by (resource, action). Features register theirs at "approvals.effects".

What nobody registered can be asked and decided all the same; nothing follows then but the record and its event.
"""

from __future__ import annotations

from collections.abc import Mapping

from fleet.engine import registry
from fleet.features.approvals.effects.effect import Effect


def known() -> Mapping[tuple[str, str], Effect]:
    """Return the effects of all features by (resource, action)."""
    found: dict[tuple[str, str], Effect] = {}
    for effects in registry.current().extensions("approvals.effects"):
        found |= effects
    return found
