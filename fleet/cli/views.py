"""What `--json` prints: rows of the fleet as plain data. Keys are stable, times ISO 8601, secrets masked
unless the answer exists to hand one over (`Secret`).

Called by the commands of this room. docs/cli.md lists the keys; a test holds them.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

from fleet.core import logs

if TYPE_CHECKING:
    from fleet.core.events import Event
    from fleet.engine.agents.lookup import Names
    from fleet.engine.agents.models import AgentRow
    from fleet.engine.controls import Hold
    from fleet.engine.jobs.lists import Listed
    from fleet.engine.jobs.models import AttemptRow, JobRow, TickRow
    from fleet.features.personas.library import Persona

_ACTIONS = ("post", "comment", "like", "browse")
# Characters that JSON lets through and a terminal obeys, or that turn the text around.
_UNSEEN = re.compile("[\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\U000e0000-\U000e01ef]")


class Secret(str):
    """A secret that an answer hands over, this once: it is printed as it is, where all other text is masked."""


def to_json(data: Any, *, indent: int | None = 2) -> str:
    """Return JSON in which nothing is left that a terminal would interpret."""
    return _UNSEEN.sub(_escaped, json.dumps(plain(data), indent=indent, ensure_ascii=False))


def _escaped(match: re.Match[str]) -> str:
    return json.dumps(match[0])[1:-1]


def plain(value: Any) -> Any:
    """Return a value as JSON types; strings lose the passwords and tokens that they may quote, but for a `Secret`."""
    if isinstance(value, Secret):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str):
        return logs.mask(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence | set | frozenset):
        return [plain(item) for item in value]
    return value


def page(items: Sequence[Mapping[str, Any]], *, total: int | None, limit: int, offset: int) -> dict[str, Any]:
    """Return a page of a list; `total` is null where counting would cost more than it tells."""
    return {"items": list(items), "total": total, "limit": limit, "offset": offset}


def agent(row: AgentRow) -> dict[str, Any]:
    """Return an agent."""
    same = (
        "id", "username", "name", "kind", "status", "autonomy", "scans", "scan_interval_s", "audience", "heeds_agents",
        "draft_days", "surface", "owner", "personality", "vibe", "interests",
        "tick_no", "next_tick_at", "paused_until", "pause_reason", "current_action", "last_action_at", "last_thought",
        "remote_account", "created_at", "updated_at", "deleted_at",
    )  # fmt: skip
    return {
        **{name: getattr(row, name) for name in same},
        "persona": row.persona_id,
        "weights": {name: getattr(row, f"{name}_weight") for name in _ACTIONS},
        "interval_s": {"min": row.min_interval_s, "max": row.max_interval_s},
        "totals": {f"{name}s": getattr(row, f"total_{name}s") for name in _ACTIONS},
    }


def job(row: JobRow | Listed, names: Names, *, whole: bool = False) -> dict[str, Any]:
    """Return a job; `whole` adds what it carries, which lists have not read."""
    same = (
        "id", "kind", "state", "priority", "agent_id", "tick_no", "surface", "target", "attempts", "max_attempts",
        "claims", "next_attempt_at", "sending_at", "held", "remote_id", "dead_reason", "error", "requested_by",
        "created_at", "expires_at", "finished_at",
    )  # fmt: skip
    inside = ("payload", "checkpoint", "result") if whole else ()
    who = names.get(row.agent_id) if row.agent_id else None
    return {**{name: getattr(row, name) for name in (*same, *inside)}, "agent": who.username if who else None}


def attempt(row: AttemptRow) -> dict[str, Any]:
    """Return one attempt at a job."""
    return {
        name: getattr(row, name) for name in ("lease_token", "worker", "started_at", "ended_at", "outcome", "error")
    }


def tick(row: TickRow, *, inputs: bool) -> dict[str, Any]:
    """Return one entry of the decision log; `inputs` adds all that the agent saw."""
    same = ("agent_id", "tick_no", "state", "due_at", "decided_at", "asked_for", "requested_by", "duration_ms",
            "outcome", "error")  # fmt: skip
    return {name: getattr(row, name) for name in (*same, *(("inputs",) if inputs else ()))}


def event(what: Event, names: Names) -> dict[str, Any]:
    """Return one event of the activity feed."""
    who = names.get(what.agent_id) if what.agent_id else None
    return {
        "id": what.position.id, "occurred_at": what.occurred_at, "subject": what.subject, "agent_id": what.agent_id,
        "agent": who.username if who else None, "job_id": what.job_id, "payload": what.payload,
    }  # fmt: skip


def hold(what: Hold) -> dict[str, Any]:
    """Return a hold in force."""
    return {name: getattr(what, name) for name in ("scope", "key", "hold", "reason", "until", "set_by", "set_at")}


def persona(one: Persona) -> dict[str, Any]:
    """Return a persona without its grammar."""
    schedule = one.schedule
    return {
        "id": one.id, "emoji": one.emoji, "vibe": one.vibe, "personality": one.personality,
        "interests": one.interests, "username_prefix": one.username_prefix, "name_templates": one.name_templates,
        "share": one.share, "tier": one.tier, "interval_s": {"min": one.interval.min_s, "max": one.interval.max_s},
        "weights": {name: getattr(one.weights, name) for name in _ACTIONS},
        "workflow_types": one.workflow_types,
        "schedule": {
            "timezone": schedule.timezone, "active_days": sorted(schedule.active_days), "peak_hours": schedule.peak,
            "sleep_hours": schedule.sleep, "peak_multiplier": schedule.peak_multiplier,
            "off_peak_multiplier": schedule.off_peak_multiplier,
        },
    }  # fmt: skip
