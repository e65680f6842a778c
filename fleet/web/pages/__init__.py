"""The pages: one file a page, its template of the same name. `ROUTERS` is what `app` serves."""

from fleet.web.pages import agent, agent_edit, agents, login, overview, personas

# /agents/new and /agents/bulk stand before /agents/{name}, which would take them for usernames.
ROUTERS = (login.router, overview.router, agents.router, agent_edit.router, agent.router, personas.router)
