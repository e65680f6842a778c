"""Floor 3: what may be shown. Words are made fit for a surface here before they reach a gateway.

Called by `fleet.engine.handlers`. Must never know an agent's row, a job or a surface's API.
"""

from fleet.features.content.sanitise import tidy, unquoted

__all__ = ["tidy", "unquoted"]
