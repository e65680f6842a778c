"""The feature notices: messages to operators through FLEET_NOTIFY, and to users at their own addresses."""

from __future__ import annotations

from fleet.engine.registry import Command, EventType, Feature, JobHandler

FEATURE = Feature(
    name="notices",
    help="Messages to operators through FLEET_NOTIFY, and to users at their addresses.",
    settings="fleet.features.notices.settings:NoticesSettings",
    checks_at_start=("fleet.features.notices.service:check",),
    jobs=(
        JobHandler(
            kind="notify",
            noun="a notice to people",
            prepare="fleet.features.notices.handlers:prepare",
            is_notice=True,
            uses_surface=False,
        ),
        JobHandler(
            kind="notify_user",
            noun="a message to a user",
            plural="messages to users",
            prepare="fleet.features.notices.handlers:prepare_user",
            is_act=False,
            is_notice=True,
            uses_surface=False,
        ),
    ),
    tables=("fleet.features.notices.models",),
    sweeps=("fleet.features.notices.collecting:sweep",),
    pruners=("fleet.features.notices.messages:prune",),
    resealers=("fleet.features.notices.addresses:reseal",),
    api=("fleet.features.notices.api:router",),
    pages=("fleet.features.notices.pages:router",),
    templates=__package__,
    commands=(
        Command(
            name="notify",
            run="fleet.features.notices.cli:notify",
            section="Run",
            order=115,
            help="Add, test and remove addresses of users, and choose the topics of their notices.",
        ),
    ),
    extends={
        "settings.checks": ("fleet.features.notices.service:check_setting",),
        "users.account_links": ("fleet.features.notices.pages:ACCOUNT_LINK",),
    },
    events=(
        EventType(subject="job.done", kind="notify", words="told people{quote}", sign="🔔", icon="tick"),
        EventType(subject="job.done", kind="notify_user", words="told a user{quote}", sign="🔔", icon="tick"),
    ),
)
