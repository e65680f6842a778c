"""The feature jobs: the ledger for people: jobs, attempts and dead letters."""

from __future__ import annotations

from fleet.engine.registry import Command, Feature, NavItem

FEATURE = Feature(
    name="jobs",
    help="The ledger for people: jobs, attempts and dead letters.",
    is_optional=False,
    api=(
        "fleet.features.jobs.api:router",
        "fleet.features.jobs.api_dead:router",
    ),
    pages=(
        "fleet.features.jobs.pages:router",
        "fleet.features.jobs.pages_job:router",
        "fleet.features.jobs.pages_dead:router",
    ),
    nav=(
        NavItem(
            path="/jobs", label="Jobs", permission="jobs.view", group="Work", order=60, icon="M4 6h16M4 12h16M4 18h10"
        ),
        NavItem(
            path="/dead",
            label="Dead letters",
            permission="jobs.view",
            group="Work",
            order=70,
            icon="M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v5M14 11v5",
        ),
    ),
    commands=(
        Command(
            name="jobs",
            run="fleet.features.jobs.cli:jobs",
            section="Act",
            order=30,
            help="List, show, retry and cancel jobs.",
        ),
        Command(
            name="dead",
            run="fleet.features.jobs.cli_dead:dead",
            section="Act",
            order=60,
            help="List, show, replay and discard dead letters.",
        ),
    ),
)
