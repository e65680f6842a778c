"""The feature drafts: supervised agents: drafts for a person to decide on."""

from __future__ import annotations

from fleet.engine.policy import Priority
from fleet.engine.registry import AgentMode, AgentTab, Command, EventType, Feature, JobHandler

_PROPOSED = "fleet.features.drafts.event_text:proposed"
_DECIDED = "fleet.features.drafts.event_text:decided"

FEATURE = Feature(
    name="drafts",
    help="Supervised agents: drafts for a person to decide on.",
    settings="fleet.features.drafts.settings:DraftsSettings",
    needs=("approvals", "publishing"),
    api=(
        "fleet.features.drafts.api.lessons:router",
        "fleet.features.drafts.api.scans:router",
        "fleet.features.drafts.stats.api:router",
        "fleet.features.drafts.api:router",
    ),
    pages=(
        "fleet.features.drafts.pages:router",
        "fleet.features.drafts.stats.pages:router",
        "fleet.features.drafts.pages.draft:router",
    ),
    agent_tabs=(
        AgentTab(
            name="drafts",
            template="drafts/agent_drafts.html",
            facts="fleet.features.drafts.pages.agent:tab",
            permission="drafts.view",
            order=60,
        ),
    ),
    agent_facts="fleet.features.drafts.pages.agent:facts",
    agent_summary="fleet.features.drafts.api.agent:AgentDraftsOut",
    agent_rows="fleet.features.drafts.cli.agent_rows:rows",
    templates=__package__,
    commands=(
        Command(
            name="drafts",
            run="fleet.features.drafts.cli:drafts",
            section="Act",
            order=40,
            help="List, show and decide the drafts of supervised agents.",
        ),
        Command(
            name="scan",
            run="fleet.features.drafts.cli:scan",
            section="Act",
            order=50,
            help="Have a supervised agent scan its feed now.",
        ),
    ),
    jobs=(
        JobHandler(
            kind="scan_feed",
            noun="a look at its feed",
            prepare="fleet.features.drafts.scanning.handler:prepare",
            asks_model=True,
        ),
        JobHandler(
            kind="revise_draft",
            noun="another draft",
            prepare="fleet.features.drafts.handlers.revise:prepare",
            priority=Priority.HIGH,
            asks_model=True,
        ),
        JobHandler(
            kind="illustrate_draft",
            noun="another picture of a draft",
            plural="other pictures of drafts",
            prepare="fleet.features.drafts.handlers.illustrate:prepare",
            priority=Priority.HIGH,
        ),
    ),
    pruners=("fleet.features.drafts.service:prune", "fleet.features.drafts.scanning.seen:prune"),
    tables=("fleet.features.drafts.models",),
    modes=(
        AgentMode(
            kind="gallery",
            name="supervised",
            label="Supervised: it proposes, people decide",
            config="fleet.features.drafts.kinds:SupervisedConfig",
            first_config="fleet.features.drafts.limits:first_config",
            actions=("scan_feed",),
            behaviour="fleet.features.drafts.agent",
            next_tick="fleet.features.drafts.agent:next_tick",
            call_off="fleet.features.drafts.agent:call_off",
        ),
    ),
    extends={
        "calendar.sources": ("fleet.features.drafts.pages.calendar:SOURCE",),
        "approvals.renderers": ("fleet.features.drafts.pages.review:RENDERER",),
        "approvals.effects": ("fleet.features.drafts.effect:EFFECTS",),
        "jobs.approved": ("fleet.features.drafts.agent:is_approved",),
        "publishing.approved": ("fleet.features.drafts.handlers.approved:why_not",),
        "publishing.busy_targets": ("fleet.features.drafts.queries:comment_targets_waiting",),
        "publishing.doubtful": ("fleet.features.drafts.handlers.hand_over:hand_over",),
    },
    events=(
        EventType(
            subject="agent.draft.post.created", describe=_PROPOSED, sign="📝", tone="cyan", icon="pen", family="drafts"
        ),
        EventType(
            subject="agent.draft.comment.created",
            describe=_PROPOSED,
            sign="📝",
            tone="cyan",
            icon="pen",
            family="drafts",
        ),
        EventType(
            subject="agent.draft.reaction.created",
            describe=_PROPOSED,
            sign="📝",
            tone="cyan",
            icon="pen",
            family="drafts",
        ),
        EventType(
            subject="agent.draft.connection.request.created",
            describe=_PROPOSED,
            sign="📝",
            tone="cyan",
            icon="hand",
            family="drafts",
        ),
        EventType(
            subject="agent.draft.approved", describe=_DECIDED, sign="✔", tone="green", icon="tick", family="drafts"
        ),
        EventType(
            subject="agent.draft.rejected", describe=_DECIDED, sign="✘", tone="yellow", icon="cross", family="drafts"
        ),
        EventType(subject="agent.draft.expired", describe=_DECIDED, sign="⌛", icon="clock", family="drafts"),
        EventType(subject="agent.draft.withdrawn", describe=_DECIDED, sign="–", icon="hand", family="drafts"),
        EventType(
            subject="agent.draft.sent_back", describe=_DECIDED, sign="↩", tone="blue", icon="again", family="drafts"
        ),
        EventType(
            subject="agent.draft.revised",
            words="has other words: “{text:160}”",
            sign="✍",
            tone="cyan",
            icon="pen",
            family="drafts",
        ),
        EventType(
            subject="agent.draft.illustrated",
            words="has another picture for a draft, asked for by {by}",
            sign="🖼",
            tone="cyan",
            icon="picture",
            family="drafts",
        ),
        EventType(subject="agent.lesson.learned", words="{why:160}", sign="🎓", icon="thought", family="drafts"),
        EventType(
            subject="agent.lesson.undone",
            words="forgets lesson {lesson}, by {by}",
            sign="🎓",
            icon="thought",
            family="drafts",
        ),
        EventType(
            subject="agent.feed.scanned", describe="fleet.features.drafts.event_text:scanned", sign="🔎", icon="search"
        ),
        EventType(
            subject="agent.feed.answer.received",
            describe="fleet.features.drafts.event_text:answered",
            sign="🧠",
            icon="search",
        ),
        EventType(
            subject="agent.feed.digested",
            describe="fleet.features.drafts.event_text:digested",
            sign="🔎",
            tone="yellow",
            icon="search",
        ),
        EventType(subject="job.done", kind="scan_feed", words="looked at its feed{quote}", sign="🔎", icon="search"),
        EventType(
            subject="job.done",
            kind="revise_draft",
            words="revised a draft{quote}",
            sign="✍",
            tone="cyan",
            icon="pen",
        ),
        EventType(
            subject="job.done",
            kind="illustrate_draft",
            words="made another picture for a draft",
            sign="🖼",
            icon="picture",
        ),
    ),
    metrics=("fleet.features.drafts.stats.metrics:METRICS",),
)
