"""The feature users: users, sessions, tokens, invitations and the audit log."""

from __future__ import annotations

from fleet.engine.registry import Command, Feature, NavItem

FEATURE = Feature(
    name="users",
    help="Users, sessions, tokens, invitations and the audit log.",
    required_because="The dashboard and the API need users to log in.",
    api=(
        "fleet.features.users.api_me:router",
        "fleet.features.users.api:router",
        "fleet.features.users.api_tokens:router",
        "fleet.features.users.api_audit:router",
    ),
    pages=(
        "fleet.features.users.pages_login:router",
        "fleet.features.users.pages_join:router",
        "fleet.features.users.pages_account:router",
        "fleet.features.users.pages:router",
        "fleet.features.users.pages_audit:router",
    ),
    templates=__package__,
    extends={
        "frame.checklist": ("fleet.features.users.points.checklist:STEP",),
        "verbs": (
            "fleet.features.users.points.verbs:ROLE",
            "fleet.features.users.points.verbs:DELETE",
            "fleet.features.users.points.secret_verbs:TOKEN",
            "fleet.features.users.points.secret_verbs:INVITATION",
        ),
    },
    nav=(
        NavItem(
            path="/users",
            label="Users",
            permission="users.view",
            group="Run",
            order=140,
            icon="M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8ZM4 21c0-4 3.6-6.5 8-6.5s8 2.5 8 6.5",
        ),
        NavItem(
            path="/audit",
            label="Audit",
            permission="audit.view",
            group="Run",
            order=130,
            icon="M6 3h9l4 4v14H6ZM9 10h7M9 14h7M9 18h4",
        ),
    ),
    commands=(
        Command(
            name="users",
            run="fleet.features.users.cli:users",
            section="Run",
            order=110,
            help="Create, invite, list, change and remove users of the dashboard.",
        ),
        Command(
            name="tokens",
            run="fleet.features.users.cli_tokens:tokens",
            section="Run",
            order=120,
            help="Create, list and revoke tokens for the API.",
        ),
    ),
)
