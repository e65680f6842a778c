"""One file a thing that can be approved: what follows from the decision. Called by `fleet.runtime.approving`.

What is not named here can be asked and decided all the same; nothing follows then but the record and its event.
"""

from __future__ import annotations

from collections.abc import Mapping

from fleet.runtime.effects import draft, retry
from fleet.runtime.effects.effect import Effect

EFFECTS: Mapping[tuple[str, str], Effect] = {
    (draft.RESOURCE, draft.ACTION): draft.PUBLISH,
    (retry.RESOURCE, retry.ACTION): retry.RETRY,
}
"""By (resource, action)."""
