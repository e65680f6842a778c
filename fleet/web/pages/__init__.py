"""The pages: one file a page, its template of the same name. `ROUTERS` is what `app` serves."""

from fleet.web.pages import agents, dead, job, jobs, login, overview

ROUTERS = (login.router, overview.router, agents.router, jobs.router, job.router, dead.router)
