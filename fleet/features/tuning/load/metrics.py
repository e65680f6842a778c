"""A metric of a proposal in any window: read again to evaluate it."""

from __future__ import annotations

import uuid

from fleet.core.db import Tx
from fleet.engine.points.effect_size import Sample
from fleet.features.tuning.decisions.plans import TuningRule
from fleet.features.tuning.decisions.samples import Metric
from fleet.features.tuning.load import runs, work, writes
from fleet.features.tuning.load.window import LoadWindow
from fleet.features.tuning.models import TuningProposalRow


def measured(tx: Tx, row: TuningProposalRow, metric: Metric, window: LoadWindow) -> Sample:
    """Return a metric of what a proposal is about."""
    match TuningRule(row.rule):
        case TuningRule.WORKERS:
            return work.late(tx, window, float(row.evidence["goal_s"]))
        case TuningRule.CAPS:
            return writes.sample(tx, row.setting, metric, window)
        case TuningRule.INTERVALS:
            return runs.of_interval(tx, row.setting, uuid.UUID(row.scope_id), metric, window)
        case TuningRule.BATCHES:
            return runs.of_batch(tx, uuid.UUID(row.scope_id), metric, window)
