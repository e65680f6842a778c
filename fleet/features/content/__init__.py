"""Rules about content: texts are checked and corrected here before they reach a gateway.

Knows no agent's row, job or surface's API.
"""

from fleet.features.content.sanitise import tidy, unquoted

__all__ = ["tidy", "unquoted"]
