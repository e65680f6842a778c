"""Approved verbs: the verb runs in the transaction of the decision, in the name of the person who asked. One with a
secret result runs later (`asking.grants`).

Both commit or neither does, so that a request runs its verb once, whatever process dies and however many people press
the button. What the verb is about is compared with what the approvers saw, and the asker's permission is checked again.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from fleet.access import Actor, Permission, Principal, audit, authenticate
from fleet.access.errors import NotPermitted
from fleet.core.db import Tx
from fleet.core.errors import FleetError, InvalidInput, NotFound
from fleet.engine.deps import Deps
from fleet.engine.points import verbs
from fleet.engine.points.verbs import Verb, VerbArguments, VerbPreview
from fleet.engine.registry import load
from fleet.features.approvals.effects.effect import Effect
from fleet.features.approvals.models import RequestRow
from fleet.features.approvals.request import COLUMNS, Changed, Ended, Request, as_request
from fleet.features.approvals.requests import moves
from fleet.features.approvals.rules import Rule
from fleet.features.approvals.states import RequestState

_MOST_LOOKED_AT = 50


def run_if_approved(deps: Deps, tx: Tx, request: Request) -> None:
    """Run the verb if that was approved. Raises Ended if it never can run, Changed if its object is another by now."""
    if request.state is not RequestState.APPROVED:
        return
    verb, arguments = _of(request)
    who = _asker(tx, request, verb.permission)
    if not _is_as_seen(request, preview(deps, tx, request)):
        raise Changed(f"What request {request.id} is about has changed at this moment.", fix="Look at it again.")
    if verb.collect_at:
        return  # the person who asked runs it, and sees the result alone
    try:
        with deps.db.joined(tx), audit.acting(Actor(who.name, who.role, who.via)):
            load(verb.run)(deps, arguments, who)
    except (NotFound, NotPermitted) as error:
        raise Ended(str(error)) from error


EFFECT = Effect(run_if_approved)


def _of(request: Request) -> tuple[Verb, VerbArguments]:
    """Return the verb of a request with its arguments. Raises Ended if this fleet no longer has such a verb."""
    assert request.arguments is not None
    try:
        verb = verbs.get(request.resource, request.action)
        return verb, verb.parse(request.arguments)
    except (NotFound, InvalidInput) as error:  # its feature is left out, or its arguments are those of another version
        raise Ended(error.message) from error


def preview(deps: Deps, tx: Tx, request: Request) -> VerbPreview:
    """Return what the verb of a request would change now. Raises Ended if its object or the verb is gone."""
    verb, arguments = _of(request)
    try:
        found: VerbPreview = load(verb.preview)(deps, tx, arguments)
    except NotFound as error:
        raise Ended(error.message) from error
    if found.resource_id != request.resource_id:  # the name is that of another object now
        raise Ended(f"That {request.resource} is gone; another one has its name.")
    return found


def refresh(deps: Deps, tx: Tx, request: Request, rules: Sequence[Rule]) -> Request:
    """Return a locked open request as its object is now: a new revision, if that has changed. Raises Ended."""
    now = preview(deps, tx, request)
    if _is_as_seen(request, now):
        return request
    facts = {**request.facts, **now.facts}
    return moves.renew(
        tx, request, rules, current=plain(now.before), payload=plain(now.after), facts=plain(facts), summary=now.summary
    )


def is_outdated(deps: Deps, tx: Tx, request: Request) -> bool:
    """Say whether the object of an open request differs from what the request shows, or is gone. Changes nothing."""
    if request.is_settled or not request.is_verb:
        return False
    try:
        return not _is_as_seen(request, preview(deps, tx, request))
    except FleetError:
        return True


def requests_without_object(deps: Deps, tx: Tx) -> list[uuid.UUID]:
    """Return open requests whose object is gone, of the oldest ones that are open."""
    mine = (RequestRow.state == RequestState.PENDING, RequestRow.arguments.is_not(None))
    query = sa.select(*COLUMNS).where(*mine).order_by(RequestRow.created_at).limit(_MOST_LOOKED_AT)
    return [request.id for request in map(as_request, tx.execute(query)) if _has_no_object(deps, tx, request)]


def _has_no_object(deps: Deps, tx: Tx, request: Request) -> bool:
    try:
        preview(deps, tx, request)
    except Ended:
        return True
    except FleetError:
        return False  # the approver sees it
    return False


def _asker(tx: Tx, request: Request, permission: Permission) -> Principal:
    """Return who asked, with their role of now. Raises Ended if they may not do this any more."""
    who = authenticate.from_data(tx, request.asker or {})
    if who is None:
        raise Ended(f"{request.requested_by} can no longer act here.")
    if not who.may(permission):
        raise Ended(f"{request.requested_by} no longer has the permission {permission}.")
    return who


def _is_as_seen(request: Request, now: VerbPreview) -> bool:
    return bool(plain(now.before) == request.known)


def plain(value: Mapping[str, Any]) -> Any:
    """Return data as the database returns it."""
    return json.loads(json.dumps(value, default=str))
