"""The feature organisations: who belongs where. The rows are kept apart with or without it."""

from __future__ import annotations

from fleet.engine.registry import Command, Feature, NavItem

FEATURE = Feature(
    name="organisations",
    help="Brands or clients, each with its agents, accounts and members.",
    api=("fleet.features.organisations.api:router",),
    pages=("fleet.features.organisations.pages:router",),
    templates=__package__,
    nav=(
        NavItem(
            path="/organisations",
            label="Organisations",
            permission="users.view",
            group="Fleet",
            order=195,
            icon="M4 21V7l8-4 8 4v14M4 21h16M9 21v-5h6v5M8 10h1M12 10h1M16 10h0",
            is_shown="fleet.access.organisations:are_several",
        ),
    ),
    commands=(
        Command(
            name="organisations",
            run="fleet.features.organisations.cli:organisations",
            section="Run",
            order=125,
            help="Create, list, change and remove organisations, and assign agents and accounts to them.",
        ),
    ),
)
