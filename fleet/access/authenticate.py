"""Find the user of a request by the key of a session, and notice keys that were copied. Called by `fleet.web.auth`."""

from __future__ import annotations

from dataclasses import replace

from fleet.access import audit, sessions
from fleet.access.principal import Via
from fleet.access.sessions import Copied, Found
from fleet.core import logs
from fleet.core.db import Tx

log = logs.get(__name__)


def by_session(tx: Tx, key: str, *, address: str | None = None, may_rotate: bool = False) -> Found | None:
    """Return the user of a session's key, and the new key if it was rotated; None for an invalid key.

    A copied key ends the session, and the audit log records the address that sent it.
    """
    found = sessions.find(tx, key, may_rotate=may_rotate)
    if not isinstance(found, Copied):
        return found
    who = found.principal
    actor = replace(audit.actor(), name=who.name, role=who.role, via=Via.SESSION, address=address)
    with audit.acting(actor):
        audit.note(tx, "session.copied", f"user:{who.name}", before={"address": found.address})
    tx.afterwards(lambda: log.warning("session_key_copied", user=who.name, address=address, opened_from=found.address))
    return None
