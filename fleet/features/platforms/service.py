"""The verbs of the inbox and of opt-outs, one transaction each. Called by pages and the API."""

from __future__ import annotations

import uuid
from datetime import datetime

from fleet.access import audit
from fleet.access.models import DEFAULT_ORGANISATION
from fleet.adapters import registry as adapters
from fleet.adapters.base import SurfaceObject
from fleet.core.errors import InvalidInput
from fleet.engine.deps import Deps
from fleet.engine.schedule import local_time
from fleet.features.personas.service import schedule_of
from fleet.features.platforms.inbox import opt_outs, queries
from fleet.features.platforms.inbox.queries import InboxItem


def ignore(deps: Deps, item_id: uuid.UUID, *, by: str) -> None:
    """Close an open notification without an answer. Raises NotFound, Conflict."""
    with deps.db.transaction() as tx:
        queries.ignore(tx, item_id, by=by)
        audit.noted(tx, True, "inbox.ignored", str(item_id))


def add_opt_out(deps: Deps, surface: str, username: str, *, by: str, reason: str = "") -> bool:
    """Have the fleet leave somebody alone; False if it does already. Raises InvalidInput."""
    if surface not in adapters.names():
        raise InvalidInput(f"There is no surface {surface!r}.", fix=f"Known: {', '.join(sorted(adapters.names()))}.")
    with deps.db.transaction() as tx:
        own = DEFAULT_ORGANISATION if tx.organisations is None else min(tx.organisations)
        added = opt_outs.add(tx, surface, username, by=by, reason=reason, organisation_id=own)
        return bool(audit.noted(tx, added, "opt_out.added", f"{surface}:{username}", reason=reason))


def remove_opt_out(deps: Deps, opt_out_id: uuid.UUID, *, by: str) -> None:
    """Take somebody off the list of people who are left alone. Raises NotFound."""
    with deps.db.transaction() as tx:
        opt_outs.remove(tx, opt_out_id, by=by)
        audit.noted(tx, True, "opt_out.removed", str(opt_out_id))


def url_of(deps: Deps, one: InboxItem) -> str | None:
    """Return the address of a notification's post for people, if its platform has one."""
    if one.item_id is None:
        return None
    about = SurfaceObject(action="comment", id=one.item_id, username=one.author)
    return deps.links.of(one.account_id, about)


def local_hour(deps: Deps, persona_id: str | None, agent_id: uuid.UUID, at: datetime) -> int:
    """Return the hour of a moment on the clock by which an agent posts: that of its persona."""
    return local_time(schedule_of(deps, persona_id, agent_id), at).hour
