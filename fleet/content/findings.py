"""What a look at a text can find. Shared by every rule of this room; the runtime records the names of rules."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """What follows: the text is not published, another is asked for once and else it is told, or it is mended."""

    REFUSE = "refuse"
    DOUBT = "doubt"
    MEND = "mend"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. `evidence` may be shown and stored: it never repeats private data or a secret."""

    rule: str
    evidence: str
    severity: Severity = Severity.REFUSE

    def __str__(self) -> str:
        return f"{self.rule}: {self.evidence}"
