"""The feature accounts: accounts at outside systems."""

from __future__ import annotations

from fleet.engine.registry import Command, EventType, Feature, NavItem

FEATURE = Feature(
    name="accounts",
    help="Accounts at outside systems: credentials, limits, health.",
    required_because="Agents act through accounts, and people replace refused credentials here.",
    api=("fleet.features.accounts.api:router",),
    pages=("fleet.features.accounts.pages:router",),
    extends={
        "overview.health": ("fleet.features.accounts.health:look",),
        "search.sources": ("fleet.features.accounts.search:SOURCE",),
        "frame.checklist": ("fleet.features.accounts.checklist:STEP",),
        "verbs": (
            "fleet.features.accounts.verbs:DELETE",
            "fleet.features.accounts.verbs:RESUME",
        ),
    },
    sweeps=("fleet.features.accounts.reminders:sweep",),
    pruners=("fleet.accounts.usage:prune",),
    templates=__package__,
    nav=(
        NavItem(
            path="/accounts",
            label="Accounts",
            permission="settings.view",
            group="Run",
            order=145,
            icon="M15 7a4 4 0 1 0-3.9 5L9 14v2H7v2H5v2H3v-3l6.2-6.2M16 6h0",
        ),
    ),
    commands=(
        Command(
            name="accounts",
            run="fleet.features.accounts.cli:accounts",
            section="Run",
            order=45,
            help="Create, list, change, stop and remove accounts at outside systems.",
        ),
    ),
    events=(
        EventType(subject="account.created", words="account {account} created, by {by}", family="people"),
        EventType(subject="account.changed", words="account {account} changed, by {by}", family="people"),
        EventType(subject="account.removed", words="account {account} removed, by {by}", family="people"),
        EventType(subject="account.connected", words="account {account} connected, by {by}", family="people"),
        EventType(
            subject="account.attention", words="account {account}: {why}", sign="!", tone="yellow", family="trouble"
        ),
        EventType(subject="account.revoked", words="tokens of the account {account} revoked", family="people"),
        EventType(
            subject="account.not_revoked",
            words="tokens of the removed account {account} were not revoked",
            reason=("why",),
            family="trouble",
        ),
        EventType(subject="account.assigned", words="{agent} acts through {account}, by {by}", family="people"),
        EventType(subject="account.unassigned", words="{agent} left the account {account}, by {by}", family="people"),
        EventType(
            subject="account.refused",
            words="account {account} stopped: its credentials were refused",
            reason=("why",),
            sign="✖",
            tone="bold red",
            icon="stop",
            family="trouble",
        ),
    ),
)
