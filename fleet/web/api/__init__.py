"""The REST API: one file a noun. `ROUTERS` is what `app` serves under /api/v1."""

from fleet.web.api import (
    activity,
    agents,
    agents_act,
    approvals,
    audit,
    controls,
    costs,
    dead,
    decisions,
    draft_stats,
    drafts,
    experiments,
    hook_sources,
    hooks,
    jobs,
    lessons,
    me,
    media,
    personas,
    settings,
    status,
    tokens,
    users,
)

# /drafts/stats stands before /drafts/{draft_id}, which would take it for an id.
ROUTERS = (
    status.router, agents_act.router, agents.router, decisions.router, lessons.router, jobs.router, dead.router,
    draft_stats.router, drafts.router, approvals.router, personas.router, experiments.router, activity.router,
    costs.router, costs.budgets, controls.router, settings.router, media.router, me.router, users.router,
    tokens.router, audit.router, hook_sources.router, hooks.router,
)  # fmt: skip
