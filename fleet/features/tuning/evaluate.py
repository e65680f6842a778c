"""Evaluate applied changes: their metric over equal windows before and after. A worse one is proposed for undoing."""

from __future__ import annotations

import uuid
from datetime import datetime

import sqlalchemy as sa

from fleet.core import events
from fleet.core.db import Tx
from fleet.engine.deps import Deps
from fleet.features.tuning import service, values
from fleet.features.tuning.decisions import results
from fleet.features.tuning.decisions.results import Aim, MeasuredPair, TuningVerdict
from fleet.features.tuning.decisions.samples import Metric
from fleet.features.tuning.load.looks import longest
from fleet.features.tuning.load.metrics import measured
from fleet.features.tuning.load.window import LoadWindow
from fleet.features.tuning.models import TuningProposalRow, TuningState
from fleet.features.tuning.settings import TuningSettings

_MOST = 200


def evaluate(deps: Deps, tx: Tx, agent_id: uuid.UUID) -> int:
    """Evaluate changes that were applied long enough ago; return how many have a verdict now."""
    row = TuningProposalRow
    query = sa.select(row).where(row.state == TuningState.APPLIED, row.verdict.is_(None))
    due = tx.session.scalars(query.order_by(row.applied_at).limit(_MOST)).all()
    return sum(_evaluate(deps, tx, one, agent_id) for one in due)


def _evaluate(deps: Deps, tx: Tx, row: TuningProposalRow, agent_id: uuid.UUID) -> bool:
    """Evaluate one change; False while too little was measured."""
    now, applied_at = tx.now(), row.applied_at
    if applied_at is None:
        return False
    if not row.command and values.now(deps, tx, row) != row.after:
        _note(tx, row, TuningVerdict.DISTURBED, now)
        return True
    own, most = deps.settings.of(TuningSettings), longest(deps.settings)
    since = now - applied_at
    if since < own.window / deps.settings.tempo:
        return False
    length = min(since, most)
    before, after = LoadWindow(applied_at - length, applied_at), LoadWindow(applied_at, applied_at + length)

    def pair(metric: Metric) -> MeasuredPair:
        return MeasuredPair(metric, measured(tx, row, metric, before), measured(tx, row, metric, after))

    main, guards = pair(Metric(row.metric)), [pair(Metric(one)) for one in row.guards]
    verdict = results.judge(Aim(row.aim), main, guards, enough=own.tuning_samples)
    if verdict is None and since < most:
        return False
    row.result = {**results.figures(main, guards, enough=own.tuning_samples), "hours": length.total_seconds() / 3600}
    _note(tx, row, verdict or TuningVerdict.UNCLEAR, now)
    if verdict is TuningVerdict.WORSE and not row.command:
        service.propose_undo(deps, tx, row, agent_id)
    return True


def _note(tx: Tx, row: TuningProposalRow, verdict: TuningVerdict, now: datetime) -> None:
    row.verdict, row.measured_at = verdict, now
    tx.session.flush()
    words = verdict.value.replace("_", " ")
    events.emit(tx, "tuning.measured", proposal=str(row.id), setting=values.named(row), before=row.before,
                after=row.after, verdict=words, result=row.result, page="/tuning")  # fmt: skip
