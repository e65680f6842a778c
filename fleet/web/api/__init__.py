"""The REST API: one file a noun. `ROUTERS` is what `app` serves under /api/v1."""

from fleet.web.api import agents, audit, me, tokens, users

ROUTERS = (agents.router, me.router, users.router, tokens.router, audit.router)
