"""Notices to operators that must not wait for a tick: one job for each channel of FLEET_NOTIFY.

Called in the transaction in which the fleet reports something about itself, such as a spent budget. The jobs belong to
the approval agent, which sends all notices, and are published as soon as it commits. Never write as an agent here.
"""

from __future__ import annotations

import sqlalchemy as sa

from fleet import notify
from fleet.core import ids, logs
from fleet.core.db import Tx
from fleet.engine import publish
from fleet.engine.agents.models import AgentRow
from fleet.engine.deps import Deps
from fleet.engine.jobs import ledger
from fleet.engine.jobs.ledger import NewJob
from fleet.features.notices.kinds import NOTIFY

log = logs.get(__name__)
SENDER_KIND = "approval"
"""The kind of agent whose jobs notices are."""


def add(deps: Deps, tx: Tx, subject: str, title: str, body: str) -> None:
    """Add one job for each channel and publish them after COMMIT; without the approval agent only log a warning."""
    sender = tx.execute(
        sa.select(AgentRow.id, AgentRow.surface)
        .where(AgentRow.kind == SENDER_KIND, AgentRow.deleted_at.is_(None))
        .limit(1)
    ).one_or_none()
    if sender is None:
        log.warning("notice_not_sent", subject=subject, title=title, reason="there is no approval agent")
        return
    jobs = [
        NewJob(
            id=ids.new(), agent_id=sender.id, kind=NOTIFY, surface=sender.surface,
            payload={"channel": channel, "subject": subject, "title": title, "body": body},
        )
        for channel in notify.names(deps.settings.notify)
    ]  # fmt: skip
    added = ledger.add(tx, jobs)
    tx.afterwards(lambda: publish.ring_jobs(deps.publisher, added))
