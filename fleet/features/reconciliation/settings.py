"""Settings of this feature, for the fleet, an organisation or one account: a store, or one with posts."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

from fleet.core.settings import AtRunTime, SettingScope
from fleet.features.reconciliation.rules import DiscrepancySeverity, DiscrepancyType, FixPolicy
from fleet.features.stores.rules import ConflictRule, Direction

_STORE = AtRunTime((SettingScope.FLEET, SettingScope.ORGANISATION, SettingScope.ACCOUNT))
_TYPES = "|".join(DiscrepancyType)
EVERY = {"hourly": timedelta(hours=1), "daily": timedelta(days=1), "weekly": timedelta(days=7)}
"""How often a store may be compared by itself."""


class ReconciliationSettings(BaseModel):
    """When stores and posts are compared, and what is fixed without a person. Tempo scales the times."""

    reconcile_every: Annotated[Literal["never", "hourly", "daily", "weekly"], _STORE] = Field(
        "daily", description="how often a store is compared with the catalogue"
    )
    reconcile_posts: Annotated[Literal["never", "hourly", "daily", "weekly"], _STORE] = Field(
        "daily", description="how often the posts of an account are compared with what its network shows"
    )
    reconcile_posts_days: Annotated[int, _STORE] = Field(
        14, ge=1, le=90, description="days of posts that are compared with what their network shows"
    )
    reconcile_fix_from: Annotated[float, _STORE] = Field(
        0.95, ge=0.5, le=1, allow_inf_nan=False, description="confidence from which a discrepancy is fixed by itself"
    )
    reconcile_fixes: Annotated[
        str, StringConstraints(pattern=rf"^({_TYPES})(,({_TYPES}))*$|^$", max_length=200), _STORE
    ] = Field(
        "price_drift,inventory_drift,data_mismatch",
        description="types of discrepancies that may be fixed by themselves"
    )  # fmt: skip
    reconcile_ask_from: Annotated[Literal["low", "medium", "high", "critical", "never"], _STORE] = Field(
        "high", description="severity from which people are asked, and nothing is fixed by itself"
    )
    reconcile_most_fixes: Annotated[int, _STORE] = Field(
        500, ge=0, le=100_000, description="discrepancies that one comparison fixes by itself, at most"
    )

    @property
    def every(self) -> timedelta | None:
        """The time between two comparisons of a store; None: only when people ask."""
        return EVERY.get(self.reconcile_every)

    @property
    def posts_every(self) -> timedelta | None:
        """The time between two comparisons of posts; None: only when people ask."""
        return EVERY.get(self.reconcile_posts)

    def policy(self, direction: Direction, conflicts: ConflictRule) -> FixPolicy:
        """Return what may be fixed, beside the store's direction and its rule for conflicts."""
        return FixPolicy(
            direction, conflicts, self.reconcile_fix_from,
            None if self.reconcile_ask_from == "never" else DiscrepancySeverity(self.reconcile_ask_from),
            frozenset(DiscrepancyType(one) for one in self.reconcile_fixes.split(",") if one),
        )  # fmt: skip
