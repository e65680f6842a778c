"""Verbs about the fleet as a whole that doors call: seed, kill switch, pauses, status. Each is one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from fleet.access import audit, organisations
from fleet.accounts import service as accounts
from fleet.adapters import registry as adapters
from fleet.core.db import Tx
from fleet.core.errors import InvalidInput
from fleet.engine import controls, registry
from fleet.engine.agents import lookup, queries
from fleet.engine.controls import Hold
from fleet.engine.deps import Deps
from fleet.engine.jobs import ledger, snooze
from fleet.engine.registry import MESSAGE
from fleet.engine.scopes import ALL
from fleet.features.controls import affected as affecting
from fleet.features.controls.affected import Affected
from fleet.features.notices import service as operator_notices
from fleet.features.personas.service import personas_of


def pausable_kinds() -> tuple[str, ...]:
    """Return the kinds of job that can be paused by themselves: all but the removal of an account."""
    jobs = registry.current().jobs.values()
    return tuple(job.kind for job in jobs if not job.ignores_pauses and job is not MESSAGE)


def throw_kill_switch(deps: Deps, *, by: str, reason: str) -> tuple[bool, int]:
    """Stop every outside write; return whether it was off before, and how many writes are still under way."""
    with deps.db.transaction() as tx:
        thrown = controls.throw_kill_switch(tx, by=by, reason=reason)
        if audit.noted(tx, thrown, "kill_switch.thrown", "fleet", reason=reason):
            body = f"{_set_by(by, reason)} No agent writes to the outside. `fleet kill-switch off` ends this."
            operator_notices.add(deps, tx, "control.kill_switch.thrown", "The kill switch is on", body)
    with deps.db.transaction() as tx:
        return thrown, ledger.in_flight(tx)


def lift_kill_switch(deps: Deps, *, by: str) -> bool:
    """Allow outside writes again and set the waiting jobs going; False if it was not on."""
    with deps.db.transaction() as tx:
        lifted = controls.lift_kill_switch(tx, by=by)
        snooze.free_held(tx)
        if audit.noted(tx, lifted, "kill_switch.lifted", "fleet"):
            body = f"{_set_by(by, '')} Agents write again."
            operator_notices.add(deps, tx, "control.kill_switch.lifted", "The kill switch is off", body)
        return lifted


def pause(deps: Deps, scope: str, key: str = ALL, *, by: str, reason: str = "",
          for_: timedelta | None = None) -> bool:  # fmt: skip
    """Pause a scope, until it is resumed or for a while; False if it was paused already. Raises InvalidInput,
    NotFound.
    """
    with deps.db.transaction() as tx:
        until = None if for_ is None else tx.now() + for_
        paused = controls.pause(tx, scope, _key(deps, tx, scope, key), by=by, reason=reason, until=until)
        target = _target(tx, scope, key)
        if audit.noted(tx, paused, "hold.set", target, reason=reason, until=until) and scope == "fleet":
            body = f"{_set_by(by, reason)} `fleet resume` ends this."
            operator_notices.add(deps, tx, "control.paused", "The fleet is paused", body)
        return paused


def affected(deps: Deps, scope: str, key: str) -> Affected:
    """Count what a pause of a scope would affect. Raises InvalidInput, NotFound, as the pause would."""
    with deps.db.transaction() as tx:
        stored = _key(deps, tx, scope, key)
        controls.check(scope, stored)
        return affecting.count(tx, scope, stored)


def resume(deps: Deps, scope: str, key: str = ALL, *, by: str) -> bool:
    """Resume a scope and release the jobs that waited for it; False if it was not paused."""
    with deps.db.transaction() as tx:
        snooze.free_held(tx)  # jobs first: the end of an attempt locks them before anything else
        resumed = controls.resume(tx, scope, _key(deps, tx, scope, key), by=by)
        if scope == "surface":  # whatever holds it back: its accounts go on, too
            resumed |= controls.resume_accounts(tx, key, by=by)
        return audit.noted(tx, resumed, "hold.lifted", _target(tx, scope, key))


def key_of(deps: Deps, scope: str, key: str) -> str:
    """Return the key that a scope is stored under. Raises NotFound, InvalidInput."""
    with deps.db.transaction() as tx:
        return _key(deps, tx, scope, key)


def _set_by(by: str, reason: str) -> str:
    return f"By {by}. Reason: {reason}." if reason else f"By {by}."


def _key(deps: Deps, tx: Tx, scope: str, key: str) -> str:
    """Return the key that a scope is stored under.

    Raises for an unknown name: a typing error must not pause nothing silently.
    """
    if any((hold.scope, hold.key) == (scope, key) for hold in controls.in_force(tx)):
        return key  # the named object may be gone; its pause can be lifted all the same
    if scope == "agent":
        return str(queries.named(tx, key).id)
    if scope == "persona":
        return personas_of(deps).get(key).id
    if scope == "surface":
        adapters.get(key)
    if scope == "account":
        return str(accounts.named(tx, key).id)
    if scope == "organisation":
        return str(organisations.named(tx, key).id)
    kinds = pausable_kinds()
    if scope == "kind" and key not in kinds:
        raise InvalidInput(f"There is no kind {key!r}.", fix=f"Kinds: {', '.join(kinds)}.")
    return key


def _target(tx: Tx, scope: str, key: str) -> str:
    """Return how the audit log names a scope: an agent by its username, as with everything else done to it."""
    if scope == "agent":
        return f"agent:{queries.named(tx, key, include_deleted=True).username}"
    if scope == "account":
        return f"account:{accounts.named(tx, key).name}"
    if scope == "organisation":
        return f"organisation:{organisations.names(tx).get(key, key)}"
    return scope if key == ALL else f"{scope}:{key}"


def names(deps: Deps, held: Sequence[Hold]) -> dict[str, str]:
    """Return the names of the paused agents, accounts and organisations, by the keys of their controls."""
    if not any(hold.scope in ("agent", "account", "organisation") for hold in held):
        return {}
    found = lookup.scope_names(deps.db, [(hold.scope, hold.key) for hold in held])
    with deps.db.transaction() as tx:
        return found | {str(row.id): row.name for row in accounts.listed(tx)}


def holds(deps: Deps) -> list[Hold]:
    """Return every control in force."""
    with deps.db.transaction() as tx:
        return controls.in_force(tx)
