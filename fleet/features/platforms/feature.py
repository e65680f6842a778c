"""The feature platforms: agents of public platforms, their inbox, and the people who want to be left alone."""

from __future__ import annotations

from datetime import timedelta

from fleet.adapters import social
from fleet.engine.policy import Priority
from fleet.engine.registry import AgentMode, AgentType, Command, EventType, Feature, JobHandler, NavItem
from fleet.features.platforms.networks import NETWORKS

_CONFIG = {
    (): "PlainPostsConfig", ("story", "reel"): "StoriesConfig", ("video",): "VideosConfig",
    ("video", "document"): "DocumentsConfig",
}  # fmt: skip
"""The configuration of agents by the formats of their network."""

FEATURE = Feature(
    name="platforms",
    help="Agents of public platforms, their inbox, and the people who want to be left alone.",
    needs=("publishing", "drafts", "personas"),
    tables=("fleet.features.platforms.inbox.models", "fleet.features.platforms.network_hooks.models"),
    agents=tuple(
        AgentType(
            kind=one.adapter,
            behaviour="fleet.features.platforms.agent",
            next_tick="fleet.features.platforms.agent:next_tick",
            actions=("post", "comment", "like", "repost", "follow", "browse"),
            weights={"post": 0.0, "comment": 0.0, "like": 0.0, "repost": 0.0, "follow": 0.0, **one.weights},
            config=f"fleet.features.platforms.kinds:{_CONFIG[one.formats]}",
        )
        for one in NETWORKS.values()
    ),
    modes=tuple(
        AgentMode(
            kind=one.adapter,
            name="supervised",
            label="Supervised: it proposes, people decide",
            config="fleet.features.drafts.kinds:SupervisedConfig",
            first_config="fleet.features.drafts.limits:first_config",
            actions=("scan_feed",),
            behaviour="fleet.features.drafts.agent",
            next_tick="fleet.features.drafts.agent:next_tick",
            call_off="fleet.features.drafts.agent:call_off",
        )
        for one in NETWORKS.values()
    ),
    actions=social.PLATFORM_ACTIONS,
    jobs=(
        JobHandler(
            kind="repost",
            noun="a repost",
            prepare="fleet.features.platforms.handlers:repost",
            priority=Priority.LOW,
            expires_after=timedelta(hours=6),
            is_public=True,
            once_per_target=True,
            obstacle="fleet.features.platforms.handlers:obstacle",
        ),
        JobHandler(
            kind="follow",
            noun="a follow",
            prepare="fleet.features.platforms.handlers:follow",
            priority=Priority.LOW,
            expires_after=timedelta(hours=6),
            is_public=True,
            once_per_target=True,
            obstacle="fleet.features.platforms.handlers:obstacle",
        ),
        JobHandler(
            kind="read_inbox",
            noun="a look at its inbox",
            plural="looks at inboxes",
            prepare="fleet.features.platforms.network_hooks.handler:prepare",
            expires_after=timedelta(hours=1),
            is_act=False,
        ),
    ),
    extends={
        "accounts.hooks": ("fleet.features.platforms.network_hooks.service:hook_of",),
        "publishing.obstacles": ("fleet.features.platforms.handlers:obstacle",),
        "drafts.sources": ("fleet.features.platforms.inbox.reading:InboxSource",),
    },
    pruners=("fleet.features.platforms.inbox.reading:prune",),
    events=(
        EventType(
            subject="account.reached",
            words="the network of the account {account} reaches it by its webhook",
            sign="✔",
            tone="green",
            icon="link",
            family="people",
        ),
        EventType(
            subject="job.done",
            kind="repost",
            words="shared what {to} wrote",
            sign="🔁",
            tone="blue",
            icon="again",
            family="likes",
        ),
        EventType(
            subject="job.done",
            kind="follow",
            words="follows {to} now",
            sign="👣",
            tone="blue",
            icon="link",
            family="likes",
        ),
        EventType(
            subject="opt_out.added",
            words="{user} on {surface} wants to be left alone",
            sign="✋",
            tone="yellow",
            icon="hand",
            family="people",
        ),
        EventType(
            subject="opt_out.removed",
            words="{user} on {surface} may be approached again",
            icon="hand",
            family="people",
        ),
    ),
    api=("fleet.features.platforms.api:router",),
    routes=("fleet.features.platforms.network_hooks.route:router",),
    pages=("fleet.features.platforms.pages:router",),
    templates=__package__,
    nav=(
        NavItem(
            path="/inbox",
            label="Inbox",
            permission="fleet.view",
            group="Work",
            order=75,
            icon="M4 13h4l1.5 3h5L16 13h4M5 5h14l1 8v6H4v-6z",
            tally="fleet.features.platforms.inbox.queries:tally",
            is_shown="fleet.features.platforms.inbox.queries:is_shown",
        ),
    ),
    commands=(
        Command(
            name="inbox",
            run="fleet.features.platforms.cli:inbox",
            section="Look",
            order=45,
            help="List mentions and replies to agents of platforms, and what became of them.",
        ),
        Command(
            name="opt-outs",
            run="fleet.features.platforms.cli:opt_outs",
            section="Act",
            order=55,
            help="List, add and remove people who want to be left alone.",
        ),
    ),
)
