"""The feature search: one search over agents, jobs, accounts, pages and actions."""

from __future__ import annotations

from fleet.engine.registry import Command, Feature

FEATURE = Feature(
    name="search",
    help="One search over agents, jobs, accounts, pages and actions.",
    api=("fleet.features.search.api:router",),
    pages=("fleet.features.search.pages:router",),
    templates=__package__,
    commands=(
        Command(
            name="search",
            run="fleet.features.search.cli:search",
            section="Look",
            order=80,
            help="Find agents, jobs, accounts and pages by name or text.",
        ),
    ),
)
