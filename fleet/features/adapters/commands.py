"""Verbs about adapters: switch an operation that is off by its system's rules on for one account, and off again."""

from __future__ import annotations

from fleet.access import audit
from fleet.accounts import service
from fleet.adapters import registry as adapters
from fleet.adapters.manifest import Capability, Operation
from fleet.core import events
from fleet.core.errors import Conflict, InvalidInput
from fleet.engine.deps import Deps


def allow(deps: Deps, account: str, operation: str, reason: str, *, by: str) -> bool:
    """Switch an operation on for an account; False if it is on. Raises NotFound, Conflict, InvalidInput."""
    reason = reason.strip()
    if not reason:
        raise InvalidInput("A reason is needed: the operation is off by the rules of the system.", fix="Give --reason.")
    return _switch(deps, account, operation, reason, by=by)


def forbid(deps: Deps, account: str, operation: str, *, by: str) -> bool:
    """Switch an operation off again; False if it is off. Raises NotFound, Conflict."""
    return _switch(deps, account, operation, None, by=by)


def _switch(deps: Deps, account: str, operation: str, reason: str | None, *, by: str) -> bool:
    with deps.db.transaction() as tx:
        row = service.changeable(tx, account, lock=True)
        if reason is not None:
            switchable(row.adapter, operation)
        changed = service.switch(tx, row, operation, reason, by=by)
        if changed:
            tx.afterwards(deps.accounts.expire)
            subject = "account.operation.allowed" if reason is not None else "account.operation.forbidden"
            events.emit(tx, subject, account=row.name, operation=operation, reason=reason or "", by=by)
        return audit.noted(
            tx, changed, "account.operation_allowed" if reason is not None else "account.operation_forbidden",
            f"account:{row.name}", operation=operation, reason=reason or "",
        )  # fmt: skip


def switchable(adapter: str, operation: str) -> Operation:
    """Return an operation that a person can switch on. Raises NotFound, Conflict."""
    found = adapters.get(adapter).operation(operation)
    if found.capability is Capability.UNSUPPORTED:
        why = f"{adapter} cannot {operation}. {found.rule}".strip()
        raise Conflict(why, fix="`fleet adapters show` lists what it can do.")
    if found.is_on:
        raise Conflict(f"{operation} is on for every account of {adapter}.", fix="Nothing is left to do.")
    return found
