"""Decisions at the command line: options, requests to the API and the outcomes. `fleet drafts` uses them too."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

from fleet.cli.frame import render
from fleet.cli.frame.api import Answer, problem
from fleet.cli.frame.context import Door
from fleet.cli.frame.options import TextType
from fleet.core.errors import FleetError

F = TypeVar("F", bound=Callable[..., Any])
SHORT = 8
"""Characters of an id that lists show, as people type it."""
_MOST_AT_ONCE = 200
_NAME, _REASON = TextType(100), TextType(1000)

revision_option = click.option("--revision", type=click.IntRange(1), help="Only if this is still the current revision.")


def as_option(command: F) -> F:
    """Add the option that names the person who decides."""
    words = "Name of the person who decides; yours if left out. FLEET_ROLES_OF gives roles."
    return click.option("--as", "decided_by", metavar="NAME", type=_NAME, help=words)(command)


def reason_option(words: str, *, required: bool = False) -> Callable[[F], F]:
    """Add --reason. An empty one is none where it may be left out."""
    return click.option("--reason", type=_REASON, required=required, help=words,
                        callback=lambda _, __, value: value if required else value or None)  # fmt: skip


def given(**fields: Any) -> dict[str, Any]:
    """Return the fields of a body that a person has given."""
    return {name: value for name, value in fields.items() if value is not None}


def decide(door: Door, path: str, names: Sequence[str], body: Mapping[str, Any], *, as_json: bool,
           revisions: Mapping[str, int] | None = None) -> None:  # fmt: skip
    """Decide several drafts or requests and print the outcomes; `revisions` are those that the person saw."""
    items: list[Answer] = []
    names = list(dict.fromkeys(names))
    for start in range(0, len(names), _MOST_AT_ONCE):
        some = names[start : start + _MOST_AT_ONCE]
        seen = {name: revisions[name] for name in some} if revisions else None
        items += door.api.post(path, {**body, **given(ids=some, revisions=seen)})["items"]
    _print(door, items, as_json=as_json)


def seen(names: Sequence[str], revision: int | None) -> Mapping[str, int] | None:
    """Return the revision that --revision names for each of several."""
    return None if revision is None else dict.fromkeys(names, revision)


def _print(door: Door, items: Sequence[Answer], *, as_json: bool) -> None:
    """Print the outcomes, and exit with the code of the refusals. The refusal of a single decision is raised."""
    refusals = {id(one): problem(one["problem"]) for one in items if one["problem"] is not None}
    if as_json:
        door.json({"items": items})
    elif len(items) == len(refusals) == 1:
        raise refusals[id(items[0])]
    else:
        for one in items:
            if id(one) in refusals:
                door.err.print(render.words(f"{one['id'][:SHORT]} {refusals[id(one)]}", "red"), soft_wrap=True)
            else:
                door.say(outcome(one["id"], one["decided"]))
    if refusals:
        codes = {error.exit_code for error in refusals.values()}
        click.get_current_context().exit(codes.pop() if len(codes) == 1 else FleetError.exit_code)


def outcome(name: str, decided: Answer) -> str:
    """Return in words how a draft or request stands after a decision."""
    about = f"{name[:SHORT]}: {decided['summary']}"
    if decided["state"] == "pending":
        return f"Noted; {len(decided['voices'])} of {decided['min_approvals']} have approved {about}"
    return f"{decided['state'].capitalize() if decided['settled'] else 'Already ' + decided['state']} {about}"
