"""All events, newest first: of the fleet or of one agent, of every subject or of some."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from fleet.access import Permission, Principal
from fleet.core.errors import FleetError
from fleet.core.events import Event
from fleet.core.subjects import refuse_unknown
from fleet.core.text import storable
from fleet.engine import registry
from fleet.engine.agents import lookup
from fleet.engine.agents.models import AgentRow
from fleet.engine.deps import Deps
from fleet.engine.events import event_text, positions
from fleet.features.activity import feed
from fleet.features.activity import queries as activity_queries
from fleet.features.activity.feed import ActivityLine, Family, Scribe
from fleet.web import links
from fleet.web.auth import TheDeps, needs, withheld
from fleet.web.problems import status_of
from fleet.web.rendering import render
from fleet.web.requests.form_types import Maybe, place

router = APIRouter()
_PAGE = 60
_OF_AGENT = 50
_LOOKED_THROUGH = 600
"""For a filter on events that share their subject with others, this many events are searched."""


@dataclass(frozen=True, slots=True)
class FeedPage:
    """Lines of a feed, newest first.

    The stream continues after `position`; `before` is the cursor of the next page, if any.
    """

    lines: Sequence[ActivityLine]
    position: str
    before: int | None = None


@router.get("/activity")
def activity(request: Request, deps: TheDeps, who: Annotated[Principal, needs(Permission.FLEET_VIEW)], *,
             agent: Annotated[str, Query(max_length=60)] = "",
             subject: Annotated[str, Query(max_length=80)] = "", only: Maybe[Family] = None,
             before: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None) -> Response:  # fmt: skip
    """Show events."""
    family, agent, subject = only or "", storable(agent.strip()), storable(subject.strip())
    problem: FleetError | None = None
    found, shown = None, FeedPage((), "")
    try:
        found = lookup.agent(deps.db, agent, include_deleted=True) if agent else None
        shown = newest(deps, request.app.state.feed, family=family, name=agent or None, subject=subject,
                       but=withheld(who), before=before, limit=_PAGE)  # fmt: skip
    except FleetError as error:
        problem = error
    return render(
        request,
        "activity/activity.html",
        code=status_of(problem) if problem else 200,
        feed=shown,
        agent=agent,
        found=found,
        subject=subject,
        only=family,
        before=before,
        problem=problem,
        families=feed.families(),
        most=_PAGE,
    )


def newest(deps: Deps, scribe: Scribe, *, family: str = "", name: str | None = None, subject: str = "",
           but: Sequence[str] = (), before: int | None = None, limit: int) -> FeedPage:  # fmt: skip
    """Return the newest lines, and the position from which a stream continues.

    Raises NotFound for an unknown agent, InvalidInput for an unknown subject.
    """
    position = activity_queries.tail(deps)  # before the query, so that no event falls between the two
    wanted = (subject,) if subject else feed.subjects_of(family)
    read = _LOOKED_THROUGH if family and not subject and "job.done" in wanted else limit
    found = activity_queries.latest(deps, name=name, subjects=wanted, exclude=but, before=before, limit=read)
    if subject and not found and before is None:
        refuse_unknown(wanted, registry.current().subjects)
    kept = [event for event in found if not family or feed.family(event) == family][:limit]
    lines = [line for _, line in scribe.lines(kept)]
    return FeedPage(lines, positions.written(position), _below(found, kept, read, limit))


def _below(found: Sequence[Event], kept: Sequence[Event], read: int, limit: int) -> int | None:
    """Return the event below which the next page begins; None if this is the last."""
    if len(kept) == limit:
        return kept[-1].position.id
    return found[-1].position.id if len(found) == read else None


@dataclass(frozen=True, slots=True)
class EventSentence:
    """An event with its sentence."""

    event: Event
    words: str
    url: str | None = None
    picture: str | None = None


def agent_tab(deps: Deps, agent: AgentRow, before: str) -> dict[str, Any]:
    """Show the tab "activity" of an agent's page."""
    found = activity_queries.latest(deps, name=str(agent.id), before=place(before), limit=_OF_AGENT)
    lines = [
        EventSentence(
            event, text.words if (text := event_text.describe(event)) else "",
            links.url_of_event(deps, event, agent.username), links.picture_of(event.payload),
        )
        for event in found
    ]  # fmt: skip
    return {"lines": lines, "more": found[-1].position.id if len(found) == _OF_AGENT else None}
