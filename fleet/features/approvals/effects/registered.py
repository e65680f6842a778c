"""Effects of decisions, by (resource, action). Features register theirs at "approvals.effects".

Requests without a registered effect can be opened and decided all the same; only the record and its event follow.
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
