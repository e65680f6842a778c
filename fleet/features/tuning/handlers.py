"""The job of tuning: evaluate earlier changes, look at the load, and propose changes."""

from __future__ import annotations

from fleet.core.db import Tx
from fleet.engine.attempts.work import Work
from fleet.engine.jobs.outcomes import Done, Skipped
from fleet.features.tuning import service
from fleet.features.tuning.evaluate import evaluate
from fleet.features.tuning.load import looks, work
from fleet.features.tuning.models import TuningRunRow
from fleet.features.tuning.settings import TuningSettings


def run(work_: Work) -> Done | Skipped:
    """Carry out a job. It writes nothing outside: settings wait for approvals, commands for people."""
    deps = work_.deps
    own = deps.settings.of(TuningSettings)
    if not own.tuning_enabled:
        return Skipped("tuning is off")
    with deps.db.transaction() as tx:
        now = tx.now()
        found = list(looks.everything(deps, tx))
        running = work.running(tx, now)
    run_id, agent_id, by = work_.claim.job_id, work_.agent.id, work_.claim.requested_by
    since = now - own.window / deps.settings.tempo

    def also(tx: Tx) -> None:
        service.observe_workers(deps, tx, running)
        evaluate(deps, tx, agent_id)
        row = TuningRunRow(id=run_id, made_at=tx.now(), since=since, requested_by=by)
        service.record(deps, tx, row, agent_id, found)

    work_.also = also
    return Done(result={"looked": len(found)})
