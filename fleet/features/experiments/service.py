"""Queries about experiments: a list of them, and the results of one. Called by entry points.

The loop's part is in `assign` and `measure`, the arithmetic in `fleet.features.experiments.effect.size`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from fleet.core.errors import NotFound
from fleet.engine.deps import Deps
from fleet.features.experiments import engagement, experiment_file
from fleet.features.experiments.effect import size as effect_size
from fleet.features.experiments.effect.size import Compared, Sample
from fleet.features.experiments.engagement import Engagement, Sums, VariantTally
from fleet.features.experiments.kinds import Whose
from fleet.features.experiments.settings import ExperimentsSettings
from fleet.features.experiments.variants import Experiment


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
    known = _known(deps)
    names = dict.fromkeys([*known, *(tally.experiment for tally in found)])
    return [_standing(deps, name, known, [one for one in found if one.experiment == name]) for name in names]


def results(deps: Deps, name: str, *, age_h: int, whose: Whose | None = None) -> ExperimentResults:
    """Return the results of an experiment so far; by default of people alone, where the surface marks agents.

    Raises NotFound for a name that is neither known nor has results.
    """
    with deps.db.transaction() as tx:
        tallies, sums = engagement.tallies(tx, name), engagement.sums(tx, name, age_h)
    known = _known(deps)
    if name not in known and not tallies:
        close = get_close_matches(name, known, n=1)
        guess = f"Did you mean {close[0]!r}? " if close else ""
        raise NotFound(f"There is no experiment {name!r}.", fix=f"{guess}`fleet experiments list` shows all.")
    standing = _standing(deps, name, known, tallies)
    tells_apart = any(one.people.units for one in sums.values())
    compared_by = whose or (Whose.PEOPLE if tells_apart or not sums else Whose.EVERYBODY)
    return ExperimentResults(standing, age_h, compared_by, tells_apart, _lines(standing, sums, compared_by))


def _known(deps: Deps) -> dict[str, Experiment]:
    """Return the experiments by name; the owner's file has priority over a shipped one of the same name."""
    known = {one.name: one for one in experiments_of(deps)}
    for one in experiment_file.shipped():
        known.setdefault(one.name, one)
    return known


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


def experiments_of(deps: Deps) -> tuple[Experiment, ...]:
    """Return the experiments that are on. Raises InvalidInput for a name that no file has."""
    names = deps.settings.of(ExperimentsSettings).experiments
    return deps.part("experiments", lambda _: experiment_file.chosen(names))


def check(deps: Deps) -> None:
    """Refuse a wrong choice of experiments at the start. Raises InvalidInput."""
    experiments_of(deps)
