"""Floor 5, a door: the command line, for admins. `fleet --help` lists the commands, docs/cli.md explains them.

Calls the verbs of `fleet.engine` and shows what they return; holds no rule of its own. Stays light: the module of a
command, and with it the database and Celery, is imported when that command runs.
"""


def main() -> None:
    """Run the `fleet` command."""
    from fleet.cli.app import cli

    cli()
