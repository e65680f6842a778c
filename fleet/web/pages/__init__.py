"""The pages: one file a page, its template of the same name. `ROUTERS` is what `app` serves."""

from fleet.web import live
from fleet.web.pages import (
    account,
    activity,
    agent,
    agent_edit,
    agents,
    approvals,
    audit,
    controls,
    costs,
    dead,
    deciding,
    draft,
    draft_stats,
    drafts,
    experiments,
    hooks,
    job,
    jobs,
    join,
    login,
    overview,
    personas,
    settings,
    users,
)

# /agents/new and /agents/bulk stand before /agents/{name}, which would take them for usernames; likewise `deciding` and
# /drafts/stats.
ROUTERS = (
    login.router, join.router, live.router, overview.router, activity.router,
    agents.router, agent_edit.router, agent.router, personas.router, experiments.router,
    jobs.router, job.router, dead.router, deciding.router, drafts.router, draft_stats.router, draft.router,
    approvals.router, controls.router, costs.router, settings.router, hooks.router,
    account.router, users.router, audit.router,
)  # fmt: skip
