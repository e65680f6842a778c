"""`fleet check`: what is wrong with the installation, line by line, each with its fix. The looking is in `checks`."""

from __future__ import annotations

import click
from rich.text import Text

from fleet.cli import render
from fleet.cli.check import checks
from fleet.cli.check.checks import Finding, Level
from fleet.cli.command import Command
from fleet.cli.context import Door, pass_door
from fleet.cli.options import json_option

_INDENT = 20
_SIGNS = {Level.OK: "✓", Level.WARN: "!", Level.FAIL: "✗"}


@click.command(cls=Command)
@json_option
@pass_door
def check(door: Door, /, *, as_json: bool) -> None:
    """Say what is wrong with settings, models, database, broker, gallery, workers and beat, and the fix.

    Exit code 1 when anything fails; warnings do not count.
    """
    findings: list[Finding] = []
    for finding in checks.run(door):
        findings.append(finding)
        if not as_json:
            _tell(door, finding)
    failed = sum(finding.level is Level.FAIL for finding in findings)
    if as_json:
        items = [{"check": f.about, "level": f.level, "message": f.message, "fix": f.fix} for f in findings]
        door.json({"ok": not failed, "checks": items})
    elif failed:
        door.say(f"{failed} of {len(findings)} checks failed.")
    else:
        warned = sum(finding.level is Level.WARN for finding in findings)
        door.say(f"All is well{f', {warned} to look at' if warned else ''}.")
    if failed:
        click.get_current_context().exit(1)


def _tell(door: Door, finding: Finding) -> None:
    style = render.STYLES[finding.level]
    first = Text(f"{_SIGNS[finding.level]} {finding.level:<4} ", style=style)
    first.append(f"{finding.about:<12} ", style="bold").append(render.safe(finding.message))
    door.out.print(first, soft_wrap=True)
    if finding.fix:
        door.out.print(Text(" " * _INDENT + render.safe(finding.fix), style="dim"), soft_wrap=True)
