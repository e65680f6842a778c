"""How sure a suggested action is: the share of planted differences of the same kind for which it was right. Pure.

`TABLE` is made by `fleet reconcile calibrate` (`calibration`), from planted differences whose cause is known. A test
makes it again and compares.
"""

from __future__ import annotations

from collections.abc import Mapping

from fleet.features.reconciliation.confidence.table import ROWS
from fleet.features.reconciliation.rules import Context, DiscrepancyType, Moved

UNSEEN = 0.5
"""For a combination that no planted difference had."""
TABLE: Mapping[tuple[str, str, str], float] = {(kind, moved, context): share for kind, moved, context, share in ROWS}


def confidence(kind: DiscrepancyType, moved: Moved, context: Context) -> float:
    """Return how likely the suggested action is right, 0 to 1."""
    return TABLE.get((kind, moved, context), UNSEEN)
