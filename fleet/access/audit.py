"""The audit log: what people did, with old and new values, in the transaction in which they did it.

Who acts is said once at a door (`acting`) and known to every verb below it. The database itself refuses to change or
delete a line (a trigger of the migration), so this file has no verb for that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import sqlalchemy as sa

from fleet.access.models import AuditRow
from fleet.access.principal import Via
from fleet.core.db import Tx
from fleet.core.masking import mask_all


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does what is done now. `address` is where the request came from, `request_id` what its log lines carry."""

    name: str
    role: str = ""
    via: Via = Via.FLEET
    address: str | None = None
    request_id: str | None = None


Done = TypeVar("Done", bound=int)
_NOBODY = Actor("fleet")
_actor: ContextVar[Actor] = ContextVar("fleet_actor", default=_NOBODY)


@contextmanager
def acting(actor: Actor) -> Iterator[None]:
    """Let everything within the block be done in this name."""
    before = _actor.set(actor)
    try:
        yield
    finally:
        _actor.reset(before)


def act_as(actor: Actor) -> None:
    """Let everything that follows in this context (a request, a command) be done in this name."""
    _actor.set(actor)


def actor() -> Actor:
    """Return who acts now; the fleet itself where no door said."""
    return _actor.get()


def note(tx: Tx, action: str, target: str = "", *, before: Mapping[str, Any] | None = None,
         after: Mapping[str, Any] | None = None) -> None:  # fmt: skip
    """Write down what is done in this transaction, e.g. `agent.paused` to `agent:ana`. Secrets are taken out.

    What the fleet does by itself is told by events; only people's acts are kept here.
    """
    who = _actor.get()
    if who.via is Via.FLEET:
        return
    tx.execute(
        sa.insert(AuditRow).values(
            actor=who.name[:200], role=who.role, via=who.via, address=who.address, request_id=who.request_id,
            action=action, target=target[:300],
            before=None if before is None else mask_all(_plain(before)),
            after=None if after is None else mask_all(_plain(after)),
        )
    )  # fmt: skip


def had_role(tx: Tx, name: str, roles: Sequence[str]) -> bool:
    """Say whether a user was given another role than one of these, as the log has it."""
    changed = (AuditRow.target == f"user:{name}", AuditRow.action == "user.role_changed")
    return bool(tx.scalar(sa.select(sa.exists().where(*changed, AuditRow.before["role"].astext.in_(roles)))))


def noted(tx: Tx, done: Done, action: str, target: str = "", **after: Any) -> Done:
    """Note an act if it changed something; return whether, or how much, it did. `after` says more of it."""
    if done:
        more = {name: value for name, value in after.items() if value not in (None, "")}
        # Of an act on many things it is told on how many.
        counted = more if isinstance(done, bool) else {"number": done, **more}
        note(tx, action, target, after=counted or None)
    return done


def note_change(tx: Tx, action: str, target: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Note what differs between two states, with old and new values; nothing if nothing does."""
    old, new = _plain(before), _plain(after)
    changed = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    if changed:
        note(tx, action, target, before={name: old.get(name) for name in changed},
             after={name: new.get(name) for name in changed})  # fmt: skip


def _plain(value: Any) -> Any:
    """Return a value as JSON holds it."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case Mapping():
            return {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_plain(item) for item in value]
    return str(value)


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which lines; empty fields filter nothing. `action` may end in `*`, `target` is an exact name."""

    actor: str | None = None
    action: str | None = None
    target: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One line of the log."""

    id: int
    at: datetime
    actor: str
    role: str
    via: str
    address: str | None
    request_id: str | None
    action: str
    target: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None


_COLUMNS = (AuditRow.id, AuditRow.at, AuditRow.actor, AuditRow.role, AuditRow.via, AuditRow.address,
            AuditRow.request_id, AuditRow.action, AuditRow.target, AuditRow.before, AuditRow.after)  # fmt: skip


def page(tx: Tx, which: AuditFilter, *, limit: int = 50, before: int | None = None) -> Sequence[AuditLine]:
    """Return lines newest first; `before` is the id of the last line of the page above."""
    where: list[sa.ColumnElement[bool]] = [] if before is None else [AuditRow.id < before]
    if which.actor:
        where.append(AuditRow.actor == which.actor)
    if which.action:
        wanted = which.action
        where.append(
            AuditRow.action.startswith(wanted[:-1], autoescape=True)
            if wanted.endswith("*")
            else AuditRow.action == wanted
        )
    if which.target:
        where.append(AuditRow.target == which.target)
    if which.since:
        where.append(AuditRow.at >= which.since)
    if which.until:
        where.append(AuditRow.at < which.until)
    rows = tx.execute(sa.select(*_COLUMNS).where(*where).order_by(AuditRow.id.desc()).limit(limit))
    return [AuditLine(*row) for row in rows]
