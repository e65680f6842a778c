"""Urgent notices to operators, without a tick: one job for each channel of FLEET_NOTIFY.

Called in the transaction in which the fleet reports something about itself, such as a spent budget. The jobs belong to
a system agent, and are published after COMMIT. Nothing here may write as an agent.
"""

from __future__ import annotations

import functools
import uuid

from fleet import notify
from fleet.core import ids, logs
from fleet.core.db import Tx
from fleet.core.errors import InvalidInput
from fleet.core.settings import Settings
from fleet.engine import publish, system_agents
from fleet.engine.deps import Deps
from fleet.engine.jobs.ledger import NewJob
from fleet.features.notices import addresses, messages
from fleet.features.notices.kinds import NOTIFY
from fleet.features.notices.settings import NoticesSettings

log = logs.get(__name__)


def channels(settings: Settings) -> tuple[str, ...]:
    """Return the names of the channels; none in a fleet without this feature."""
    return notify.names(settings.notify) if isinstance(settings, NoticesSettings) else ()


def add(deps: Deps, tx: Tx, subject: str, title: str, body: str, *, sender: uuid.UUID | None = None) -> None:
    """Add one job for each channel and publish them after COMMIT; without an agent that sends only log a warning."""
    names = channels(deps.settings)
    if not names:
        return
    agent_id = sender or messages.agent(tx)
    if agent_id is None:
        log.warning("notice_not_sent", subject=subject, title=title, reason="there is no agent that sends notices")
        return
    jobs = [
        NewJob(
            id=ids.new(), agent_id=agent_id, kind=NOTIFY, surface=system_agents.SURFACE,
            payload={"channel": channel, "subject": subject, "title": title, "body": body},
        )
        for channel in names
    ]  # fmt: skip
    publish.add_jobs(tx, deps.publisher, jobs)


def check(deps: Deps) -> None:
    """Raise InvalidInput for invalid channels."""
    if deps.settings.of(NoticesSettings).notify and not system_agents.kinds():
        raise InvalidInput(
            "FLEET_NOTIFY is set, but no feature of this fleet has an agent that sends notices.",
            fix="Have approvals or webhooks (FLEET_FEATURES), or leave FLEET_NOTIFY empty.",
        )


def check_setting(name: str, settings: Settings, given: Settings) -> None:
    """Raise InvalidInput for channels that cannot be used, or that a user must not have ("settings.checks").

    Sends nothing.
    """
    if name == "notify":
        channels = settings.of(NoticesSettings).notify
        notify.check(channels, functools.partial(addresses.reach_of_channel, settings, given))
