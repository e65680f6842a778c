"""`fleet replay`: decide a recorded tick again with the same inputs and dice. The same must come out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click
from rich.text import Text

from fleet.cli.frame import json_output, render
from fleet.cli.frame.api import at
from fleet.cli.frame.command import FleetCommand
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import AGENT, json_option
from fleet.core.diff import lines

_STYLES = {"-": "red", "+": "green"}


@click.command(cls=FleetCommand)
@click.argument("name", metavar="AGENT", type=AGENT)
@click.argument("tick_no", metavar="TICK", type=click.IntRange(1, 2**63 - 1))
@json_option
@pass_door
def replay(door: Door, /, *, name: str, tick_no: int, as_json: bool) -> None:
    """Repeat the decision of tick TICK of an agent, and compare.

    Changes nothing. Exit code 0 when the decision is the same, 1 when not: the rules have changed since.
    """
    answer = door.api.get(at("agents", name, "decisions", tick_no, "replay"))
    then, now, same = answer["then"], answer["now"], answer["same"]
    if as_json:
        door.json(answer)
    elif same:
        door.say(f"The same: {now.get('action') or 'nothing'}. {now.get('thought', '')}")
    else:
        door.show(render.words("Another decision comes out now (- then, + now):", "bold"), *_difference(then, now))
    if not same:
        click.get_current_context().exit(1)


def _difference(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Text]:
    for line in lines(json_output.to_json(then), json_output.to_json(now)):
        if line[0] in _STYLES:
            yield Text(f"{line[0]} {line[1:].rstrip()}", style=_STYLES[line[0]])
