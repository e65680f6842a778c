"""Results of the checks of a text. Every rule of this package returns findings.

Read by `fleet.engine`, which records the names of the rules and never the text.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """What a finding does to its text.

    REFUSE: the text is never published. APPROVE: the text may break a rule; it is published only after a person has
    approved it, and it is refused where no person can be asked. DOUBT: a second draft is requested; if it has the same
    finding, it is published with a note. MEND: the text was corrected.
    """

    REFUSE = "refuse"
    APPROVE = "approve"
    DOUBT = "doubt"
    MEND = "mend"


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem of a text. `evidence` may be shown and stored: it never contains private data or a secret."""

    rule: str
    evidence: str
    severity: Severity = Severity.REFUSE

    def __str__(self) -> str:
        return f"{self.rule}: {self.evidence}"
