"""`fleet experiments`: what is tried out, in which variants, and what came of it, drawn in the terminal."""

from __future__ import annotations

from typing import Any

import click
from rich.text import Text

from fleet.cli.frame import render
from fleet.cli.frame.command import FleetGroup
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import json_option
from fleet.core import clock
from fleet.features.experiments import service as trials
from fleet.features.experiments.effect import strip as effect_strip
from fleet.features.experiments.effect.size import CONFIDENCE, EffectVerdict
from fleet.features.experiments.measure import AGES_H
from fleet.features.experiments.service import ExperimentResults, ExperimentSummary, VariantFigures, Whose
from fleet.features.experiments.variants import Dimension, Variant

_BAR_CHARS = 24
_RIGHT = {"justify": "right"}
_WORDS = {
    EffectVerdict.NO_DIFFERENCE: "no difference to be seen",
    EffectVerdict.MORE: "more",
    EffectVerdict.LESS: "less",
}
_STYLES = {EffectVerdict.MORE: "green", EffectVerdict.LESS: "red"}


@click.group(cls=FleetGroup)
def experiments() -> None:
    """Show experiments and their results.

    FLEET_EXPERIMENTS switches experiments on: names of shipped ones or paths to files, separated by commas.
    """


@experiments.command("list")
@json_option
@pass_door
def list_(door: Door, /, *, as_json: bool) -> None:
    """List experiments: active ones, shipped ones, and those with results."""
    found = trials.standings(door.deps)
    if as_json:
        door.json({"items": [_standing(one) for one in found]})
        return
    table = render.table("Experiment", "Varies", "State", ("Variants", _RIGHT), ("Posts", _RIGHT), ("Read", _RIGHT),
                         "Latest")  # fmt: skip
    for one in found:
        state = Text("on", style="green") if one.on else Text("off", style="bright_black")
        latest = max((tally.latest for tally in one.tallies), default=None)
        varies = one.experiment.dimension if one.experiment else "–"
        variants = len(one.experiment.variants) if one.experiment else len(one.tallies)
        render.row(table, one.name, varies, state, variants, sum(t.assigned for t in one.tallies),
                   sum(t.measured for t in one.tallies), render.when(latest, clock.now()))  # fmt: skip
    door.show(table)
    if not any(one.on for one in found):
        door.note(
            "None is on. Set FLEET_EXPERIMENTS to names from this list or to files of your own, and start the workers"
            " anew; `fleet experiments show caption_question` shows what one asks."
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
    found = trials.results(door.deps, name, age_h=int(age), whose=Whose(whose) if whose else None)
    if as_json:
        door.json(_results(found))
        return
    door.show(*_heading(found))
    if not any(line.posts for line in found.lines):
        door.show(*_variants(found))
        door.note(_nothing_yet(found))
        return
    door.show(Text(), _means(found), Text(), _differences(found))
    for line in found.lines[1:]:
        door.show(_verdict(found, line))
    if len(found.lines) > 1:
        door.note(_fine_print(found))


def _heading(found: ExperimentResults) -> list[Text]:
    experiment, state = found.standing.experiment, "on" if found.standing.on else "off"
    what = str(experiment.dimension).replace("_", " ") if experiment else "its file is gone: in the order of names"
    lines = [Text.assemble((found.standing.name, "bold"), f"  {what}, {state}")]
    if experiment is not None:
        lines.append(render.words(experiment.question))
    return lines


def _variants(found: ExperimentResults) -> list[Any]:
    """Return what each variant is, for whom there is nothing to compare yet."""
    experiment = found.standing.experiment
    if experiment is None:
        return []
    return [Text(), render.facts((one.name, _what(one)) for one in experiment.variants)]


def _what(variant: Variant) -> str:
    if variant.hours is not None:
        return f"posts from {variant.hours[0]} to {variant.hours[1]} o'clock, by the persona's clocks"
    return f"the {variant.style.part}: {variant.style.instruction}" if variant.style else "no other than without it"


def _nothing_yet(found: ExperimentResults) -> str:
    assigned = sum(line.assigned for line in found.lines)
    if assigned:
        return f"{assigned} posts are assigned; none has been read after {found.age_h} h yet."
    if found.standing.on:
        return "No post is assigned yet: agents' next posts will be."
    return f"It is off. FLEET_EXPERIMENTS={found.standing.name} switches it on, once the workers restart."


def _means(found: ExperimentResults) -> Any:
    """Draw each variant's mean as a bar, and beside it what the others gave."""
    most = max(line.got[found.whose].mean for line in found.lines) or 1
    beside = [whose for whose in (Whose.PEOPLE, Whose.AGENTS) if found.tells_apart and whose is not found.whose]
    table = render.table("Variant", ("Posts", _RIGHT), (f"By {found.whose}", _RIGHT), render.DRAWING,
                         *((f"By {whose}", _RIGHT) for whose in beside))  # fmt: skip
    for line in found.lines:
        mean = line.got[found.whose].mean
        bar = Text("█" * round(mean / most * _BAR_CHARS), style=_STYLES.get(line.compared.verdict, "cyan"))
        render.row(table, line.variant, line.posts, f"{mean:.2f}", bar,
                   *(f"{line.got[whose].mean:.2f}" for whose in beside))  # fmt: skip
    return table


def _differences(found: ExperimentResults) -> Any:
    """Draw each difference to the first variant with its interval; where there is none yet, nothing is drawn."""
    first, *others = found.lines
    table = render.table(f"Compared with {first.variant}", ("Difference", _RIGHT),
                         ("Interval", {"min_width": 18}), render.DRAWING)  # fmt: skip
    reach = max((max(-i.low, i.high) for line in others if (i := line.compared.interval)), default=0.0)
    for line in others:
        interval = line.compared.interval
        if interval is None:
            render.row(table, line.variant, "–", "–", "")
            continue
        style = _STYLES.get(line.compared.verdict, "")
        difference, between = f"{interval.difference:+.2f}", f"{interval.low:+.2f} to {interval.high:+.2f}"
        render.row(table, line.variant, Text(difference, style=style), between,
                   effect_strip.draw(interval, reach, style))  # fmt: skip
    return table


def _verdict(found: ExperimentResults, line: VariantFigures) -> Text:
    verdict, experiment = line.compared.verdict, found.standing.experiment
    if verdict is not EffectVerdict.NOT_ENOUGH or experiment is None:
        return Text(f"{line.variant}: {_WORDS.get(verdict, 'not enough yet')}.", style=_STYLES.get(verdict, ""))
    units = min(found.lines[0].got[found.whose].units, line.got[found.whose].units)
    what = "days of agents" if experiment.dimension is Dimension.POSTING_HOUR else "posts"
    if units >= experiment.enough:
        return Text(f"{line.variant}: all of them got the same; there is nothing to tell apart.")
    return Text(f"{line.variant}: not enough yet, {units} of {experiment.enough} {what} each.")


def _fine_print(found: ExperimentResults) -> str:
    comparisons = len(found.lines) - 1
    corrected = f", Bonferroni over {comparisons} comparisons" if comparisons > 1 else ""
    apart = "" if found.tells_apart else " This surface does not tell agents from people."
    return (
        f"Likes and comments of a post after {found.age_h} h. The intervals hold together in {CONFIDENCE:.0%} of such"
        f" experiments (Welch{corrected}).{apart}"
    )


def _standing(one: ExperimentSummary) -> dict[str, Any]:
    experiment = one.experiment
    tallies = {tally.variant: tally for tally in one.tallies}
    return {
        "name": one.name, "on": one.on, "question": experiment.question if experiment else None,
        "dimension": experiment.dimension if experiment else None, "enough": experiment.enough if experiment else None,
        "variants": [variant.name for variant in experiment.variants] if experiment else [*tallies],
        "assigned": {name: tally.assigned for name, tally in tallies.items()},
        "measured": {name: tally.measured for name, tally in tallies.items()},
        "latest": max((tally.latest for tally in one.tallies), default=None),
    }  # fmt: skip


def _results(found: ExperimentResults) -> dict[str, Any]:
    return {
        **_standing(found.standing), "after_h": found.age_h, "by": found.whose, "tells_apart": found.tells_apart,
        "confidence": CONFIDENCE, "comparisons": max(0, len(found.lines) - 1),
        "results": [_line(line) for line in found.lines],
    }  # fmt: skip


def _line(line: VariantFigures) -> dict[str, Any]:
    interval = line.compared.interval
    return {
        "variant": line.variant, "assigned": line.assigned, "posts": line.posts,
        "mean": {str(whose): got.mean if got.units else None for whose, got in line.got.items()},
        "units": {str(whose): got.units for whose, got in line.got.items()}, "verdict": line.compared.verdict,
        "difference": interval.difference if interval else None, "low": interval.low if interval else None,
        "high": interval.high if interval else None,
    }  # fmt: skip
