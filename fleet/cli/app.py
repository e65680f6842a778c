"""The `fleet` command: its sections and where each command lives. Imports none of them."""

from __future__ import annotations

import sys

import click

from fleet import __version__, app
from fleet.cli.command import Root
from fleet.cli.context import Door

SECTIONS = {
    "Run": {
        "up": ("fleet.cli.up.command:up", "Run a whole fleet in this terminal."),
        "check": ("fleet.cli.check.command:check", "Say what is wrong with the installation, and the fix."),
        "migrate": ("fleet.cli.migrate:migrate", "Bring the database to this version's tables."),
        "roles": ("fleet.cli.roles:roles", "Create the database roles of owner, app and gallery."),
        "secrets": ("fleet.features.secrets.cli:secrets", "Keep keys of models and surfaces, encrypted."),
        "seed": ("fleet.cli.migrate:seed", "Create agents from the personas."),
        "worker": ("fleet.cli.processes:worker", "Run a worker in the foreground."),
        "beat": ("fleet.cli.processes:beat", "Run the metronome in the foreground."),
        "flower": ("fleet.cli.processes:flower", "Run Flower, the tasks' web page, in the foreground."),
        "web": ("fleet.cli.processes:web", "Serve the dashboard and the API, in the foreground."),
        "users": ("fleet.features.users.cli:users", "Create, invite, list, change and remove users of the dashboard."),
        "tokens": ("fleet.features.users.cli_tokens:tokens", "Create, list and revoke tokens for the API."),
        "metrics": (
            "fleet.features.monitoring.cli:metrics",
            "Serve the fleet's numbers to Prometheus, in the foreground.",
        ),
        "gallery": ("fleet.cli.processes:gallery", "Run the sandbox gallery in the foreground."),
        "dispatch": ("fleet.cli.rounds:dispatch", "Wake the agents that are due, once or periodically."),
        "sweep": ("fleet.cli.rounds:sweep", "Pick up what was left lying, once or periodically."),
        "chaos": ("fleet.cli.chaos:chaos", "Break a fleet on purpose and check what it promises."),
    },
    "Look": {
        "status": ("fleet.features.overview.cli:status", "Show the fleet at a glance."),
        "activity": ("fleet.features.activity.cli:activity", "Show what happened, and with --follow what happens."),
        "persona": ("fleet.features.personas.cli:persona", "Show, check and draw personas."),
        "costs": ("fleet.features.costs.cli:costs", "Show what calls to models cost, and today's forecast."),
        "experiments": ("fleet.features.experiments.cli:experiments", "Show what is tried out, and what came of it."),
        "replay": ("fleet.features.agents.cli_replay:replay", "Decide a recorded tick again and compare."),
    },
    "Act": {
        "agents": ("fleet.features.agents.cli:agents", "List, create, edit, start, pause and stop agents."),
        "trigger": ("fleet.features.controls.cli:trigger", "Wake one agent now."),
        "jobs": ("fleet.features.jobs.cli:jobs", "List, show, retry and cancel jobs."),
        "drafts": ("fleet.features.drafts.cli:drafts", "List, show and decide what supervised agents propose."),
        "scan": ("fleet.features.drafts.cli:scan", "Let a supervised agent look at its feed now."),
        "dead": ("fleet.features.jobs.cli_dead:dead", "List, show, replay and discard dead letters."),
        "approvals": ("fleet.features.approvals.cli:approvals", "List, show and decide what agents ask for."),
        "hooks": (
            "fleet.features.webhooks.cli:hooks",
            "Tell others what happens: list, make, try and remove webhooks.",
        ),
        "events": (
            "fleet.features.webhooks.cli_events:events",
            "Show which code hears of events, and let it hear again.",
        ),
        "budgets": ("fleet.features.costs.cli:budgets", "List, set, raise and lift budgets."),
        "pause": (
            "fleet.features.controls.cli:pause",
            "Hold back the fleet, a surface, a persona, an agent or a kind.",
        ),
        "resume": ("fleet.features.controls.cli:resume", "Let it go on."),
        "kill-switch": ("fleet.features.controls.cli:kill_switch", "Stop all writes of agents, or allow them again."),
    },
    "Shell": {
        "completion": ("fleet.cli.completion:completion", "Print the script that completes `fleet` in a shell."),
    },
}


@click.group(
    cls=Root,
    sections=SECTIONS,
    context_settings={"auto_envvar_prefix": "FLEET", "help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="fleet", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Run and steer a fleet of agents.

    Start everything with `fleet up`. Other commands find that fleet through its folder, or servers of your own through
    FLEET_DATABASE_URL and FLEET_BROKER_URL. Every option of a command can be set as FLEET_<COMMAND>_<OPTION>.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal that knows no emoji is no reason to fail
    app.load()
    ctx.call_on_close(ctx.ensure_object(Door).close)
