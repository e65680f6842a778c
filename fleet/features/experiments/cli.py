"""`fleet experiments`: experiments, their variants and their results, drawn in the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from fleet.cli.frame import render
from fleet.cli.frame.api import Answer, at
from fleet.cli.frame.command import FleetGroup
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import REASON, PathType, TextType, json_option, list_options
from fleet.core.errors import InvalidInput
from fleet.engine.points.effect_size import EffectInterval, EffectVerdict
from fleet.features.experiments import cli_strip as effect_strip
from fleet.features.experiments.kinds import AGES_H, Whose

_NAME = click.argument("name", type=TextType(60))
_WHY = click.option("--why", type=REASON, default="", help="Reason; kept with the change.")
_POSTING_HOUR = "posting_hour"
_BAR_CHARS = 24
_RIGHT = {"justify": "right"}
_WORDS: Mapping[str, str] = {
    EffectVerdict.NO_DIFFERENCE: "no difference to be seen",
    EffectVerdict.MORE: "more",
    EffectVerdict.LESS: "less",
}
_STYLES: Mapping[str, str] = {EffectVerdict.MORE: "green", EffectVerdict.LESS: "red"}


@click.group(cls=FleetGroup, invoke_without_command=True)
@click.pass_context
def experiments(ctx: click.Context) -> None:
    """Run experiments, and show their results; without a command, list them.

    FLEET_EXPERIMENTS names those that are on from the beginning: shipped ones, or paths to files.
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_)


@experiments.command("list")
@list_options()
@json_option
@pass_door
def list_(door: Door, /, *, limit: int, cursor: str | None, as_json: bool) -> None:
    """List experiments: active ones, shipped ones, and those with results."""
    found = door.api.list("/experiments", limit=limit, cursor=cursor)
    if as_json:
        door.json(found.data())
        return
    table = render.table("Experiment", "Varies", "State", ("Variants", _RIGHT), ("Posts", _RIGHT), ("Read", _RIGHT),
                         "Latest")  # fmt: skip
    for one in found.items:
        tallies = one["tallies"]
        state = Text("on", style="green") if one["on"] else Text("off", style="bright_black")
        latest = max((tally["latest"] for tally in tallies), default=None)
        render.row(table, one["name"], one["dimension"] or "–", state, len(one["variants"]) or len(tallies),
                   sum(tally["assigned"] for tally in tallies), sum(tally["measured"] for tally in tallies),
                   render.when(latest))  # fmt: skip
    door.show(table)
    if found.next:
        door.note(render.below(found, "experiments"))
    if not cursor and not any(one["on"] for one in found.items):
        door.note(
            "None is on. `fleet experiments start NAME` starts one from this list, `set FILE` adds one of your own;"
            " `fleet experiments show caption_question` shows the question of one."
        )


@experiments.command()
@click.argument("name")
@click.option("--after", "age", type=click.Choice([str(age) for age in AGES_H]), default="24", show_default=True,
              help="Hours after the post.")  # fmt: skip
@click.option("--by", "whose", type=click.Choice([str(whose) for whose in Whose]),
              help="Whose likes and comments count; those of people where the surface distinguishes.")  # fmt: skip
@json_option
@pass_door
def show(door: Door, /, *, name: str, age: str, whose: str | None, as_json: bool) -> None:
    """Show the results of an experiment's variants, and whether they differ."""
    found = door.api.get(at("experiments", name), age_h=age, whose=whose)
    if as_json:
        door.json(found)
        return
    lines = found["variants"]
    door.show(*_heading(found["experiment"]))
    if not any(line["posts"] for line in lines):
        door.show(*_variants(found))
        door.note(_nothing_yet(found))
        return
    door.show(Text(), _means(found), Text(), _differences(lines))
    for line in lines[1:]:
        door.show(_verdict(found, line))
    if len(lines) > 1:
        door.note(_fine_print(found))


@experiments.command()
@_NAME
@_WHY
@pass_door
def start(door: Door, /, *, name: str, why: str) -> None:
    """Start an experiment: posts are assigned to its variants from now on."""
    _switch(door, name, "start", why, done="runs", already="runs already")


@experiments.command()
@_NAME
@_WHY
@pass_door
def stop(door: Door, /, *, name: str, why: str) -> None:
    """Stop an experiment. Its results stay."""
    _switch(door, name, "stop", why, done="is stopped", already="does not run")


def _switch(door: Door, name: str, verb: str, why: str, *, done: str, already: str) -> None:
    changed = door.api.post(at("experiments", name, verb), {"reason": why})["changed"]
    door.say(f"{name} {done if changed else already}.")


@experiments.command("set")
@click.argument("file", type=PathType(path_type=Path))
@_WHY
@pass_door
def set_(door: Door, /, *, file: Path, why: str) -> None:
    """Add an experiment from FILE, or change the one of its name. A new one is off."""
    from fleet.core import yaml_file  # pydantic takes longer to load than a whole command may take

    try:
        document = yaml_file.parse(yaml_file.read_text(file), aliases=False)
    except InvalidInput as error:
        raise InvalidInput(f"{file} {error.message}.") from None
    if not isinstance(document, dict) or not document.get("name"):
        raise InvalidInput("The file has no name.", fix="docs/experiments.md shows a whole file.")
    made = door.api.put(at("experiments", document["name"]), {"document": document, "reason": why})
    door.say(f"{document['name']} is set." if made["changed"] else "Nothing was changed.")


