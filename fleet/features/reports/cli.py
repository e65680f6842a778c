"""`fleet reports`: reports over the API."""

from __future__ import annotations

from pathlib import Path

import click

from fleet.cli.frame import render
from fleet.cli.frame.api import at
from fleet.cli.frame.command import FleetGroup
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import REASON, OutputPathType, TextType, json_option, list_options

_CADENCES = click.Choice(("daily", "weekly", "monthly"))
_id = click.argument("report_id", metavar="ID", type=click.UUID)


@click.group(cls=FleetGroup, invoke_without_command=True)
@click.pass_context
def reports(ctx: click.Context) -> None:
    """Show, build, export and compare reports; without a command, list them."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_reports)


@reports.command("list")
@click.option("--cadence", type=_CADENCES, help="How often it is built.")
@list_options()
@json_option
@pass_door
def list_reports(door: Door, /, *, cadence: str | None, limit: int, cursor: str | None, as_json: bool) -> None:
    """List reports, newest first."""
    found = door.api.list("/reports", limit=limit, cursor=cursor, cadence=cadence)
    if as_json:
        door.json(found.data())
        return
    table = render.table("Id", "Report", "Since", "Until", "Version", "Built by", "Reason")
    for one in found.items:
        render.row(table, one["id"], one["cadence"], one["since"][:16], one["until"][:16], one["version"],
                   one["built_by"], render.clip(one["reason"], 40))  # fmt: skip
    door.show(table)
    door.note(render.below(found, "reports"))


@reports.command()
@_id
@json_option
@pass_door
def show(door: Door, /, *, report_id: object, as_json: bool) -> None:
    """Show the figures of one report."""
    one = door.api.get(at("reports", str(report_id)))
    if as_json:
        door.json(one)
        return
    table = render.table("Section", "Figure", "Value")
    for section in one["document"]["sections"]:
        for figure in section["figures"]:
            render.row(table, section["title"], figure["title"], _shown(figure["value"], figure["unit"]))
    door.show(table)


@reports.command()
@click.argument("cadence", type=_CADENCES)
@click.option("--organisation", type=TextType(60), default="", help="Name or id; by default your own.")
@click.option("--reason", type=REASON, default="", help="Why it has to be built again.")
@json_option
@pass_door
def build(door: Door, /, *, cadence: str, organisation: str, reason: str, as_json: bool) -> None:
    """Build the newest report that is due; again, as a new version, with --reason."""
    one = door.api.post("/reports", {"cadence": cadence, "organisation": organisation, "reason": reason})
    if as_json:
        door.json(one)
        return
    door.say(f"Built {one['id']}, version {one['version']}.")


@reports.command()
@_id
@click.option(
    "--format",
    "wanted",
    type=click.Choice(("html", "json", "csv")),
    default="html",
    show_default=True,
    help="Format of the file.",
)
@click.option("--output", type=OutputPathType(dir_okay=False), help="File to write; by default standard output.")
@json_option
@pass_door
def export(door: Door, /, *, report_id: object, wanted: str, output: Path | None, as_json: bool) -> None:
    """Write one report as HTML with plots, JSON or CSV."""
    one = door.api.get(at("reports", str(report_id), "export"), format=wanted)
    if output is not None:
        output.write_text(one["content"], encoding="utf-8", newline="")
    if as_json:
        door.json(one)
    elif output is not None:
        door.say(f"Written to {output}.")
    else:
        click.echo(one["content"])


@reports.command()
@_id
@click.argument("other", type=click.UUID, required=False)
@json_option
@pass_door
def compare(door: Door, /, *, report_id: object, other: object | None, as_json: bool) -> None:
    """Compare a report with that of the period before, or with OTHER."""
    query = {} if other is None else {"other": str(other)}
    found = door.api.get(at("reports", str(report_id), "compare"), **query)
    if as_json:
        door.json(found)
        return
    table = render.table("Figure", "Value", "Before", "Change", "%")
    for one in found["items"]:
        render.row(table, one["title"], _shown(one["value"], one["unit"]), _shown(one["before"], one["unit"]),
                   _shown(one["change"], one["unit"]), _shown(one["percent"], ""))  # fmt: skip
    door.show(table)


def _shown(value: float | None, unit: str) -> str:
    return "unknown" if value is None else f"{value:,.2f} {unit}".strip()
