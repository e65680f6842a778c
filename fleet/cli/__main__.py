"""Runs the command line as `python -m fleet.cli`, where the console script is not installed."""

from fleet.cli.app import cli

if __name__ == "__main__":
    cli(prog_name="fleet")
