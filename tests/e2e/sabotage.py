"""A worker whose engine is broken on purpose: `python -m tests.e2e.sabotage WHAT celery-arguments...`.

For the test that the checker finds broken engines. Each way takes one safeguard out and leaves the rest alone.
"""

from __future__ import annotations

import re
import sys
import uuid
from dataclasses import replace
from typing import Any

from fleet import app
from fleet.adapters import gateway
from fleet.adapters.base import Resolution
from fleet.adapters.floimg.adapter import FloImg
from fleet.adapters.floimg.pictures import FloImgPictures
from fleet.adapters.pictures import PictureOrder
from fleet.core.db import sql
from fleet.engine import registry
from fleet.engine.attempts import perform, reserve
from fleet.engine.jobs import ledger

_OF_LEASE = re.compile(
    r"AND jobs\.(lease_token = calls\.token|lease_until > coalesce\(.*?\)\)|state \|\| '' (IN \(.*?\)|= [\w.']+))"
)
"""The conditions of statements that ask for the lease."""


def without_fencing() -> None:
    """Whoever held a job once may go on with it, lease or not."""

    def unguarded(tx: Any, claimed: Any, states: Any, *, still_leased: bool = False, **values: Any) -> bool:
        del states, still_leased
        return bool(tx.execute(ledger.sa.update(ledger.JobRow).where(ledger.JobRow.id == claimed.job_id)
                               .values(**values)).rowcount)  # fmt: skip

    vars(ledger)["guarded"] = unguarded
    for statement in (ledger._SAVE_STEP, ledger._ENTER_SENDING, perform._FINISH_JOB):
        file = statement._statement
        assert isinstance(file, sql.SqlFile)
        statement._statement = replace(file, sql=_OF_LEASE.sub("", file.sql))
    gateway.Lease.left_s = lambda _: 60.0  # type: ignore[method-assign]


def without_probe() -> None:
    """What may have happened is simply sent again."""
    FloImg.actions = {**FloImg.actions, "post": Resolution.RESEND, "comment": Resolution.RESEND}


def without_checkpoints() -> None:
    """Paid steps are not kept, and pictures are ordered without a key that holds."""
    vars(ledger)["save_step"] = lambda *_, **__: True
    make = FloImgPictures.make

    def unkeyed(self: FloImgPictures, order: PictureOrder, *, timeout_s: float) -> str:
        return make(self, PictureOrder(order.account, order.prompt, f"{order.key}:{uuid.uuid4()}"), timeout_s=timeout_s)

    FloImgPictures.make = unkeyed  # type: ignore[method-assign]


def without_kill_switch() -> None:
    """Nobody asks whether writing is forbidden."""
    gateway._Guard._clear_to_send = lambda _self, lease, *_: lease.left_s() / 2  # type: ignore[method-assign]
    vars(reserve)["_hold"] = lambda *_: None


def without_alarms() -> None:
    """The kill switch and pauses also hold the agents and jobs that report them."""
    load = app.load

    def muted(*wanted: Any) -> registry.Registry:
        features = [
            replace(one, jobs=tuple(replace(job, is_notice=False) for job in one.jobs),
                    agents=tuple(replace(kind, system=None) for kind in one.agents))
            for one in load(*wanted)
        ]  # fmt: skip
        registry.use(registry.Registry(features))
        return registry.current()

    vars(app)["load"] = muted


SABOTAGE = {
    "fencing": without_fencing, "probe": without_probe, "checkpoints": without_checkpoints,
    "kill_switch": without_kill_switch, "alarms": without_alarms,
}  # fmt: skip


if __name__ == "__main__":
    if sys.argv[1] != "nothing":
        SABOTAGE[sys.argv[1]]()
    from celery.__main__ import main

    sys.argv = ["celery", *sys.argv[2:]]
    main()
