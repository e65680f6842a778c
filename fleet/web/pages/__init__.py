"""The pages: one file a page, its template of the same name. `ROUTERS` is what `app` serves."""

from fleet.web.pages import account, agents, audit, join, login, overview, users

ROUTERS = (
    login.router, join.router, overview.router, agents.router, account.router, users.router, audit.router,
)  # fmt: skip
