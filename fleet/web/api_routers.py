"""The REST API: one file a noun. `ROUTERS` is what `app` serves under /api/v1."""

from fleet.features.activity import api as activity
from fleet.features.agents import api as agents
from fleet.features.agents import api_actions, api_decisions
from fleet.features.approvals import api as approvals
from fleet.features.controls import api as controls
from fleet.features.costs import api as costs
from fleet.features.drafts import api as drafts
from fleet.features.drafts import api_lessons
from fleet.features.drafts.stats import api as draft_stats
from fleet.features.experiments import api as experiments
from fleet.features.jobs import api as jobs
from fleet.features.jobs import api_dead
from fleet.features.media import api as media
from fleet.features.overview import api as status
from fleet.features.personas import api as personas
from fleet.features.settings import api as settings
from fleet.features.users import api as users
from fleet.features.users import api_audit, api_me, api_tokens
from fleet.features.webhooks import api as hooks
from fleet.features.webhooks.inbound import api as hook_sources

# /drafts/stats stands before /drafts/{draft_id}, which would take it for an id.
ROUTERS = (
    status.router,
    api_actions.router,
    agents.router,
    api_decisions.router,
    api_lessons.router,
    jobs.router,
    api_dead.router,
    draft_stats.router,
    drafts.router,
    approvals.router,
    personas.router,
    experiments.router,
    activity.router,
    costs.router,
    costs.budgets,
    controls.router,
    settings.router,
    media.router,
    api_me.router,
    users.router,
    api_tokens.router,
    api_audit.router,
    hook_sources.router,
    hooks.router,
)
