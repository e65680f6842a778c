"""The audit log: actions of people, with old and new values, in the transaction of the action.

Each entry point sets the actor once (`acting`), for every command that it calls. The database itself refuses to change
or delete a line (a trigger of the migration), so this file has no function for that.
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
    """The user behind an action. `address` is the request's IP address, `request_id` the id in its log lines."""

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
    """Return the current actor; the fleet itself where no entry point set one."""
    return _actor.get()


def note(tx: Tx, action: str, target: str = "", *, before: Mapping[str, Any] | None = None,
         after: Mapping[str, Any] | None = None) -> None:  # fmt: skip
    """Record an action in this transaction, e.g. `agent.paused` on `agent:ana`. Secrets are masked.

    Actions of the fleet itself are events; only actions of people are recorded here.
    """
    who = _actor.get()
    if who.via is Via.FLEET:
        return
    tx.execute(
        # Inline: members may not read what they add.
        sa.insert(AuditRow).inline().values(
            actor=who.name[:200], role=who.role, via=who.via, address=who.address, request_id=who.request_id,
            action=action, target=target[:300],
            before=None if before is None else mask_all(_plain(before)),
            after=None if after is None else mask_all(_plain(after)),
        )
    )  # fmt: skip


def had_role(tx: Tx, name: str, roles: Sequence[str]) -> bool:
    """Return whether the log shows that a user changed to a role other than these."""
    changed = (AuditRow.target == f"user:{name}", AuditRow.action == "user.role_changed")
    return bool(tx.scalar(sa.select(sa.exists().where(*changed, AuditRow.before["role"].astext.in_(roles)))))


def noted(tx: Tx, done: Done, action: str, target: str = "", **after: Any) -> Done:
    """Record an action if it changed anything; return whether, or how much, it did. `after` adds details."""
    if done:
        more = {name: value for name, value in after.items() if value not in (None, "")}
        # An action on many objects records their number.
        counted = more if isinstance(done, bool) else {"number": done, **more}
        note(tx, action, target, after=counted or None)
    return done


def note_change(tx: Tx, action: str, target: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Record the differences between two states, with old and new values; nothing if they are equal."""
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
    """A filter of lines; empty fields match all. `action` may end in `*`, `target` is an exact name."""

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
