"""The pages: one file a page, its template of the same name. `ROUTERS` is what `app` serves."""

from fleet.web.pages import agents, controls, costs, dead, experiments, job, jobs, login, overview, settings

ROUTERS = (login.router, overview.router, agents.router, jobs.router, job.router, dead.router,
           controls.router, costs.router, settings.router, experiments.router)  # fmt: skip
