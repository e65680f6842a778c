"""Send notices to people: one job for each notice and channel. A sent notice is saved as a step and not sent again.

No agent writes here, so notices pass no surface's gateway, and the kill switch does not delay these jobs: they report
it.
"""

from __future__ import annotations

import functools
import uuid

import sqlalchemy as sa

from fleet import notify
from fleet.access.models import UserRow
from fleet.core.db import Tx
from fleet.core.settings import Settings
from fleet.engine.attempts.work import Work
from fleet.engine.jobs.outcomes import Done, Skipped
from fleet.features.notices import addresses, messages, rules
from fleet.features.notices.models import UserAddressRow
from fleet.features.notices.settings import NoticesSettings
from fleet.notify import Notice


def prepare(work: Work) -> Done | Skipped:
    """Send the notice, unless its channel is gone or this is a dry run. Raises Unavailable when it was not accepted."""
    deps, settings, told = work.deps, work.deps.settings, work.claim.payload
    known = settings.of(NoticesSettings).notify
    channel = str(told["channel"])
    if channel not in notify.names(known):
        return Skipped(f"the channel {channel} is no longer in FLEET_NOTIFY")
    if settings.dry_run and channel != notify.LOG:
        return Skipped("dry run: nothing was sent")
    notice = Notice(told["subject"], told["title"], told["body"], str(work.claim.job_id)[:8])

    def send() -> bool:
        notify.deliver(known, channel, notice, functools.partial(addresses.reach_of_channel, settings, deps.given))
        return True

    work.step("sent", send)
    return Done(result={"text": notice.title})


def prepare_user(work: Work) -> Done | Skipped:
    """Send a message to one address of a user, unless it is gone or this is a dry run.

    Raises Unavailable when it was not taken, InvalidInput for one that leads into a closed network.
    """
    deps, payload = work.deps, work.claim.payload
    present = sa.select(UserAddressRow).join(UserRow, UserRow.id == UserAddressRow.user_id)
    present = present.where(UserAddressRow.id == uuid.UUID(payload["address"]), UserRow.removed_at.is_(None))
    with deps.db.transaction() as tx:
        row = tx.session.scalars(present).one_or_none()
        if row is None:
            return Skipped("the address or its user was removed")
        notice = _message(tx, deps.settings, payload.get("message"), str(work.claim.job_id)[:8])
        address, is_users = addresses.opened(deps, row)
    if deps.settings.dry_run:
        return Skipped("dry run: nothing was sent")

    def send() -> bool:
        notify.deliver_to(address, notice, addresses.reach(deps.settings) if is_users else None)
        return True

    work.step("sent", send, also=functools.partial(_note, row.id))
    return Done(result={"text": notice.title})


def _message(tx: Tx, settings: Settings, message_id: str | None, reference: str) -> Notice:
    """Return the message with an id, or the test message."""
    if message_id is None:
        return Notice(
            "notices.test", "Test message of Fleet", f"Notices to you arrive here.\n{_base(settings)}", reference
        )
    lines, number = messages.lines_of(tx, uuid.UUID(message_id))
    title = rules.title([one.topic for one in lines], number)
    return Notice("notices.sent", title, messages.body(lines, number, _base(settings)), reference)


def _base(settings: Settings) -> str:
    """Return the dashboard's address for links; empty, so that links are bare paths, if the settings name none."""
    return settings.web_url


def _note(address_id: uuid.UUID, tx: Tx) -> None:
    values = {"last_sent_at": sa.func.clock_timestamp()}
    tx.execute(sa.update(UserAddressRow).where(UserAddressRow.id == address_id).values(**values))
