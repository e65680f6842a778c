"""The pages: one file a page, its template of the same name. `ROUTERS` is what `app` serves."""

from fleet.web import live
from fleet.web.pages import activity, agents, login, overview

ROUTERS = (login.router, overview.router, activity.router, live.router, agents.router)
