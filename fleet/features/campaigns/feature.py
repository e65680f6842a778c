"""The feature campaigns: from a message or topics to posts on every network."""

from __future__ import annotations

from fleet.engine.policy import Priority
from fleet.engine.registry import Command, EventType, Feature, FollowUp, JobHandler, NavItem

_CHANGED = "fleet.features.campaigns.event_text:changed"

FEATURE = Feature(
    name="campaigns",
    help="Campaigns: a message or topics become posts for each network, reviewed, scheduled and published.",
    needs=("publishing", "platforms", "approvals"),
    tables=("fleet.features.campaigns.models",),
    jobs=(
        JobHandler(
            kind="plan_campaign",
            noun="the plan of a campaign",
            plural="plans of campaigns",
            prepare="fleet.features.campaigns.stages.handlers:plan",
            uses_surface=False,
            asks_model=True,
        ),
        JobHandler(
            kind="write_item",
            noun="the words of an item",
            plural="words of items",
            prepare="fleet.features.campaigns.stages.handlers:write",
            uses_surface=False,
            asks_model=True,
        ),
        JobHandler(
            kind="adapt_item",
            noun="the form of an item",
            plural="forms of items",
            prepare="fleet.features.campaigns.stages.handlers:adapt",
            uses_surface=False,
        ),
        JobHandler(
            kind="review_item",
            noun="the review of an item",
            plural="reviews of items",
            prepare="fleet.features.campaigns.stages.handlers:check",
            uses_surface=False,
        ),
        JobHandler(
            kind="schedule_item",
            noun="the time of an item",
            plural="times of items",
            prepare="fleet.features.campaigns.stages.handlers:schedule",
            uses_surface=False,
        ),
        JobHandler(
            kind="continue_item",
            noun="a further part of a thread",
            plural="further parts of threads",
            prepare="fleet.features.campaigns.stages.publication:continue_item",
            action="post",
            priority=Priority.HIGH,
            is_public=True,
            obstacle="fleet.features.publishing.checks:obstacle",
            turns="fleet.features.publishing.checks:turns",
        ),
    ),
    follow_ups=(
        FollowUp(kind="post", run="fleet.features.campaigns.stages.publication:part_done"),
        FollowUp(kind="continue_item", run="fleet.features.campaigns.stages.publication:part_done"),
    ),
    pruners=("fleet.features.campaigns.items:prune",),
    sweeps=("fleet.features.campaigns.stages.publication:sweep",),
    extends={
        "calendar.sources": ("fleet.features.campaigns.calendar_source:SOURCE",),
        "publishing.posts": ("fleet.features.campaigns.stages.publication:prepare",),
        "jobs.approved": ("fleet.features.campaigns.stages.publication:is_approved",),
        "approvals.effects": ("fleet.features.campaigns.stages.effect:EFFECTS",),
        "leader.stops": ("fleet.features.campaigns.stopping:STOPS",),
        "jobs.stops": ("fleet.features.campaigns.stopping:STOP",),
        "verbs": ("fleet.features.campaigns.stopping:RESUME",),
    },
    events=(
        EventType(
            subject="content.item.created", describe=_CHANGED, sign="📝", tone="cyan", icon="pen", family="drafts"
        ),
        EventType(
            subject="content.item.written",
            words="has gone on with an item for {network}",
            sign="✍",
            icon="pen",
            is_quiet=True,
        ),
        EventType(
            subject="content.item.adapted",
            words="has gone on with an item for {network}",
            sign="✂",
            icon="pen",
            is_quiet=True,
        ),
        EventType(
            subject="content.item.passed",
            words="has gone on with an item for {network}",
            sign="✔",
            icon="tick",
            is_quiet=True,
        ),
        EventType(
            subject="content.item.doubted", describe=_CHANGED, sign="✋", tone="yellow", icon="hand", family="drafts"
        ),
        EventType(
            subject="content.item.refused", describe=_CHANGED, sign="✘", tone="yellow", icon="cross", family="drafts"
        ),
        EventType(
            subject="content.item.accepted", describe=_CHANGED, sign="✔", tone="green", icon="tick", family="drafts"
        ),
        EventType(
            subject="content.item.declined", describe=_CHANGED, sign="✘", tone="yellow", icon="cross", family="drafts"
        ),
        EventType(subject="content.item.scheduled", describe=_CHANGED, sign="🗓", tone="blue", icon="clock"),
        EventType(
            subject="content.item.began",
            words="has gone on with an item for {network}",
            sign="📤",
            icon="clock",
            is_quiet=True,
        ),
        EventType(
            subject="content.item.part", describe=_CHANGED, sign="🧵", tone="cyan", icon="speech", family="posts"
        ),
        EventType(
            subject="content.item.published", describe=_CHANGED, sign="📣", tone="cyan", icon="picture", family="posts"
        ),
        EventType(
            subject="content.item.failed", describe=_CHANGED, sign="⚠", tone="red", icon="cross", family="trouble"
        ),
        EventType(subject="content.item.resumed", describe=_CHANGED, sign="↻", tone="blue", icon="again"),
        EventType(subject="content.item.edited", describe=_CHANGED, sign="✎", tone="cyan", icon="pen", family="drafts"),
        EventType(subject="content.item.cancelled", describe=_CHANGED, sign="–", icon="cross"),
        EventType(subject="content.item.moved", describe=_CHANGED, sign="🗓", tone="blue", icon="clock"),
        EventType(
            subject="campaign.stopped",
            words="stopped the campaign {campaign}, by {by}",
            reason=("reason",),
            sign="✋",
            tone="red",
            icon="hand",
            family="people",
        ),
        EventType(
            subject="campaign.resumed",
            words="let the campaign {campaign} go on, by {by}",
            sign="↻",
            tone="green",
            icon="again",
            family="people",
        ),
        EventType(
            subject="brand.changed",
            words="{by} changed the rules of the brand {brand}",
            reason=("why",),
            icon="pen",
            family="people",
        ),
        EventType(subject="job.done", kind="plan_campaign", words="planned a campaign", sign="🗓", icon="pen"),
        EventType(subject="job.done", kind="write_item", words="wrote an item", icon="pen", is_quiet=True),
        EventType(subject="job.done", kind="adapt_item", words="gave an item its form", icon="pen", is_quiet=True),
        EventType(subject="job.done", kind="review_item", words="reviewed an item", icon="tick", is_quiet=True),
        EventType(subject="job.done", kind="schedule_item", words="gave an item its time", icon="clock", is_quiet=True),
        EventType(
            subject="job.done",
            kind="continue_item",
            words="continued a thread{quote}",
            sign="🧵",
            tone="cyan",
            icon="speech",
            family="posts",
        ),
    ),
    api=("fleet.features.campaigns.arms.api:router", "fleet.features.campaigns.api:router"),
    pages=("fleet.features.campaigns.pages.forms:router", "fleet.features.campaigns.pages.shown:router"),
    templates=__package__,
    nav=(
        NavItem(
            path="/campaigns",
            label="Campaigns",
            permission="drafts.view",
            group="Work",
            order=71,
            icon="M4 10v4h3l7 4V6l-7 4H4zM17 9c1.500 1.500 1.500 4.500 0 6",
        ),
    ),
    commands=(
        Command(
            name="campaigns",
            run="fleet.features.campaigns.cli:campaigns",
            section="Act",
            order=57,
            help="Plan, compose and move posts for several networks.",
        ),
    ),
)
