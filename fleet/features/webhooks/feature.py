"""The feature webhooks: webhooks out and in, and subscribers in code."""

from __future__ import annotations

from datetime import timedelta

from fleet.engine.policy import Priority, RetryPolicy
from fleet.engine.registry import AgentType, Command, EventType, Feature, JobHandler, NavItem, SystemAgent

FEATURE = Feature(
    name="webhooks",
    help="Webhooks out and in, and subscribers in code.",
    settings="fleet.features.webhooks.settings:WebhooksSettings",
    api=(
        "fleet.features.webhooks.inbound.api:router",
        "fleet.features.webhooks.api:router",
        "fleet.features.webhooks.subscribers.api:router",
    ),
    routes=("fleet.features.webhooks.inbound.route:router",),
    pages=("fleet.features.webhooks.pages:router",),
    templates=__package__,
    extends={
        "frame.checklist": ("fleet.features.webhooks.outbound.checklist:STEP",),
        "verbs": (
            "fleet.features.webhooks.verbs.hooks:HOOK",
            "fleet.features.webhooks.verbs.hooks:REPLAY",
            "fleet.features.webhooks.verbs.sources:SOURCE",
        ),
        "overview.health": ("fleet.features.webhooks.outbound.health:look",),
        "dispatch.every_second": ("fleet.features.webhooks.outbound.alarms:add",),
    },
    nav=(
        NavItem(
            path="/hooks",
            label="Webhooks",
            permission="hooks.view",
            group="Run",
            order=120,
            icon="M9 8a3 3 0 1 1 4.5 2.6L16 15M8.5 12.5 6 17m0 0a3 3 0 1 0 3 3h6m3-5a3 3 0 1 1-2 5",
        ),
    ),
    commands=(
        Command(
            name="hooks",
            run="fleet.features.webhooks.cli:hooks",
            section="Act",
            order=80,
            help="Manage webhooks: list, create, test and delete.",
        ),
        Command(
            name="events",
            run="fleet.features.webhooks.subscribers.cli:events",
            section="Act",
            order=90,
            help="Show event subscribers, and replay events to them.",
        ),
    ),
    agents=(
        AgentType(
            kind="hooks",
            behaviour="fleet.features.webhooks.agent",
            about="hook.delivery",  # its decisions name webhooks
            system=SystemAgent(
                username="fleet_hooks",
                name="Webhooks",
                every_s=5,
                personality=(
                    "Reads what has happened, and has it delivered to webhooks and handed to subscribers in code."
                ),
            ),
        ),
    ),
    jobs=(
        JobHandler(
            kind="deliver",
            noun="a delivery to a webhook",
            prepare="fleet.features.webhooks.handlers:prepare",
            expires_after=timedelta(days=7),
            is_act=False,
            is_notice=True,
            uses_surface=False,
            # Receivers are down for an evening at times: half a day of tries, the last ones hours apart.
            retry=RetryPolicy(base_s=60.0, cap_s=21_600.0, max_attempts=12),
            pace="fleet.features.webhooks.outbound.pacing:go_on",
            about="hook.delivery",
        ),
        JobHandler(
            kind="alarm",
            noun="an alarm to a webhook",
            prepare="fleet.features.webhooks.handlers:prepare",
            priority=Priority.CRITICAL,
            expires_after=timedelta(days=7),
            is_act=False,
            is_notice=True,
            ignores_pauses=True,
            uses_surface=False,
            # Soon and often: about half a day of tries, at most five minutes apart.
            retry=RetryPolicy(base_s=2.0, cap_s=300.0, max_attempts=300),
            about="hook.delivery",
        ),
        JobHandler(
            kind="handle",
            noun="events for a subscriber",
            prepare="fleet.features.webhooks.subscribers.in_code:prepare",
            expires_after=timedelta(days=7),
            is_act=False,
            is_notice=True,
            uses_surface=False,
        ),
    ),
    pruners=("fleet.features.webhooks.sources:prune",),
    sweeps=("fleet.features.webhooks.outbound.pacing:sweep",),
    tables=("fleet.features.webhooks.models",),
    resealers=("fleet.features.webhooks.secrets:reseal",),
    private={"hook.*": "hooks.view"},
    events=(
        EventType(subject="job.done", kind="deliver", words="delivered an event{quote}", sign="📡", icon="tick"),
        EventType(subject="job.done", kind="alarm", words="delivered an alarm{quote}", sign="🔔", icon="tick"),
        EventType(subject="job.done", kind="handle", words="handed on events{quote}", sign="📬", icon="tick"),
        EventType(subject="hook.created"),
        EventType(subject="hook.changed"),
        EventType(subject="hook.enabled"),
        EventType(subject="hook.disabled"),
        EventType(subject="hook.rotated"),
        EventType(subject="hook.removed"),
        EventType(subject="hook.received"),
        EventType(subject="hook.source.created"),
        EventType(subject="hook.source.rotated"),
        EventType(subject="hook.source.enabled"),
        EventType(subject="hook.source.disabled"),
        EventType(subject="hook.source.removed"),
        EventType(subject="event.parked"),
        EventType(subject="event.replayed"),
    ),
)
