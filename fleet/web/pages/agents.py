"""The agents: a list with filters, and what can be done to one of them or to all."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Path, Query, Request
from fastapi.responses import Response

from fleet.access import Permission, Principal
from fleet.agents.models import Status
from fleet.core.errors import FleetError
from fleet.runtime import people
from fleet.web.gate import TheDeps, needs
from fleet.web.rendering import go, render

router = APIRouter()
_PAGE = 50


@router.get("/agents", dependencies=[needs(Permission.AGENTS_VIEW)])
def agents(request: Request, deps: TheDeps, *, status: Status | None = None, persona: str | None = None,
           q: Annotated[str, Query(max_length=100)] = "",
           page: Annotated[int, Query(ge=1, le=10_000)] = 1) -> Response:  # fmt: skip
    """Show a page of agents."""
    which = people.AgentFilter(status=status, persona_id=persona or None, text=q or None)
    found, total = people.list_agents(deps, which, limit=_PAGE, offset=(page - 1) * _PAGE)
    return render(request, "agents.html", agents=found, total=total, page=page, per_page=_PAGE, status=status,
                  persona=persona, q=q, personas=deps.personas.ids)  # fmt: skip


@router.post("/agents/{name}/pause")
def pause(request: Request, deps: TheDeps, name: Annotated[str, Path(max_length=60)],
          who: Annotated[Principal, needs(Permission.AGENTS_CONTROL)],
          reason: Annotated[str, Form(max_length=200)] = "") -> Response:  # fmt: skip
    """Let an agent rest until somebody resumes it."""
    try:
        done = people.pause(deps, name, by=who.by, reason=reason)
    except FleetError as error:
        return go(request, "/agents", str(error), wrong=True)
    return go(request, "/agents", f"{name} is paused." if done else f"{name} was not running.")
