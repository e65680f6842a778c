"""States of an order of a picture. Pure.

`asked` is committed before a provider is called. What is `lost` may have been billed: it is never asked for again.
"""

from __future__ import annotations

from enum import StrEnum


class PictureOrderState(StrEnum):
    """What came of one order at one provider."""

    ASKED = "asked"
    MADE = "made"
    FAILED = "failed"
    UNFIT = "unfit"
    LOST = "lost"
