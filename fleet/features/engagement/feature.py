"""The feature engagement: what came of published posts, and how accounts grow."""

from __future__ import annotations

from fleet.engine.registry import AgentType, Command, EventType, Feature, FollowUp, NavItem, SystemAgent
from fleet.features.engagement.kinds import MEASURE_ACCOUNT

FEATURE = Feature(
    name="engagement",
    help="What came of published posts, and how accounts grow.",
    needs=("publishing",),
    settings="fleet.features.engagement.settings:EngagementSettings",
    tables=("fleet.features.engagement.models",),
    agents=(
        AgentType(
            kind="engagement",
            behaviour="fleet.features.engagement.agent",
            system=SystemAgent(
                username="fleet_metrics",
                name="Metrics",
                every_s=60,
                personality="Has posts and accounts measured: often while posts are new, seldom afterwards.",
            ),
        ),
    ),
    jobs=(MEASURE_ACCOUNT,),
    follow_ups=(FollowUp(kind="post", run="fleet.features.engagement.collect:follow_post"),),
    pruners=(
        "fleet.features.engagement.store:prune_posts",
        "fleet.features.engagement.store:prune_hours",
        "fleet.features.engagement.store:prune_account_days",
    ),
    extends={
        "campaigns.hours": ("fleet.features.engagement.best_hours:recommended",),
        "leader.measures": ("fleet.features.engagement.network_measures:measure",),
        "leader.samples": ("fleet.features.engagement.network_measures:samples",),
        "publishing.counts": ("fleet.features.engagement.queries:latest_counts",),
        "reports.sections": ("fleet.features.engagement.report_section:section",),
    },
    api=("fleet.features.engagement.api:router",),
    pages=("fleet.features.engagement.pages:router",),
    templates=__package__,
    nav=(
        NavItem(
            path="/engagement",
            label="Engagement",
            permission="fleet.view",
            group="Fleet",
            order=13,
            icon="M12 20s-7-4.6-7-10a4 4 0 0 1 7-2.6A4 4 0 0 1 19 10c0 5.4-7 10-7 10z",
        ),
    ),
    commands=(
        Command(
            name="engagement",
            run="fleet.features.engagement.cli:engagement",
            section="Look",
            order=41,
            help="Show what came of posts, best hours, and how accounts grow.",
        ),
    ),
    events=(
        EventType(
            subject="post.gone",
            words="has a post less on {account}",
            reason=("why",),
            sign="✖",
            tone="yellow",
            icon="stop",
            family="trouble",
        ),
        EventType(
            subject="account.unmeasurable",
            words="account {account} cannot be measured",
            reason=("why",),
            sign="!",
            tone="yellow",
            icon="stop",
            family="trouble",
        ),
        EventType(
            subject="account.measurable", words="account {account} can be measured again", sign="✔", tone="green"
        ),
    ),
)
