"""`fleet persona`: the personas in force, and their changes at run time. Reading needs no database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from fleet.cli.frame import render
from fleet.cli.frame.api import Answer, Listed, at
from fleet.cli.frame.command import FleetGroup
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import LARGEST_PAGE, PERSONA, REASON, PathType, json_option
from fleet.core import clock, text
from fleet.core.character import BLANK
from fleet.core.errors import InvalidInput
from fleet.engine.schedule import Schedule, Window

_DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
_LONGEST_FILE = 1_000_000
_REMARK = "#! "
_WHY = click.option("--why", type=REASON, default="", help="Reason; kept with the version.")
_PERSONA = click.argument("persona_id", metavar="PERSONA", type=PERSONA)


@click.group(cls=FleetGroup)
@pass_door
def persona(door: Door) -> None:
    """Show, check and edit personas.

    A change reaches every process within seconds. It stands above the file of its name, which `reset` brings back.
    """
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
    table = render.table("Persona", "Vibe", ("Share", {"justify": "right"}), "Tier", "Every", "Zone", "From")
    for one in found.items:
        render.row(table, f"{one['emoji']} {one['id']}", one["vibe"], f"{one['share'] / total:.0%}", one["tier"],
                   pace(one), one["schedule"]["timezone"], one["source"])  # fmt: skip
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
        ("Agents", "unknown" if one["agents"] is None else one["agents"]),
        ("From", f"{one['source']}{_set_by(one)}"),
    ]


def _set_by(one: Answer) -> str:
    if one["source"] == "file":
        return ""
    why = f": {one['reason']}" if one["reason"] else ""
    return f", set by {one['set_by']} {render.when(one['set_at'])}{why}"


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
    from fleet.features.personas import cli_heat_strip

    width = min(door.out.width, 124)
    door.show(cli_heat_strip.render(_schedule(one["schedule"]), clock.now(), width=width, colour=door.colour))


def _schedule(week: Mapping[str, Any]) -> Schedule:
    return Schedule(
        week["timezone"], frozenset(week["active_days"]), _windows(week["peak"]), _windows(week["sleep"]),
        week["peak_multiplier"], week["off_peak_multiplier"],
    )  # fmt: skip


def _windows(windows: Sequence[Sequence[int]]) -> tuple[Window, ...]:
    return tuple((start, end) for start, end in windows)


@persona.command("set")
@click.argument("file", type=PathType(path_type=Path, allow_dash=True))
@_WHY
@json_option
@pass_door
def set_(door: Door, /, *, file: Path, why: str, as_json: bool) -> None:
    """Create or replace a persona from FILE, in the format of persona files; - reads standard input."""
    document = _document(door.piped(_LONGEST_FILE) if str(file) == "-" else _text(file))
    made = _put(door, str(document.get("id", "")), document, why)
    if as_json:
        door.json(made)
        return
    _say(door, made)


@persona.command()
@_PERSONA
@_WHY
@pass_door
def edit(door: Door, /, *, persona_id: str, why: str) -> None:
    """Edit a persona in $EDITOR; what is wrong is shown there, and nothing is lost."""
    one = door.api.get(at("personas", persona_id))
    was = _yaml(one["document"])
    written, problem = was, ""
    while True:
        found = click.edit(_remarked(problem) + written, extension=".yaml")
        if found is None or _bare(found) == was:
            door.say("Nothing was changed.")
            return
        written = _bare(found)
        try:
            made = _put(door, persona_id, _document(written), why, version=one["version"])
        except InvalidInput as error:
            problem = str(error)
        else:
            _say(door, made)
            return


@persona.command()
@_PERSONA
@_WHY
@json_option
@pass_door
def reset(door: Door, /, *, persona_id: str, why: str, as_json: bool) -> None:
    """Use the file of a persona again; one without a file is removed, if no agent has it."""
    made = door.api.delete(at("personas", persona_id), reason=why)
    if as_json:
        door.json(made)
    elif made["persona"] is None:
        door.say(f"{persona_id} is removed.")
    elif made["changed"]:
        door.say(f"{persona_id} is as its file says.")
    else:
        door.say("It was as its file says already.")


@persona.command()
@_PERSONA
@pass_door
def export(door: Door, /, *, persona_id: str) -> None:
    """Print a persona as a file in YAML."""
    # Texts of a persona are clean when they are stored; a line that is cleaned here would lose its indentation.
    click.echo(_yaml(door.api.get(at("personas", persona_id))["document"]), nl=False)


@persona.command()
@_PERSONA
@json_option
@pass_door
def history(door: Door, /, *, persona_id: str, as_json: bool) -> None:
    """Show what was changed at run time, when, by whom and why."""
    found = door.api.get(f"{at('personas', persona_id)}/versions")
    if as_json:
        door.json(found)
        return
    items = found["items"]
    table = render.table(("Version", {"justify": "right"}), "When", "Who", "Reason", "What")
    for one, before in zip(items, [*items[1:], None], strict=True):
        render.row(table, one["version"], render.when(one["set_at"]), one["set_by"], one["reason"],
                   _difference(one["document"], before and before["document"]))  # fmt: skip
    door.show(table)


def _difference(now: Answer | None, was: Answer | None) -> str:
    if now is None:
        return "reset or removed"
    fields = [name for name in now if was is None or was.get(name) != now[name]]
    return "set" if was is None else ", ".join(fields)


def _text(file: Path) -> str:
    from fleet.core import yaml_file

    try:
        return yaml_file.read_text(file)
    except InvalidInput as error:
        raise InvalidInput(f"{file} {error.message}.") from None


def _yaml(document: Answer) -> str:
    from fleet.core import yaml_file

    return yaml_file.dump(document)


def _document(written: str) -> dict[str, Any]:
    """Return the fields of a persona that somebody has written in YAML. Raises InvalidInput."""
    from fleet.core import yaml_file  # pydantic takes longer to load than a whole command may take

    found = yaml_file.parse(written, aliases=False)
    if not isinstance(found, dict):
        raise InvalidInput("The file holds no fields.", fix="docs/personas.md shows a whole file.")
    return found


def _put(door: Door, persona_id: str, document: dict[str, Any], why: str, *, version: int | None = None) -> Answer:
    if not persona_id:
        raise InvalidInput("The file has no id.", fix="docs/personas.md shows a whole file.")
    return door.api.put(at("personas", persona_id), {"document": document, "reason": why, "version": version})


def _say(door: Door, made: Answer) -> None:
    number = made["agents_changed"]
    took = f" {render.counted(number, 'agent')} took over its values." if number else ""
    door.say(f"{made['persona']['id']} is set.{took}" if made["changed"] else "Nothing was changed.")


def _remarked(problem: str) -> str:
    return "".join(f"{_REMARK}{line}\n" for line in problem.split("; ")) if problem else ""


def _bare(written: str) -> str:
    """Return a text without the remarks that `edit` put before it."""
    return "".join(line for line in written.splitlines(keepends=True) if not line.startswith(_REMARK))
