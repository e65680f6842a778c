"""The feature jobs: the ledger for people: jobs, attempts and dead letters."""

from __future__ import annotations

from fleet.engine.registry import AgentTab, Command, EventType, Feature, NavItem

_WHY = ("why", "error")

FEATURE = Feature(
    name="jobs",
    help="The ledger for people: jobs, attempts and dead letters.",
    required_because="A person decides about dead letters and unknown outcomes here.",
    api=(
        "fleet.features.jobs.api:router",
        "fleet.features.jobs.api_dead:router",
    ),
    pages=(
        "fleet.features.jobs.pages:router",
        "fleet.features.jobs.pages_job:router",
        "fleet.features.jobs.pages_dead:router",
    ),
    agent_tabs=(
        AgentTab(
            name="jobs",
            template="jobs/agent_jobs.html",
            facts="fleet.features.jobs.pages:agent_tab",
            permission="jobs.view",
            order=30,
        ),
    ),
    extends={
        "search.sources": ("fleet.features.jobs.search:SOURCE",),
        "verbs": (
            "fleet.features.jobs.verbs:REPLAY",
            "fleet.features.jobs.verbs:DISCARD",
        ),
    },
    templates=__package__,
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
            tally="fleet.features.jobs.queries:tally_dead",
            is_alarming=True,
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
    events=(
        EventType(subject="job.done", words="did {noun}", tone="", icon="tick"),
        EventType(subject="job.retried", words="tries at once with {noun}", reason=_WHY, sign="↻", tone="blue"),
        EventType(
            subject="job.retrying",
            words="will try again with {noun}",
            reason=_WHY,
            sign="↻",
            tone="yellow",
            icon="again",
            family="trouble",
        ),
        EventType(
            subject="job.held",
            words="waits with {noun}",
            reason=_WHY,
            sign="⏸",
            tone="dim yellow",
            icon="clock",
            family="trouble",
        ),
        EventType(
            subject="job.unknown",
            words="does not know about {noun}",
            reason=_WHY,
            sign="?",
            tone="magenta",
            icon="unknown",
            family="trouble",
        ),
        EventType(
            subject="job.recovered",
            words="lost the worker, not {noun}",
            reason=_WHY,
            sign="↻",
            tone="yellow",
            icon="again",
            family="trouble",
        ),
        EventType(
            subject="job.dead",
            describe="fleet.features.jobs.event_text:dead",
            sign="✖",
            tone="bold red",
            icon="cross",
            family="trouble",
        ),
        EventType(subject="job.skipped", words="let be {noun}", reason=_WHY, sign="–"),
        EventType(subject="job.cancelled", words="cancelled {noun}", reason=_WHY, sign="–", family="people"),
        EventType(
            subject="job.rescheduled", words="moved {noun} to {after}, by {by}", sign="→", icon="clock", family="people"
        ),
        EventType(subject="job.fenced", words="came too late with {noun}", reason=_WHY, sign="–", is_quiet=True),
        EventType(subject="job.duplicate", words="received {noun} twice", reason=_WHY, sign="–", is_quiet=True),
        EventType(
            subject="job.replayed",
            words="{noun} came back to life, by {by}",
            sign="↻",
            tone="blue",
            icon="again",
            family="people",
        ),
        EventType(subject="job.discarded", words="{number} dead letters discarded by {by}", family="people"),
        EventType(
            subject="sweep.ticks_released",
            words="the sweep recovered {number} ticks without a decision",
            sign="↻",
            icon="again",
            is_quiet=True,
        ),
        EventType(
            subject="sweep.ticks_skipped",
            words="the sweep let {number} late wakings be",
            sign="↻",
            icon="again",
            is_quiet=True,
        ),
        EventType(
            subject="sweep.jobs_released",
            words="the sweep took {number} jobs back from workers that are gone",
            sign="↻",
            icon="again",
            is_quiet=True,
        ),
        EventType(
            subject="sweep.jobs_ended",
            words="the sweep ended {number} jobs past their time",
            sign="↻",
            icon="again",
            is_quiet=True,
        ),
        EventType(
            subject="sweep.ticks_rung",
            words="the sweep rang again for {number} wakings",
            sign="↻",
            icon="again",
            is_quiet=True,
        ),
        EventType(
            subject="sweep.jobs_rung",
            words="the sweep rang for {number} jobs that are due",
            sign="↻",
            icon="again",
            is_quiet=True,
        ),
    ),
)
