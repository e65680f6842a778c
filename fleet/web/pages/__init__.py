"""The pages: one file a page, its template of the same name. `ROUTERS` is what `app` serves."""

from fleet.web.pages import agents, hooks, login, overview

ROUTERS = (login.router, overview.router, agents.router, hooks.router)
