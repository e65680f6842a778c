"""Settings of tuning: its switch, its pace, its goals and its bounds. The tempo of the fleet scales its times."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints

from fleet.core.settings import FLEET_ONLY
from fleet.features.tuning.decisions.plans import TuningRule
from fleet.features.tuning.decisions.rules import TuningBounds

_ALONE = "batches|intervals|caps"


class TuningSettings(BaseModel):
    """How settings are tuned, and the bounds that no proposal leaves."""

    tuning_enabled: Annotated[bool, FLEET_ONLY] = Field(
        True, description="whether the tuning agent proposes changes of settings; each waits for an approval"
    )
    tuning_every_h: Annotated[float, FLEET_ONLY] = Field(
        6, ge=1, le=720, allow_inf_nan=False, description="hours between two looks at the load"
    )
    tuning_window_h: Annotated[float, FLEET_ONLY] = Field(
        24, ge=1, le=168, allow_inf_nan=False, description="hours of load behind a proposal, and behind its evaluation"
    )
    tuning_samples: Annotated[int, FLEET_ONLY] = Field(
        30, ge=30, le=100_000, description="least number of observations behind a proposal or an evaluation"
    )
    tuning_wait_s: Annotated[float, FLEET_ONLY] = Field(
        30, ge=1, le=3600, allow_inf_nan=False, description="goal of the p95 wait of jobs and ticks, in seconds"
    )
    tuning_utilisation: Annotated[float, FLEET_ONLY] = Field(
        0.7, ge=0.1, le=0.95, allow_inf_nan=False, description="most of the busiest hour that worker threads are busy"
    )
    tuning_threads: Annotated[int, FLEET_ONLY] = Field(
        16, ge=1, le=500, description="threads of each worker, as its option --concurrency has it"
    )
    tuning_most_workers: Annotated[int, FLEET_ONLY] = Field(
        32, ge=1, le=10_000, description="most worker processes that are proposed"
    )
    tuning_autonomous: Annotated[
        str, StringConstraints(pattern=rf"^(({_ALONE})(,({_ALONE}))*)?$", max_length=100), FLEET_ONLY
    ] = Field(
        "", examples=["batches,intervals"],
        description="rules whose changes are applied without an approval, separated by commas; empty for none",
    )  # fmt: skip
    tuning_changes_per_day: Annotated[int, FLEET_ONLY] = Field(
        3, ge=0, le=1000, description="most changes of settings that tuning applies within a day"
    )

    @property
    def tuning_bounds(self) -> TuningBounds:
        """The bounds as the decisions take them."""
        return TuningBounds(
            samples=self.tuning_samples, wait_s=self.tuning_wait_s, utilisation=self.tuning_utilisation,
            most_workers=self.tuning_most_workers,
        )  # fmt: skip

    @property
    def window(self) -> timedelta:
        """The window of a measurement."""
        return timedelta(hours=self.tuning_window_h)

    @property
    def autonomous(self) -> frozenset[TuningRule]:
        """The rules whose changes need no approval."""
        return frozenset(TuningRule(one) for one in self.tuning_autonomous.split(",") if one)
