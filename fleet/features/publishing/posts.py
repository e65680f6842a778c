"""The latest posts of an agent, for its page, the API and `fleet agents show`."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from fleet.access import Permission, Principal
from fleet.engine import registry
from fleet.engine.agents.models import AgentRow
from fleet.engine.deps import Deps
from fleet.engine.jobs import lists
from fleet.engine.jobs.filters import JobFilter
from fleet.engine.jobs.lists import ListedJob
from fleet.engine.jobs.states import JobState
from fleet.features.publishing.kinds import POST
from fleet.web import links
from fleet.web.points.agent_beginning import AgentBeginning

_MOST = 4


class PostOut(BaseModel):
    """One post."""

    job_id: uuid.UUID
    text: str
    published_at: datetime | None
    surface: str
    url: str | None = Field(description="its page at the surface, for people")
    picture: str | None = Field(description="key of our copy of its picture: GET /api/v1/media/KEY")
    alt_text: str
    likes: int | None = Field(description="as they were counted last; null for a post that was never measured")
    comments: int | None


class AgentPostsOut(BaseModel):
    """The latest posts of an agent."""

    latest: list[PostOut] = Field(description="newest first, at most four")

    @classmethod
    def of(cls, deps: Deps, agent: AgentRow, who: Principal) -> AgentPostsOut | None:
        """Return the latest posts; None for an agent that does not post, and for people who may not see jobs."""
        if not posts(agent) or not who.may(Permission.JOBS_VIEW):
            return None
        return cls(latest=latest(deps, agent))


def posts(agent: AgentRow) -> bool:
    """Say whether an agent is one that posts."""
    kind = registry.current().agents.get(agent.kind)
    return kind is not None and POST in kind.actions


def latest(deps: Deps, agent: AgentRow, *, limit: int = _MOST) -> list[PostOut]:
    """Return the newest posts of an agent, newest first."""
    with deps.db.transaction() as tx:
        found = lists.find(tx, JobFilter(states=(JobState.DONE,), kinds=(POST,), agent_id=agent.id), limit=limit)
        counts: dict[uuid.UUID, tuple[int, int]] = {}
        for count in registry.current().extensions("publishing.counts"):
            counts |= count(tx, [job.id for job in found])
    return [_post(deps, agent, job, counts.get(job.id)) for job in found]


def _post(deps: Deps, agent: AgentRow, job: ListedJob, counts: tuple[int, int] | None) -> PostOut:
    result, (likes, comments) = job.result or {}, counts or (None, None)
    return PostOut(
        job_id=job.id, text=str(result.get("text") or job.words or ""), published_at=job.finished_at,
        surface=job.surface, url=links.url_of_job(deps, job, agent.username), picture=links.picture_of(result),
        alt_text=str(result.get("alt_text") or ""), likes=likes, comments=comments,
    )  # fmt: skip


def _facts(deps: Deps, agent: AgentRow) -> Mapping[str, Any] | None:
    return {"latest_posts": latest(deps, agent)} if posts(agent) else None


BEGINNING = AgentBeginning("publishing/agent_posts.html", Permission.JOBS_VIEW, _facts)
