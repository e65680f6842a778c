"""`fleet persona`: the archetypes as their files say them. Needs no database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from fleet.cli.frame import render
from fleet.cli.frame.api import Answer, Listed, at
from fleet.cli.frame.command import FleetGroup
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import LARGEST_PAGE, PERSONA, PathType, json_option
from fleet.core import clock, text
from fleet.core.character import BLANK
from fleet.core.errors import InvalidInput
from fleet.engine.schedule import Schedule, Window

_DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
_PERSONA = click.argument("persona_id", metavar="PERSONA", type=PERSONA)


@click.group(cls=FleetGroup)
@pass_door
def persona(door: Door) -> None:
    """Show and check personas."""
    door.needs_database = False


def complete(door: Door, beginning: str) -> list[tuple[str, str]]:
    """Return the ids that begin so, with the vibes."""
    door.needs_database = False
    return [(one["id"], one["vibe"]) for one in _all(door).items if one["id"].startswith(beginning)]


def _all(door: Door) -> Listed:
    return door.api.list("/personas", limit=LARGEST_PAGE)


@persona.command("list")
@json_option
@pass_door
def list_(door: Door, /, *, as_json: bool) -> None:
    """List the personas."""
    found = _all(door)
    if as_json:
        door.json(found.data())
        return
    total = sum(one["share"] for one in found.items)
    table = render.table("Persona", "Vibe", ("Share", {"justify": "right"}), "Tier", "Every", "Zone")
    for one in found.items:
        render.row(table, f"{one['emoji']} {one['id']}", one["vibe"], f"{one['share'] / total:.0%}", one["tier"],
                   pace(one), one["schedule"]["timezone"])  # fmt: skip
    door.show(table)


@persona.command()
@_PERSONA
@json_option
@pass_door
def show(door: Door, /, *, persona_id: str, as_json: bool) -> None:
    """Show one persona."""
    one = door.api.get(at("personas", persona_id))
    if as_json:
        door.json(one)
        return
    door.show(render.facts(_facts(one)))


def character_facts(answer: Answer) -> list[tuple[str, str]]:
    """Return what an agent or a persona is like: texts before lists, short ones first."""
    shown = sorted(BLANK.changed(answer).shown(), key=lambda pair: (pair[0].is_list, pair[0].rows))
    return [(one.label, words) for one, words in shown]


def pace(answer: Answer) -> str:
    """Return how long an agent or a persona rests between two actions: as people say it, and in real time."""
    plain, real = answer["interval_s"], answer["real_interval_s"]
    return text.pause_words((plain["min"], plain["max"]), (real["min"], real["max"]))


def _facts(one: Answer) -> list[tuple[str, object]]:
    schedule = one["schedule"]
    return [
        ("Persona", f"{one['emoji']} {one['id']}"),
        *character_facts(one),
        ("Names", ", ".join(one["name_templates"])),
        ("Usernames", f"{one['username_prefix']}…"),
        ("Wants to", ", ".join(f"{name} {weight:g}" for name, weight in one["weights"].items())),
        ("Pause between", f"{pace(one)} ({one['tier']})"),
        ("Workflows", ", ".join(one["workflow_types"])),
        ("Days", ", ".join(_DAYS[day] for day in schedule["active_days"])),
        ("Peak", f"{_hours(schedule['peak'])} at {schedule['peak_multiplier']:g}×"),
        ("Off days", f"{schedule['off_peak_multiplier']:g}×"),
        ("Asleep", _hours(schedule["sleep"])),
        ("Zone", schedule["timezone"]),
    ]


def _hours(windows: Sequence[Sequence[int]]) -> str:
    return ", ".join(f"{start}–{end}" for start, end in windows)


@persona.command()
@click.argument("folder", required=False, type=PathType(path_type=Path))
@json_option
@pass_door
def check(door: Door, /, *, folder: Path | None, as_json: bool) -> None:
    """Check the persona files of FOLDER, or of the fleet."""
    door.refuse_server()
    from fleet.features.personas import library

    problems = library.check(folder if folder is not None else _folder(door))
    if as_json:
        door.json({"ok": not problems, "problems": problems})
    elif not problems:
        door.say("The persona files are sound.")
    for problem in () if as_json else problems:
        click.echo(render.safe(problem))
    if problems:
        click.get_current_context().exit(InvalidInput.exit_code)


def _folder(door: Door) -> Path | None:
    from fleet.cli.frame import paths
    from fleet.features.personas.settings import PersonasSettings

    return paths.given(door.home).of(PersonasSettings).personas_dir


@persona.command()
@_PERSONA
@json_option
@pass_door
def schedule(door: Door, /, *, persona_id: str, as_json: bool) -> None:
    """Draw a persona's week, hour by hour, in local time."""
    one = door.api.get(at("personas", persona_id))
    if as_json:
        door.json(one)
        return
    from fleet.features.personas import heat_strip

    width = min(door.out.width, 124)
    door.show(heat_strip.render(_schedule(one["schedule"]), clock.now(), width=width, colour=door.colour))


def _schedule(week: Mapping[str, Any]) -> Schedule:
    return Schedule(
        week["timezone"], frozenset(week["active_days"]), _windows(week["peak"]), _windows(week["sleep"]),
        week["peak_multiplier"], week["off_peak_multiplier"],
    )  # fmt: skip


def _windows(windows: Sequence[Sequence[int]]) -> tuple[Window, ...]:
    return tuple((start, end) for start, end in windows)
