"""Groups by which calls to models are summed. Pure: the command line reads them without the database."""

from __future__ import annotations

from enum import StrEnum


class SpendingBy(StrEnum):
    """What the calls are summed by."""

    DAY = "day"
    PROVIDER = "provider"
    MODEL = "model"
    PERSONA = "persona"
    AGENT = "agent"
    PURPOSE = "purpose"
    OUTCOME = "outcome"
