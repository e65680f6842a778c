"""The webhook of an account at an outside system, as the page, the API and the command of accounts show it.

A feature that receives such webhooks registers `extends={"accounts.hooks": (look,)}`: `look(deps, account_id,
adapter)` returns an `AccountHook`, or None for an account whose system has none. It is called outside of transactions.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

POINT = "accounts.hooks"


@dataclass(frozen=True, slots=True)
class AccountHook:
    """What a person enters at the system, and whether a delivery has come."""

    url: str
    verify_token: str
    """The word that the system asks for besides the address; empty for a system that asks for none."""
    attention: str
    """Why deliveries have no effect; empty if they have."""
    deliveries: int
    delivered_at: datetime | None
