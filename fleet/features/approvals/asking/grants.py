"""Approved verbs whose result is a secret: the person who asked runs one once, within a day of the approval.

The verb runs in a request of that person, so that the secret is in the answer to them and nowhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import sqlalchemy as sa

from fleet.access import Principal, Via, audit
from fleet.core.db import Also, Tx
from fleet.core.errors import Conflict
from fleet.engine.deps import Deps
from fleet.engine.points import verbs
from fleet.engine.points.verbs import ApprovedVerb, Verb, VerbArguments, VerbPreview
from fleet.features.approvals.models import RequestRow
from fleet.features.approvals.request import COLUMNS, Request, as_request
from fleet.features.approvals.states import RequestState

_FOR = timedelta(days=1)
_CLOCK = sa.func.clock_timestamp()
_IS_UNUSED = (RequestRow.state == RequestState.APPROVED, RequestRow.used_at.is_(None))


def find(tx: Tx, who: Principal, verb: Verb, preview: VerbPreview, arguments: VerbArguments) -> Also | None:
    """Return what uses up an approval of exactly this verb for this person; None without one."""
    wanted = preview.arguments or arguments.model_dump(mode="json")
    for request in _unused(tx, who, verb):
        if request.resource_id == preview.resource_id and request.arguments == wanted:
            return partial(_use, request=request)
    return None


def listed(deps: Deps, who: Principal, verb: Verb) -> list[ApprovedVerb]:
    """Return the approvals that a person may use, the oldest first."""
    with deps.db.transaction() as tx:
        found = _unused(tx, who, verb)
    return [ApprovedVerb(one.summary, one.arguments or {}, one.settled_at + _FOR) for one in found if one.settled_at]


def page_of(request: Request, who: Principal) -> str:
    """Return the page where a person runs an approved verb; empty for others, and when it has run."""
    verb = verbs.known().get((request.resource, request.action))
    is_open = request.state is RequestState.APPROVED and request.used_at is None and request.is_verb
    return verb.collect_at if verb is not None and is_open and _is_by(request.asker or {}, who) else ""


def _unused(tx: Tx, who: Principal, verb: Verb) -> Sequence[Request]:
    mine = (RequestRow.resource == verb.resource, RequestRow.action == verb.action, RequestRow.asker.is_not(None))
    query = sa.select(*COLUMNS).where(*mine, *_IS_UNUSED, RequestRow.settled_at > _CLOCK - _FOR)
    found = map(as_request, tx.execute(query.order_by(RequestRow.settled_at)))
    return [one for one in found if _is_by(one.asker or {}, who)]


def _is_by(asker: Any, who: Principal) -> bool:
    """Say whether a person asked, at this door: a token by itself, a user in any of their sessions."""
    same = (asker.get("user_id"), asker.get("name"), asker.get("via")) == (str(who.user_id), who.name, str(who.via))
    return same and (who.via is not Via.TOKEN or asker.get("key_id") == str(who.key_id))


def _use(tx: Tx, *, request: Request) -> None:
    """Record that an approval is used. Raises Conflict if another request of the same person was first."""
    used = sa.update(RequestRow).where(RequestRow.id == request.id, *_IS_UNUSED).values(used_at=_CLOCK)
    if not tx.execute(used).rowcount:
        raise Conflict("This approval was used already.", fix="Ask again.")
    audit.note(tx, "approval.used", f"approval:{request.id}")