@experiments.command()
@_NAME
@pass_door
def export(door: Door, /, *, name: str) -> None:
    """Print an experiment as a file in YAML."""
    from fleet.core import yaml_file

    click.echo(yaml_file.dump(door.api.get(at("experiments", name))["experiment"]["document"] or {}), nl=False)


@experiments.command()
@_NAME
@_WHY
@pass_door
def remove(door: Door, /, *, name: str, why: str) -> None:
    """Remove the run-time version of an experiment that is off; its file applies again. Results stay."""
    made = door.api.delete(at("experiments", name), reason=why)
    door.say(f"What was set for {name} is removed." if made["changed"] else "Nothing was set.")


def _heading(experiment: Answer) -> list[Text]:
    state, varied = "on" if experiment["on"] else "off", experiment["dimension"]
    what = varied.replace("_", " ") if varied else "its file is gone: in the order of names"
    lines = [Text.assemble((render.safe(experiment["name"]), "bold"), f"  {what}, {state}")]
    if varied:
        lines.append(render.words(experiment["question"]))
    return lines


def _variants(found: Answer) -> list[Any]:
    """Return each variant's description, for an experiment without results."""
    if found["experiment"]["dimension"] is None:
        return []
    return [Text(), render.facts((one["variant"], _what(one)) for one in found["variants"])]


def _what(variant: Answer) -> str:
    if variant["hours"]:
        start, end = variant["hours"]
        return f"posts from {start} to {end} o'clock, by the persona's clocks"
    return f"the {variant['part']}: {variant['instruction']}" if variant["part"] else "no other than without it"


def _nothing_yet(found: Answer) -> str:
    assigned = sum(line["assigned"] for line in found["variants"])
    if assigned:
        posts = "1 post is" if assigned == 1 else f"{assigned} posts are"
        return f"{posts} assigned; none has been read after {found['age_h']} h yet."
    if found["experiment"]["on"]:
        return "No post is assigned yet: agents' next posts will be."
    return f"It is off. FLEET_EXPERIMENTS={found['experiment']['name']} switches it on, once the workers restart."


def _means(found: Answer) -> Any:
    """Draw each variant's mean as a bar, and the means of other groups beside it."""
    whose, lines = found["whose"], found["variants"]
    most = max(line["got"][whose]["mean"] for line in lines) or 1
    beside = [one for one in (Whose.PEOPLE, Whose.AGENTS) if found["tells_apart"] and one != whose]
    table = render.table("Variant", ("Posts", _RIGHT), (f"By {whose}", _RIGHT), render.DRAWING,
                         *((f"By {one}", _RIGHT) for one in beside))  # fmt: skip
    for line in lines:
        mean = line["got"][whose]["mean"]
        bar = Text("█" * round(mean / most * _BAR_CHARS), style=_STYLES.get(line["verdict"], "cyan"))
        render.row(table, line["variant"], line["posts"], f"{mean:.2f}", bar,
                   *(f"{line['got'][one]['mean']:.2f}" for one in beside))  # fmt: skip
    return table


def _differences(lines: Sequence[Answer]) -> Any:
    """Draw each difference to the first variant with its interval; where there is none yet, nothing is drawn."""
    first, *others = lines
    table = render.table(f"Compared with {first['variant']}", ("Difference", _RIGHT),
                         ("Interval", {"min_width": 18}), render.DRAWING)  # fmt: skip
    intervals = [None if line["interval"] is None else EffectInterval(**line["interval"]) for line in others]
    reach = max((max(-one.low, one.high) for one in intervals if one), default=0.0)
    for line, interval in zip(others, intervals, strict=True):
        if interval is None:
            render.row(table, line["variant"], "–", "–", "")
            continue
        style = _STYLES.get(line["verdict"], "")
        difference, between = f"{interval.difference:+.2f}", f"{interval.low:+.2f} to {interval.high:+.2f}"
        render.row(table, line["variant"], Text(difference, style=style), between,
                   effect_strip.draw(interval, reach, style))  # fmt: skip
    return table


def _verdict(found: Answer, line: Answer) -> Text:
    verdict, experiment, whose = line["verdict"], found["experiment"], found["whose"]
    name = render.safe(line["variant"])
    if verdict != EffectVerdict.NOT_ENOUGH or experiment["enough"] is None:
        return Text(f"{name}: {_WORDS.get(verdict, 'not enough yet')}.", style=_STYLES.get(verdict, ""))
    units = min(found["variants"][0]["got"][whose]["units"], line["got"][whose]["units"])
    what = "days of agents" if experiment["dimension"] == _POSTING_HOUR else "posts"
    if units >= experiment["enough"]:
        return Text(f"{name}: all of them got the same; there is nothing to tell apart.")
    return Text(f"{name}: not enough yet, {units} of {experiment['enough']} {what} each.")


def _fine_print(found: Answer) -> str:
    comparisons = found["comparisons"]
    corrected = f", Bonferroni over {comparisons} comparisons" if comparisons > 1 else ""
    apart = "" if found["tells_apart"] else " This surface does not tell agents from people."
    return (
        f"Likes and comments of a post after {found['age_h']} h. The intervals hold together in"
        f" {found['confidence']:.0%} of such experiments (Welch{corrected}).{apart}"
    )
