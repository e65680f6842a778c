"""The pages: one file a page, its template of the same name. `ROUTERS` is what `app` serves."""

from fleet.features.activity import pages as activity
from fleet.features.agents import pages as agents
from fleet.features.agents import pages_agent, pages_edit
from fleet.features.approvals import pages as approvals
from fleet.features.approvals import pages_decisions
from fleet.features.controls import pages as controls
from fleet.features.costs import pages as costs
from fleet.features.costs import pages_budgets
from fleet.features.drafts import pages as drafts
from fleet.features.drafts import pages_draft
from fleet.features.drafts.stats import pages as draft_stats
from fleet.features.experiments import pages as experiments
from fleet.features.jobs import pages as jobs
from fleet.features.jobs import pages_dead, pages_job
from fleet.features.overview import pages as overview
from fleet.features.personas import pages as personas
from fleet.features.settings import pages as settings
from fleet.features.users import pages as users
from fleet.features.users import pages_account, pages_audit, pages_join, pages_login
from fleet.features.webhooks import pages as hooks
from fleet.web import live

# /agents/new and /agents/bulk stand before /agents/{name}, which would take them for usernames; likewise `deciding` and
# /drafts/stats.
ROUTERS = (
    pages_login.router,
    pages_join.router,
    live.router,
    overview.router,
    activity.router,
    agents.router,
    pages_edit.router,
    pages_agent.router,
    personas.router,
    experiments.router,
    jobs.router,
    pages_job.router,
    pages_dead.router,
    pages_decisions.router,
    drafts.router,
    draft_stats.router,
    pages_draft.router,
    approvals.router,
    controls.router,
    costs.router,
    pages_budgets.router,
    settings.router,
    hooks.router,
    pages_account.router,
    users.router,
    pages_audit.router,
)
