"""The command line, for admins: `fleet --help` lists the commands, docs/cli.md explains them.

`frame` is what commands are written with, `commands` are those of the whole fleet, and features bring the others. Stays
light: the module of a command, and with it the database and Celery, is imported when that command runs.
"""


def main() -> None:
    """Run the `fleet` command."""
    from fleet.cli.app import cli

    cli()
