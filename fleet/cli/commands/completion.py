"""`fleet completion SHELL`: the script that makes a shell complete commands, options, agents and personas."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from fleet.cli.frame.command import FleetCommand

_VARIABLE = "_FLEET_COMPLETE"


@click.command(cls=FleetCommand)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish", "powershell"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script of a shell.

    \b
    bash:  fleet completion bash > ~/.local/share/bash-completion/completions/fleet
    zsh:   fleet completion zsh > "${fpath[1]}/_fleet"
    fish:  fleet completion fish > ~/.config/fish/completions/fleet.fish
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"This version of click completes no {shell}.")
    click.echo(kind(ctx.find_root().command, {}, "fleet", _VARIABLE).source())
