"""What the answer about one agent says of its drafts."""

from __future__ import annotations

from pydantic import BaseModel, Field

from fleet.access import Permission, Principal
from fleet.engine.agents.models import AgentRow
from fleet.engine.deps import Deps
from fleet.engine.schedule import real_gap_s
from fleet.features.drafts import limits


class DraftWaitOut(BaseModel):
    """Shortest and longest time in seconds until a draft expires."""

    min: float
    max: float


class AgentDraftsOut(BaseModel):
    """Undecided drafts of a supervised agent, and their limits."""

    undecided: int
    most_undecided: int | None = Field(description="null without a limit")
    is_full: bool = Field(description="no scan is made until people have decided")
    wait_s: DraftWaitOut
    real_scan_interval_s: float = Field(description="`scan_interval_s` in real time, at the tempo of this fleet")

    @classmethod
    def of(cls, deps: Deps, agent: AgentRow, who: Principal) -> AgentDraftsOut | None:
        """Return the drafts of a supervised agent; None for another one, and for people who may not see drafts."""
        if agent.autonomy != "supervised" or not who.may(Permission.DRAFTS_VIEW):
            return None
        found = limits.limits(deps, agent)
        return cls(
            undecided=found.undecided, most_undecided=found.most or None, is_full=found.is_full,
            wait_s=DraftWaitOut(min=found.shortest.total_seconds(), max=found.longest.total_seconds()),
            real_scan_interval_s=real_gap_s(limits.config_of(agent).scan_interval_s, deps.settings.tempo),
        )  # fmt: skip
