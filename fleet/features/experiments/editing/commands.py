"""Verbs about experiments: set, start, stop, remove. Each is one transaction; the content is checked as a file is.

An experiment that runs, or that posts were assigned to, keeps its variants: with others, equal names would stand for
different posts.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from fleet.access import audit
from fleet.core import events
from fleet.core.db import Tx
from fleet.core.errors import Conflict, InvalidInput, NotFound
from fleet.engine.deps import Deps
from fleet.engine.settings import documents
from fleet.features.experiments import engagement, experiment_file
from fleet.features.experiments.service import (
    KIND,
    ExperimentState,
    by_settings,
    experiments_of,
    known_of,
    of_files,
    state_of,
)
from fleet.features.experiments.variants import Experiment

RESERVED = frozenset({"new"})


def read(name: str | None, document: object) -> Experiment:
    """Return the experiment that a document describes. Raises InvalidInput with every problem."""
    experiment, wrong = experiment_file.check(document)
    if experiment is not None and name not in (None, experiment.name):
        wrong = [f"name: {experiment.name!r} is not {name!r}; results refer to it, so it stays as it is"]
    elif experiment is not None and experiment.name in RESERVED:
        wrong = [f"name: {experiment.name!r} is an address of the dashboard; choose another one"]
    if experiment is None or wrong:
        raise InvalidInput(f"{'; '.join(wrong)}.", fix="docs/experiments.md shows a whole file.")
    return experiment


def put(
    deps: Deps, name: str, document: object, *, by: str, reason: str = "", seen: Collection[str] | None = None,
    is_new: bool = False,
) -> bool:  # fmt: skip
    """Set an experiment; a new one is off. Return whether that changed it.

    Raises InvalidInput, Conflict for other variants of one that runs or has posts, Outdated.
    """
    experiment = read(name, document)
    with deps.db.transaction() as tx:
        before = _turn(deps, tx, name)
        if is_new and before is not None:
            raise Conflict(f"There is an experiment {name!r} already.", fix="Choose another name, or edit that one.")
        if before is not None and before.experiment == experiment:
            return False
        if before is not None:
            _refuse_other_variants(tx, before, experiment)
        after = ExperimentState(experiment, before.on if before else False)
        _tell(deps, tx, "experiment.created" if before is None else "experiment.changed", after, before, by=by,
              reason=reason, seen=seen)  # fmt: skip
    deps.live.refresh(wait=True)
    return True


def switch(deps: Deps, name: str, *, on: bool, by: str, reason: str = "") -> bool:
    """Start or stop an experiment; return whether that changed it.

    Raises NotFound, Conflict if another one that runs varies the same.
    """
    with deps.db.transaction() as tx:
        before = _turn(deps, tx, name)
        if before is None:
            raise NotFound(f"There is no experiment {name!r}.", fix=f"Experiments: {', '.join(known_of(deps))}.")
        if before.on == on:
            return False
        if on:
            _refuse_the_same_dimension(deps, tx, before.experiment)
        _tell(deps, tx, "experiment.started" if on else "experiment.stopped", replace(before, on=on), before, by=by,
              reason=reason)  # fmt: skip
    deps.live.refresh(wait=True)
    return True


def remove(deps: Deps, name: str, *, by: str, reason: str = "") -> bool:
    """Remove what was set at run time: the file of this name and FLEET_EXPERIMENTS count again. Results stay.

    Raises NotFound, Conflict for one that runs.
    """
    with deps.db.transaction() as tx:
        before = _turn(deps, tx, name)
        if before is None:
            raise NotFound(f"There is no experiment {name!r}.", fix=f"Experiments: {', '.join(known_of(deps))}.")
        stored = documents.latest(tx, KIND, name)
        if stored is None or stored.document is None:
            return False
        if before.on:
            raise Conflict(f"The experiment {name!r} runs.", fix="Stop it first.")
        file = next((one for one in of_files(deps) if one.name == name), None)
        if file is not None:
            _refuse_other_variants(tx, before, file)
        _tell(deps, tx, "experiment.reset" if file else "experiment.removed", None, before, by=by, reason=reason)
    deps.live.refresh(wait=True)
    return True


def _turn(deps: Deps, tx: Tx, name: str) -> ExperimentState | None:
    """Wait for one's turn; return the experiment as it is at this moment, whatever this process has read."""
    documents.take_turn(tx, KIND)
    stored = documents.latest(tx, KIND, name)
    state = state_of(stored.document)[0] if stored and stored.document else None
    if state is not None:
        return state
    file = next((one for one in of_files(deps) if one.name == name), None)
    return None if file is None else ExperimentState(file, file in by_settings(deps))


def _refuse_other_variants(tx: Tx, before: ExperimentState, after: Experiment) -> None:
    same = (after.dimension, after.variants) == (before.experiment.dimension, before.experiment.variants)
    if not same and (before.on or engagement.tallies(tx, after.name)):
        why = "runs" if before.on else "has posts"
        raise Conflict(
            f"The experiment {after.name!r} {why}, so its variants stay as they are.",
            fix="End it, and start another one with a name of its own.",
        )


def _refuse_the_same_dimension(deps: Deps, tx: Tx, experiment: Experiment) -> None:
    states = {name: state_of(one.document)[0] for name, one in documents.newest_of(tx, KIND).items() if one.document}
    running = {name: state.experiment for name, state in states.items() if state is not None and state.on}
    running |= {one.name: one for one in experiments_of(deps) if one.name not in states}
    other = next((one for one in running.values() if one.dimension is experiment.dimension), None)
    if other is not None and other.name != experiment.name:
        raise Conflict(
            f"{other.name} runs and varies the {experiment.dimension.replace('_', ' ')}, too.",
            fix="Stop it first: the effects of both together cannot be separated.",
        )


def _tell(
    deps: Deps, tx: Tx, action: str, after: ExperimentState | None, before: ExperimentState | None, *, by: str,
    reason: str, seen: Collection[str] | None = None,
) -> None:  # fmt: skip
    """Add a version, and tell of it: a line of the audit log and an event."""
    one = after or before
    assert one is not None
    name = one.experiment.name
    content = None if after is None else _stored(after)
    documents.put(tx, KIND, name, content, by=by, reason=reason, seen=seen)
    audit.note(tx, action, f"experiment:{name}", before=None if before is None else _stored(before),
               after={**(content or {}), "reason": reason})  # fmt: skip
    events.emit(tx, action, experiment=name, by=by, reason=reason)
    tx.afterwards(deps.live.expire)


def _stored(state: ExperimentState) -> dict[str, Any]:
    return {"experiment": experiment_file.document_of(state.experiment), "on": state.on}
