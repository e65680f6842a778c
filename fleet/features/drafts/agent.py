"""Supervised agents: they scan their feed and propose drafts, and a person decides.

The mode "supervised" of agents that publish. The scan itself is in `scanning.handler`.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from fleet.core.settings import Settings
from fleet.engine.agent_type import Acts, ClaimedAgent
from fleet.engine.agents import config
from fleet.engine.agents.loop import ActingAgent, Due
from fleet.engine.attempts import work
from fleet.engine.deps import Deps
from fleet.engine.jobs.ledger import Claim
from fleet.engine.jobs.outcomes import Skipped
from fleet.engine.registry import JobHandler
from fleet.engine.schedule import SHORTEST_GAP_S
from fleet.features.drafts import limits
from fleet.features.drafts.kinds import SCAN_FEED, SupervisedConfig
from fleet.features.drafts.scanning import queue
from fleet.features.drafts.settings import DraftsSettings
from fleet.features.publishing import agent as publishing
from fleet.features.publishing.rules import Plan, PublishingDecision

__all__ = ["act", "call_off", "decide", "from_data", "gather", "next_tick", "to_data"]


@dataclass(frozen=True, slots=True)
class SupervisedObservation:
    """All that a decision rests on. `obstacle` is why the agent may not scan its feed now."""

    now: datetime
    agent_id: uuid.UUID
    has_account: bool
    held_kinds: tuple[str, ...]
    asked_for: str | None
    obstacle: str | None


def next_tick(deps: Deps, due: Due, _: int) -> datetime:
    """Return when an agent wakes next: at its interval, at all hours, since its owner wants the drafts by morning."""
    interval_s = config.read(SupervisedConfig, due.config).scan_interval_s
    gap_s = max(SHORTEST_GAP_S, interval_s / deps.settings.tempo)
    return due.claimed_at + timedelta(seconds=gap_s)


def gather(deps: Deps, claimed: ClaimedAgent) -> SupervisedObservation:
    """See whether the agent may scan its feed."""
    agent = claimed.agent
    settings = _settings(deps, agent)
    return SupervisedObservation(
        now=claimed.now, agent_id=agent.id, has_account=agent.remote_account is not None or settings.dry_run,
        held_kinds=tuple(hold.key for hold in claimed.holds if hold.scope == "kind"),
        asked_for=claimed.tick.asked_for, obstacle=_obstacle(deps, agent),
    )  # fmt: skip


def _settings(deps: Deps, agent: ActingAgent) -> Settings:
    return deps.settings_of(agent.id, agent.account_id, agent.persona_id, agent.organisation_id)


def _obstacle(deps: Deps, agent: ActingAgent) -> str | None:
    if not _settings(deps, agent).of(DraftsSettings).scan_feeds:
        return "looking at feeds is switched off for all"
    if not limits.config_of(agent).scans:
        return "I am not to look at my feed"
    if queue.has_open_scan(deps.db, agent.id):
        return "I have not come round to my last look yet"
    return limits.why_full(deps, agent)


def decide(seen: SupervisedObservation, _: random.Random) -> PublishingDecision:
    """Decide whether to scan now, or why not."""
    if not seen.has_account:
        return PublishingDecision("provision", "I need an account here first.", {}, (Plan("provision"),))
    if seen.asked_for not in (None, SCAN_FEED):
        return PublishingDecision(
            None, f"I was asked to {seen.asked_for}, but I only propose, and a person decides.", {}
        )
    if SCAN_FEED in seen.held_kinds:
        return PublishingDecision(None, "Nothing to do: looking at feeds is paused.", {})
    if seen.obstacle is not None:
        return PublishingDecision(None, f"Nothing to do: {seen.obstacle}.", {})
    return PublishingDecision(SCAN_FEED, "I look at what is new, and propose.", {}, (Plan(SCAN_FEED),))


def act(_: Deps, claimed: ClaimedAgent, decision: PublishingDecision) -> Acts:
    """Return the job of the decision."""
    return Acts(publishing.jobs_of(claimed, decision))


def to_data(seen: SupervisedObservation) -> dict[str, Any]:
    """Return an observation as JSON-ready data for the decision log."""
    return asdict(seen) | {"now": seen.now.isoformat(), "agent_id": str(seen.agent_id)}


def from_data(data: Mapping[str, Any]) -> SupervisedObservation:
    """Return the observation that `to_data` wrote down. Raises KeyError, TypeError, ValueError for other data."""
    moments = {"now": datetime.fromisoformat(data["now"]), "agent_id": uuid.UUID(data["agent_id"])}
    return SupervisedObservation(**{**data, **moments, "held_kinds": tuple(data["held_kinds"])})


def is_approved(claim: Claim) -> bool:
    """Say whether an approved draft requested a job."""
    return "draft" in claim.payload


def call_off(_: ActingAgent, claim: Claim, handler: JobHandler) -> Skipped | None:
    """Return Skipped for a job with a public effect that nobody approved."""
    if handler.is_public and not work.is_approved(claim):
        return Skipped("the agent is supervised, and this is not approved")
    return None
