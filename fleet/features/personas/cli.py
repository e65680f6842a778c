"""`fleet persona`: the archetypes as their files say them. Needs no database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from fleet.cli.frame import json_output, paths, render
from fleet.cli.frame.command import FleetGroup
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import PERSONA, PathType, json_option
from fleet.cli.frame.remote_call import Call
from fleet.core import clock
from fleet.core.character import Character
from fleet.core.errors import InvalidInput
from fleet.features.personas import heat_strip
from fleet.features.personas import library as personas
from fleet.features.personas.library import Library, Persona, weights_of
from fleet.features.personas.settings import PersonasSettings

_DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
_PERSONA = click.argument("persona_id", metavar="PERSONA", type=PERSONA)


@click.group(cls=FleetGroup)
def persona() -> None:
    """Show and check personas."""


def _library(door: Door) -> Library:
    return personas.load(paths.given(door.home).of(PersonasSettings).personas_dir)


def complete(door: Door, beginning: str) -> list[tuple[str, str]]:
    """Return the ids that begin so, with the vibes."""
    return [(one.id, one.character.vibe) for one in _library(door) if one.id.startswith(beginning)]


@persona.command("list", remote=Call("GET", "/personas", columns=("id", "vibe", "tier")))
@json_option
@pass_door
def list_(door: Door, /, *, as_json: bool) -> None:
    """List the personas."""
    library = _library(door)
    if as_json:
        items = [persona_data(one) for one in library]
        door.json(json_output.page(items, total=len(library), limit=len(library), offset=0))
        return
    total = sum(one.share for one in library)
    table = render.table("Persona", "Vibe", ("Share", {"justify": "right"}), "Tier", "Every", "Zone")
    for one in library:
        render.row(table, f"{one.emoji} {one.id}", one.character.vibe, f"{one.share / total:.0%}", one.tier,
                   f"{one.interval.min_s}–{one.interval.max_s} s", one.schedule.timezone)  # fmt: skip
    door.show(table)


@persona.command(remote=Call("GET", "/personas/{persona_id}"))
@_PERSONA
@json_option
@pass_door
def show(door: Door, /, *, persona_id: str, as_json: bool) -> None:
    """Show one persona."""
    one = _library(door).get(persona_id)
    if as_json:
        door.json(persona_data(one))
        return
    door.show(render.facts(_facts(one)))


def persona_data(one: Persona) -> dict[str, Any]:
    """Return a persona without its grammar."""
    schedule = one.schedule
    return {
        "id": one.id, "emoji": one.emoji, **one.character.values(),
        "username_prefix": one.username_prefix, "name_templates": one.name_templates,
        "share": one.share, "tier": one.tier, "interval_s": {"min": one.interval.min_s, "max": one.interval.max_s},
        "weights": weights_of(one),
        "workflow_types": one.workflow_types,
        "schedule": {
            "timezone": schedule.timezone, "active_days": sorted(schedule.active_days), "peak_hours": schedule.peak,
            "sleep_hours": schedule.sleep, "peak_multiplier": schedule.peak_multiplier,
            "off_peak_multiplier": schedule.off_peak_multiplier,
        },
    }  # fmt: skip


def character_facts(character: Character) -> list[tuple[str, str]]:
    """Return what an agent or a persona is like: texts before lists, short ones first."""
    shown = sorted(character.shown(), key=lambda pair: (pair[0].is_list, pair[0].rows))
    return [(one.label, words) for one, words in shown]


def _facts(one: Persona) -> list[tuple[str, object]]:
    schedule = one.schedule
    weights = persona_data(one)["weights"]
    return [
        ("Persona", f"{one.emoji} {one.id}"),
        *character_facts(one.character),
        ("Names", ", ".join(one.name_templates)),
        ("Usernames", f"{one.username_prefix}…"),
        ("Wants to", ", ".join(f"{name} {weight:g}" for name, weight in weights.items())),
        ("Pause between", f"{one.interval.min_s} to {one.interval.max_s} s at the plain pace ({one.tier})"),
        ("Workflows", ", ".join(one.workflow_types)),
        ("Days", ", ".join(_DAYS[day] for day in sorted(schedule.active_days))),
        ("Peak", f"{_hours(schedule.peak)} at {schedule.peak_multiplier:g}×"),
        ("Off days", f"{schedule.off_peak_multiplier:g}×"),
        ("Asleep", _hours(schedule.sleep)),
        ("Zone", schedule.timezone),
    ]


def _hours(windows: tuple[tuple[int, int], ...]) -> str:
    return ", ".join(f"{start}–{end}" for start, end in windows)


@persona.command()
@click.argument("folder", required=False, type=PathType(path_type=Path))
@json_option
@pass_door
def check(door: Door, /, *, folder: Path | None, as_json: bool) -> None:
    """Check the persona files of FOLDER, or of the fleet."""
    problems = personas.check(
        folder if folder is not None else paths.given(door.home).of(PersonasSettings).personas_dir
    )
    if as_json:
        door.json({"ok": not problems, "problems": problems})
    elif not problems:
        door.say("The persona files are sound.")
    for problem in () if as_json else problems:
        click.echo(render.safe(problem))
    if problems:
        click.get_current_context().exit(InvalidInput.exit_code)


@persona.command()
@_PERSONA
@json_option
@pass_door
def schedule(door: Door, /, *, persona_id: str, as_json: bool) -> None:
    """Draw a persona's week, hour by hour, in local time."""
    from fleet.engine.schedule import week

    one, now = _library(door).get(persona_id), clock.now()
    if as_json:
        door.json(
            {"persona": one.id, "timezone": one.schedule.timezone, "from": "monday", "rates": week(one.schedule, now)}
        )
        return
    width = min(door.out.width, 124)
    door.show(heat_strip.render(one.schedule, now, width=width, colour=door.colour))
