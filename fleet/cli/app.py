"""The `fleet` command: its sections and where each command lives. Imports none of them."""

from __future__ import annotations

import sys

import click

from fleet import __version__
from fleet.cli.command import Root
from fleet.cli.door import Door

SECTIONS = {
    "Run": {
        "up": ("fleet.cli.up:up", "Run a whole fleet in this terminal."),
        "check": ("fleet.cli.check:check", "Say what is wrong with the installation, and the fix."),
        "migrate": ("fleet.cli.ground:migrate", "Bring the database to this version's tables."),
        "roles": ("fleet.cli.roles:roles", "Create the database roles of owner, app and gallery."),
        "secrets": ("fleet.cli.secrets:secrets", "Keep keys of models and surfaces, encrypted."),
        "seed": ("fleet.cli.ground:seed", "Create agents from the personas."),
        "worker": ("fleet.cli.processes:worker", "Run a worker in the foreground."),
        "beat": ("fleet.cli.processes:beat", "Run the metronome in the foreground."),
        "flower": ("fleet.cli.processes:flower", "Run Flower, the tasks' web page, in the foreground."),
        "web": ("fleet.cli.processes:web", "Serve the dashboard and the API, in the foreground."),
        "users": ("fleet.cli.users:users", "Create, invite, list, change and remove users of the dashboard."),
        "tokens": ("fleet.cli.tokens:tokens", "Create, list and revoke tokens for the API."),
        "metrics": ("fleet.cli.metrics:metrics", "Serve the fleet's numbers to Prometheus, in the foreground."),
        "gallery": ("fleet.cli.processes:gallery", "Run the sandbox gallery in the foreground."),
        "dispatch": ("fleet.cli.rounds:dispatch", "Wake the agents that are due, once or periodically."),
        "sweep": ("fleet.cli.rounds:sweep", "Pick up what was left lying, once or periodically."),
        "chaos": ("fleet.cli.chaos:chaos", "Break a fleet on purpose and check what it promises."),
    },
    "Look": {
        "status": ("fleet.cli.status:status", "Show the fleet at a glance."),
        "activity": ("fleet.cli.activity:activity", "Show what happened, and with --follow what happens."),
        "persona": ("fleet.cli.personas:persona", "Show, check and draw personas."),
        "costs": ("fleet.cli.costs:costs", "Show what calls to models cost, and today's forecast."),
        "experiments": ("fleet.cli.experiments:experiments", "Show what is tried out, and what came of it."),
        "replay": ("fleet.cli.replay:replay", "Decide a recorded tick again and compare."),
    },
    "Act": {
        "agents": ("fleet.cli.agents:agents", "List, create, edit, start, pause and stop agents."),
        "trigger": ("fleet.cli.controls:trigger", "Wake one agent now."),
        "jobs": ("fleet.cli.jobs:jobs", "List, show, retry and cancel jobs."),
        "drafts": ("fleet.cli.drafts:drafts", "List, show and decide what supervised agents propose."),
        "scan": ("fleet.cli.drafts:scan", "Let a supervised agent look at its feed now."),
        "dead": ("fleet.cli.dead:dead", "List, show, replay and discard dead letters."),
        "approvals": ("fleet.cli.approvals:approvals", "List, show and decide what agents ask for."),
        "hooks": ("fleet.cli.hooks:hooks", "Tell others what happens: list, make, try and remove webhooks."),
        "events": ("fleet.cli.events:events", "Show which code hears of events, and let it hear again."),
        "budgets": ("fleet.cli.costs:budgets", "List, set, raise and lift budgets."),
        "pause": ("fleet.cli.controls:pause", "Hold back the fleet, a surface, a persona, an agent or a kind."),
        "resume": ("fleet.cli.controls:resume", "Let it go on."),
        "kill-switch": ("fleet.cli.controls:kill_switch", "Stop all writes of agents, or allow them again."),
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
    ctx.call_on_close(ctx.ensure_object(Door).close)
