"""One file a thing that can be approved: what follows from the decision. Called by `fleet.features.approvals.service`.

What is not named here can be asked and decided all the same; nothing follows then but the record and its event.
"""

from __future__ import annotations

from collections.abc import Mapping

from fleet.features.approvals import retry
from fleet.features.approvals.effect import Effect
from fleet.features.drafts import effect as draft

EFFECTS: Mapping[tuple[str, str], Effect] = {
    (draft.RESOURCE, draft.ACTION): draft.PUBLISH,
    (retry.RESOURCE, retry.ACTION): retry.RETRY,
}
"""By (resource, action)."""
