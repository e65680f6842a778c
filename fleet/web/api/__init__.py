"""The REST API: one file a noun. `ROUTERS` is what `app` serves under /api/v1."""

from fleet.web.api import agents, hooks

ROUTERS = (agents.router, hooks.router)
