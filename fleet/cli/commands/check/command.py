"""`fleet check`: what is wrong with the installation, line by line, each with its fix. The looking is in `checks`."""

from __future__ import annotations

import click
from rich.text import Text

from fleet.cli.commands.check import checks
from fleet.cli.frame import render
from fleet.cli.frame.check_result import CheckLevel, CheckResult
from fleet.cli.frame.command import FleetCommand
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import json_option

_INDENT = 20
_SIGNS = {CheckLevel.OK: "✓", CheckLevel.WARN: "!", CheckLevel.FAIL: "✗"}


@click.command(cls=FleetCommand)
@json_option
@pass_door
def check(door: Door, /, *, as_json: bool) -> None:
    """Find problems of settings, models, database, broker, gallery, workers and beat, and name their fixes.

    Exit code 1 when anything fails; warnings do not count.
    """
    door.refuse_server()
    findings: list[CheckResult] = []
    for finding in checks.run(door):
        findings.append(finding)
        if not as_json:
            _tell(door, finding)
    failed = sum(finding.level is CheckLevel.FAIL for finding in findings)
    if as_json:
        items = [{"check": f.about, "level": f.level, "message": f.message, "fix": f.fix} for f in findings]
        door.json({"ok": not failed, "checks": items})
    elif failed:
        door.say(f"{failed} of {len(findings)} checks failed.")
    else:
        warned = sum(finding.level is CheckLevel.WARN for finding in findings)
        door.say(f"All is well{f', {warned} to look at' if warned else ''}.")
    if failed:
        click.get_current_context().exit(1)


def _tell(door: Door, finding: CheckResult) -> None:
    style = render.STYLES[finding.level]
    first = Text(f"{_SIGNS[finding.level]} {finding.level:<4} ", style=style)
    first.append(f"{finding.about:<12} ", style="bold").append(render.safe(finding.message))
    door.out.print(first, soft_wrap=True)
    if finding.fix:
        door.out.print(Text(" " * _INDENT + render.safe(finding.fix), style="dim"), soft_wrap=True)
