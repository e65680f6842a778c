"""Checks of `fleet check`: the rules of approvals, the users that they name, and who is notified."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from fleet import notify
from fleet.cli.frame.check_result import CheckLevel, CheckResult, ok
from fleet.core.db import Database
from fleet.core.errors import FleetError
from fleet.core.settings import Settings
from fleet.features.approvals.ruleset import in_force, rule_users, store
from fleet.features.notices.service import channels
from fleet.features.notices.settings import NoticesSettings

_ABOUT = "approvals"


def rules(settings: Settings) -> Iterator[CheckResult]:
    """Check the rules, and the addresses of FLEET_NOTIFY without a message to them."""
    found = in_force.load(settings)
    if isinstance(settings, NoticesSettings):
        notify.check(settings.notify)
    told = ", ".join(channels(settings))
    yield ok(_ABOUT, f"{len(found)} rules; notices go to {told or 'no channel: only pages and commands show requests'}")


def users(settings: Settings) -> Iterator[CheckResult]:
    """Check whether the users that the rules name may decide."""
    try:
        with closing(Database(settings.database_url, pool_size=1)) as database:
            with database.transaction() as tx:
                edited = store.newest(tx)
            own = None if edited is None or settings.is_pinned(in_force.PINNED) else edited.rules
            found = rule_users.problems(database, settings, in_force.load(settings) if own is None else own)
    except FleetError:
        return  # the checks of the rules and of the database have reported it
    for one in found:
        yield CheckResult(_ABOUT, CheckLevel.WARN if one.is_lost else CheckLevel.FAIL, one.words, one.fix)
