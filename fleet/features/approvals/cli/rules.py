"""`fleet approvals rules`: the rules in force, changes of them as a whole, their versions, and checks of a file."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fleet.cli.frame import render
from fleet.cli.frame.api import Answer, at
from fleet.cli.frame.command import FleetGroup
from fleet.cli.frame.context import Door, is_terminal, pass_door
from fleet.cli.frame.options import REASON, json_option, list_options, yes_option
from fleet.core.errors import InvalidInput
from fleet.features.approvals.cli import views

if TYPE_CHECKING:
    from fleet.features.approvals.rules import Rule

_PATH = "/approvals/rules"
_MOST_BYTES = 200_000
_FILE = click.Path(dir_okay=False, exists=True, path_type=Path)
_why = click.option("--why", type=REASON, default="", help="Reason; kept in the history.")


@click.group(cls=FleetGroup)
def rules() -> None:
    """Show and change the approval rules.

    The rules of the file are in force until somebody changes them here or on the page. Open requests keep their rule.
    """


@rules.command("list")
@click.option("--toml", "as_toml", is_flag=True, help="As a file that `set` takes.")
@json_option
@pass_door
def list_(door: Door, /, *, as_toml: bool, as_json: bool) -> None:
    """List the rules in force, in their order."""
    found = door.api.get(_PATH)
    if as_json:
        door.json(found)
    elif as_toml:
        click.echo(_toml(found), nl=False)
    else:
        door.show(views.rules_table(found["items"]))
        door.note(f"{_source(found)} What none of them covers, an owner decides within a day.")


@rules.command("set")
@click.argument("path", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path), metavar="FILE")
@_why
@json_option
@pass_door
def set_(door: Door, /, *, path: Path, why: str, as_json: bool) -> None:
    """Put the rules of FILE in force, written as the file of rules is; - reads standard input."""
    from fleet.features.approvals import rule_file

    written = rule_file.parse_toml(door.piped(_MOST_BYTES)) if str(path) == "-" else rule_file.load(path)
    _changed(door, door.api.put(_PATH, {"items": _data(written), "reason": why}), as_json=as_json)


@rules.command()
@_why
@pass_door
def edit(door: Door, /, *, why: str) -> None:
    """Edit the rules in force in your editor (EDITOR)."""
    from fleet.features.approvals import rule_file

    if not is_terminal(sys.stdin):
        raise InvalidInput("There is no terminal.", fix="`fleet approvals rules set FILE` takes a file.")
    found = door.api.get(_PATH)
    text = before = _toml(found)
    while True:
        text = click.edit(text, extension=".toml", require_save=False) or ""
        if text == before or not text.strip():
            door.note("Nothing is changed.")
            return
        try:
            body = {"items": _data(rule_file.parse_toml(text)), "reason": why, "version": found["version"]}
            changed = door.api.put(_PATH, body)
        except InvalidInput as error:
            door.note(str(error))
            door.confirm("Edit them again?", yes=False)
        else:
            _changed(door, changed)
            return


@rules.command()
@_why
@yes_option
@pass_door
def reset(door: Door, /, *, why: str, yes: bool) -> None:
    """Go back to the rules of the file."""
    door.confirm("Reset the approval rules to the file?", yes=yes)
    _changed(door, door.api.delete(_PATH, reason=why))


@rules.command()
@click.argument("version", type=click.IntRange(min=1), required=False)
@list_options()
@json_option
@pass_door
def history(door: Door, /, *, version: int | None, as_json: bool, **query: Any) -> None:
    """List the versions of the rules, newest first, or show the rules of VERSION."""
    if version is not None:
        one = door.api.get(at("approvals", "rules", "history", version))
        if as_json:
            door.json(one)
            return
        door.show(views.rules_table(one["items"]))
        door.note("The rules of the file." if one["is_file"] else f"Version {version}, by {one['set_by']}.")
        return
    found = door.api.list(f"{_PATH}/history", **query)
    if as_json:
        door.json(found.data())
        return
    words = {"no_wrap": False, "overflow": "fold"}
    table = render.table("Version", "When", "By", ("Change", words), ("Why", words))
    for one in found.items:
        change = "; ".join(
            [*(["reset to the file"] if one["is_file"] else []), *([one["change"]] * bool(one["change"]))]
        )
        render.row(table, one["version"], render.when(one["set_at"]), one["set_by"], change, one["reason"])
    if found.items:
        door.show(table)
    door.note(render.below(found, "versions"))


@rules.command()
@click.argument("version", type=click.IntRange(min=1))
@_why
@yes_option
@pass_door
def restore(door: Door, /, *, version: int, why: str, yes: bool) -> None:
    """Put the rules of VERSION in force again."""
    door.confirm(f"Put the rules of version {version} in force?", yes=yes)
    _changed(door, door.api.post(f"{_PATH}/restore", {"version": version, "reason": why}))


@rules.command()
@click.option("--file", "path", type=_FILE, help="This file, instead of the one that the settings name.")
@json_option
@pass_door
def check(door: Door, /, *, path: Path | None, as_json: bool) -> None:
    """Check a file of rules, without a server.

    Where a fleet is there, also checks that the users whom the rules name may decide.
    """
    found = _of_file(door, path)
    if as_json:
        door.json(found)
        return
    door.show(views.rules_table(found["items"]))
    source = "the shipped file" if found["file"] == "shipped" else found["file"]
    door.note(f"From {source}. What none of them covers, an owner decides within a day.")


def _changed(door: Door, found: Answer, *, as_json: bool = False) -> None:
    if as_json:
        door.json(found)
    else:
        door.say(_source(found))


def _source(found: Answer) -> str:
    file = "the shipped file" if found["file"] == "shipped" else f"the file {found['file']}"
    if found["is_pinned"]:
        return f"In force: {file}, pinned by FLEET_PINNED."
    if found["source"] == "file":
        return f"In force: {file}."
    why = f" ({found['reason']})" if found["reason"] else ""
    return f"In force: version {found['version']}, by {found['set_by']}{why}."


def _toml(found: Answer) -> str:
    from fleet.features.approvals import rule_file

    return rule_file.as_toml(rule_file.parse(found["items"]))


def _data(written: Sequence[Rule]) -> list[dict[str, Any]]:
    from fleet.features.approvals import rule_file

    return [rule_file.rule_data(rule) for rule in written]


def _of_file(door: Door, path: Path | None) -> Mapping[str, Any]:
    """Return the rules of a file, or of this machine's settings. Raises InvalidInput."""
    from fleet.cli.frame import paths
    from fleet.features.approvals import rule_file
    from fleet.features.approvals.settings import ApprovalsSettings

    named = path or paths.given(door.home).of(ApprovalsSettings).approval_rules
    found = rule_file.shipped() if named is None else rule_file.load(named)
    _check_users(door, found)
    return {"file": str(named or "shipped"), "items": [rule_file.rule_data(rule) for rule in found]}


def _check_users(door: Door, found: Sequence[Rule]) -> None:
    """Check the users whom rules name, where a database is known.

    Raises InvalidInput for one who never could decide.
    """
    from fleet.core.db import Database
    from fleet.core.errors import InvalidInput
    from fleet.features.approvals.rules import users_of
    from fleet.features.approvals.ruleset import rule_users

    if not any(users_of(rule) for rule in found):
        return
    try:
        settings = door.settings
    except InvalidInput:
        door.note("Users in the rules were not checked: no fleet runs here.")
        return
    database = Database(settings.database_url, pool_size=1)
    try:
        problems = rule_users.problems(database, settings, found)
    finally:
        database.close()
    for one in problems:
        if not one.is_lost:
            raise InvalidInput(one.words, fix=one.fix)
        door.note(f"{one.words} {one.fix}")
