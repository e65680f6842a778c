"""Queries about experiments: a list of them, and the results of one. Called by entry points.

The loop's part is in `assign` and `measure`, the arithmetic in `fleet.engine.points.effect_size`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from fleet.core import logs
from fleet.core.errors import NotFound
from fleet.engine.deps import Deps
from fleet.engine.points import effect_size
from fleet.engine.points.effect_size import Compared, Sample
from fleet.engine.settings import documents
from fleet.engine.settings.documents import Contents
from fleet.features.experiments import engagement, experiment_file
from fleet.features.experiments.engagement import Engagement, Sums, VariantTally
from fleet.features.experiments.kinds import Whose
from fleet.features.experiments.settings import ExperimentsSettings
from fleet.features.experiments.variants import Experiment

KIND = "experiment"
"""The kind of their documents: `{"experiment": the content of a file, "on": whether it runs}`."""

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class ExperimentSummary:
    """One experiment in a list. `experiment` is None if only its results are left."""

    name: str
    experiment: Experiment | None
    on: bool
    tallies: Sequence[VariantTally]


@dataclass(frozen=True, slots=True)
class VariantFigures:
    """One variant's results: posts assigned and read at this age, their average counts, and the comparison.

    `share` is the part of posts that its weight gives it; None for a variant that is no longer in the file.
    """

    variant: str
    share: float | None
    assigned: int
    posts: int
    got: Mapping[Whose, Engagement]
    compared: Compared


@dataclass(frozen=True, slots=True)
class ExperimentResults:
    """An experiment's results at one age. `whose` is what was compared; `tells_apart`: the surface marks agents."""

    standing: ExperimentSummary
    age_h: int
    whose: Whose
    tells_apart: bool
    lines: Sequence[VariantFigures]


def standings(deps: Deps) -> list[ExperimentSummary]:
    """Return every known experiment: active ones, then shipped ones, then those with results alone."""
    with deps.db.transaction() as tx:
        found = engagement.tallies(tx)
    known = known_of(deps)
    names = dict.fromkeys([*known, *(tally.experiment for tally in found)])
    return [_standing(deps, name, known, [one for one in found if one.experiment == name]) for name in names]


def results(deps: Deps, name: str, *, age_h: int, whose: Whose | None = None) -> ExperimentResults:
    """Return the results of an experiment so far; by default of people alone, where the surface marks agents.

    Raises NotFound for a name that is neither known nor has results.
    """
    with deps.db.transaction() as tx:
        tallies, sums = engagement.tallies(tx, name), engagement.sums(tx, name, age_h)
    known = known_of(deps)
    if name not in known and not tallies:
        close = get_close_matches(name, known, n=1)
        guess = f"Did you mean {close[0]!r}? " if close else ""
        raise NotFound(f"There is no experiment {name!r}.", fix=f"{guess}`fleet experiments list` shows all.")
    standing = _standing(deps, name, known, tallies)
    tells_apart = any(one.people.units for one in sums.values())
    compared_by = whose or (Whose.PEOPLE if tells_apart or not sums else Whose.EVERYBODY)
    return ExperimentResults(standing, age_h, compared_by, tells_apart, _lines(standing, sums, compared_by))


def known_of(deps: Deps) -> dict[str, Experiment]:
    """Return the experiments by name, on or off: those that are on first. Asks no database.

    One that was set at run time has priority over the owner's file of its name, and that over a shipped one.
    """
    known = {one.name: one for one in experiments_of(deps)}
    for one in (*(state.experiment for state in at_run_time(deps).values()), *of_files(deps)):
        known.setdefault(one.name, one)
    return known


def of_files(deps: Deps) -> tuple[Experiment, ...]:
    """Return the experiments of files: the owner's, then the shipped ones of other names."""
    own = by_settings(deps)
    return (*own, *(one for one in experiment_file.shipped() if one.name not in {each.name for each in own}))


def _standing(
    deps: Deps, name: str, known: Mapping[str, Experiment], tallies: Sequence[VariantTally]
) -> ExperimentSummary:
    return ExperimentSummary(name, known.get(name), any(one.name == name for one in experiments_of(deps)), tallies)


def _lines(standing: ExperimentSummary, sums: Mapping[str, Sums], whose: Whose) -> list[VariantFigures]:
    """Return the variants in the order of the file, then those that were removed from it."""
    experiment = standing.experiment
    assigned = {tally.variant: tally.assigned for tally in standing.tallies}
    in_file = [one.name for one in experiment.variants] if experiment else []
    names = list(dict.fromkeys([*in_file, *assigned]))
    got = {name: _got(sums.get(name)) for name in names}
    samples = [Sample(one[whose].units, one[whose].mean, one[whose].variance) for one in got.values()]
    enough = experiment.enough if experiment else effect_size.LEAST_FOR_AN_INTERVAL
    compared = effect_size.compare(samples, enough=enough)
    shares = {name: experiment.share(name) if experiment else None for name in names}
    posts = {name: sums[name].posts if name in sums else 0 for name in names}
    return [
        VariantFigures(name, shares[name], assigned.get(name, 0), posts[name], got[name], one)
        for name, one in zip(names, compared, strict=True)
    ]


def _got(sums: Sums | None) -> dict[Whose, Engagement]:
    nothing = Engagement(0, 0.0, 0.0)
    return {whose: nothing if sums is None else getattr(sums, whose) for whose in Whose}


@dataclass(frozen=True, slots=True)
class ExperimentState:
    """An experiment that was set at run time, and whether it is on."""

    experiment: Experiment
    on: bool


@dataclass(slots=True)
class _Latest:
    """What was made of the documents last. Replaced whole, so that no thread sees half of it."""

    made: tuple[Contents, Mapping[str, ExperimentState]] = (documents.NONE, documents.NONE)  # type: ignore[assignment]


def experiments_of(deps: Deps) -> tuple[Experiment, ...]:
    """Return the experiments that are on, by files and by what was set at run time. Asks no database.

    Of two that vary the same, the one that was set at run time counts. Raises InvalidInput for a name that no file has.
    """
    above = at_run_time(deps)
    if not above:
        return by_settings(deps)
    on = [state.experiment for state in above.values() if state.on]
    on += [one for one in by_settings(deps) if one.name not in above]
    return tuple({one.dimension: one for one in reversed(on)}.values())[::-1]


def at_run_time(deps: Deps) -> Mapping[str, ExperimentState]:
    """Return what was set at run time, by name; a document that is wrong here is left out with a warning."""
    above = deps.live.documents(KIND)
    latest = deps.part("experiments.latest", lambda _: _Latest())
    if latest.made[0] is not above:
        found = {}
        for name, document in above.items():
            state, wrong = state_of(document)
            if state is None:
                log.warning("experiment_not_in_force", experiment=name, problems=wrong)
            else:
                found[name] = state
        latest.made = (above, found)
    return latest.made[1]


def state_of(document: Mapping[str, Any]) -> tuple[ExperimentState | None, list[str]]:
    """Read a stored document: the state, or None and its problems."""
    experiment, wrong = experiment_file.check(document.get("experiment"))
    return (ExperimentState(experiment, bool(document.get("on"))) if experiment else None), wrong


def by_settings(deps: Deps) -> tuple[Experiment, ...]:
    """Return the experiments that FLEET_EXPERIMENTS switches on. Raises InvalidInput for a name that no file has."""
    names = deps.settings.of(ExperimentsSettings).experiments
    return deps.part("experiments", lambda _: experiment_file.chosen(names))


def check(deps: Deps) -> None:
    """Refuse a wrong choice of experiments at the start. Raises InvalidInput."""
    experiments_of(deps)
