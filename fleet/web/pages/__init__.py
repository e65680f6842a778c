"""The pages: one file a page, its template of the same name. `ROUTERS` is what `app` serves."""

from fleet.web import live
from fleet.web.pages import account, activity, agents, audit, join, login, overview, users

ROUTERS = (
    login.router, join.router, live.router,
    overview.router, activity.router, agents.router, account.router, users.router, audit.router,
)  # fmt: skip
