"""The fleet at a glance, for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, Field

from fleet.access import Permission
from fleet.engine.agents.status import AgentStatus
from fleet.engine.points.health import Level, Rates
from fleet.features.controls.api import HoldOut, views
from fleet.features.overview import status as fleet_status
from fleet.web.auth import TheDeps, needs
from fleet.web.requests.fields import Said, taken

router = APIRouter(prefix="/status", tags=["status"])


class RateOut(BaseModel):
    """How many of some attempts or ticks failed."""

    failed: int
    number: int


class RatesOut(BaseModel):
    """Attempts that began, and ticks that ended, within five minutes and within an hour."""

    attempts: RateOut
    attempts_hour: RateOut
    ticks: RateOut
    ticks_hour: RateOut


class PartOut(BaseModel):
    """The health of one thing that the fleet needs."""

    key: str
    name: Said
    level: Level = Field(description='"bad" means down')
    words: Said
    since: datetime | None = Field(description="since when it is down")
    cause: Said
    effect: Said = Field(description="what does not work while it is down")
    href: str = Field(description="its page on the dashboard")


class StatusOut(BaseModel):
    """The fleet at a glance. Ages are seconds."""

    agents: dict[AgentStatus, int]
    agents_by_persona: dict[str, dict[str, int]] = Field(description='by persona and status; "-" is without one')
    jobs: dict[str, dict[str, int]] = Field(description="unfinished and dead ones, by kind and state")
    dead: dict[str, int] = Field(description="dead letters by reason")
    holds: list[HoldOut]
    kill_switch: bool = Field(description="whether it is on")
    rates: RatesOut
    health: list[PartOut] = Field(description="parts of the fleet, accounts, model providers and receivers")
    queues: dict[str, int] | None = Field(description="messages that wait; null while the broker cannot be asked")
    broker_problem: Said | None
    oldest_tick_s: float | None
    most_overdue_agent_s: float | None
    in_flight: int = Field(description="outside writes under way")
    unknown: int = Field(description="jobs whose outcome is still unknown")
    totals: dict[str, int] = Field(description="what was ever done, by kind")
    tempo: float = Field(description="how many times faster than real time the fleet lives; 1 is real time")
    dry_run: bool = Field(description="whether nothing is sent to the outside")
    gallery_url: Said = Field(description="the gallery of the settings; empty without one")


@router.get("", dependencies=[needs(Permission.FLEET_VIEW)])
def status(deps: TheDeps) -> StatusOut:
    """Return the state of the fleet."""
    found = fleet_status.read(deps)
    by_status = Counter(dict.fromkeys(AgentStatus, 0))
    for (_, name), number in found.agents.items():
        by_status[AgentStatus(name)] += number
    return taken(
        StatusOut, found, rates=_rates(found.health.rates),
        health=[taken(PartOut, one) for one in found.health.conditions], agents=dict(by_status),
        agents_by_persona=_nested(found.agents), jobs=_nested(found.jobs),
        holds=views(deps, found.holds), kill_switch=any(one.hold == "kill" for one in found.holds),
        tempo=deps.settings.tempo, dry_run=deps.settings.dry_run, gallery_url=deps.settings.gallery_url,
    )  # fmt: skip


def _rates(found: Rates) -> RatesOut:
    return RatesOut(**{name: taken(RateOut, getattr(found, name)) for name in RatesOut.model_fields})


def _nested(numbers: Mapping[tuple[str, str], int]) -> dict[str, dict[str, int]]:
    nested: dict[str, dict[str, int]] = {}
    for (first, second), number in sorted(numbers.items()):
        nested.setdefault(str(first), {})[str(second)] = number
    return nested
