"""Verbs about the fleet as a whole that doors call: seed, kill switch, pauses, status. Each is one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import sqlalchemy as sa

from fleet.access import audit
from fleet.adapters import registry as adapters
from fleet.core.db import Tx
from fleet.core.errors import FleetError, InvalidInput
from fleet.engine import controls, registry, ticks
from fleet.engine.agents import commands, queries
from fleet.engine.agents.commands import NewAgent
from fleet.engine.controls import ALL, Hold
from fleet.engine.deps import Deps
from fleet.engine.jobs import ledger, snooze, stats
from fleet.engine.jobs.states import JobState
from fleet.engine.registry import MESSAGE
from fleet.features.notices import service as operator_notices
from fleet.features.personas.generator import generate
from fleet.features.personas.service import personas_of


def seed(deps: Deps, *, count: int, seed_no: int = 0, persona_id: str | None = None, by: str,
         start: bool = False) -> list[str]:  # fmt: skip
    """Create `count` agents from the personas and return their usernames.

    The same seed on an empty database makes the same agents; a second run adds to them and never collides.
    Raises NotFound for an unknown persona.
    """
    with deps.db.transaction() as tx:
        tx.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext("fleet.seed"))))
        taken = queries.usernames(tx)
        there = queries.count(tx, queries.Filter(kind="gallery", include_deleted=True))
        blueprints = generate(
            personas_of(deps), personas_of(deps).names, seed=seed_no, start=there + 1, count=count,
            persona_id=persona_id, taken=taken,
        )  # fmt: skip
        for number, print_ in enumerate(blueprints):
            agent_id = commands.create(
                tx,
                NewAgent(
                    name=print_.name, username=print_.username, persona_id=print_.persona_id,
                    personality=print_.personality, vibe=print_.vibe, interests=print_.interests,
                    weights={name: getattr(print_.weights, name) for name in commands.WEIGHT_NAMES},
                    min_interval_s=print_.min_interval_s, max_interval_s=print_.max_interval_s, owner=by,
                    heeds_agents=deps.settings.sandbox,
                ),
            )  # fmt: skip
            if start:
                commands.start(tx, agent_id, first_tick_at=_staggered(tx, number))
        audit.noted(tx, len(blueprints), "agents.seeded", persona=persona_id, seed=seed_no, started=start)
    return [blueprint.username for blueprint in blueprints]


def _staggered(tx: Tx, number: int) -> datetime:
    """Return when the number-th of many agents thinks first: a little apart, so that they do not act as one."""
    return commands.first_tick_at(tx) + timedelta(seconds=number % 60 / 4)


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
    """Hold a scope back, for good or for a while; False if it was held already. Raises InvalidInput, NotFound."""
    with deps.db.transaction() as tx:
        until = None if for_ is None else tx.now() + for_
        paused = controls.pause(tx, scope, _key(deps, tx, scope, key), by=by, reason=reason, until=until)
        target = _target(tx, scope, key)
        if audit.noted(tx, paused, "hold.set", target, reason=reason, until=until) and scope == "fleet":
            body = f"{_set_by(by, reason)} `fleet resume` ends this."
            operator_notices.add(deps, tx, "control.paused", "The fleet is paused", body)
        return paused


def resume(deps: Deps, scope: str, key: str = ALL, *, by: str) -> bool:
    """Let a scope go on, and the jobs that waited for it; False if it was not held."""
    with deps.db.transaction() as tx:
        resumed = controls.resume(tx, scope, _key(deps, tx, scope, key), by=by)
        snooze.free_held(tx)
        return audit.noted(tx, resumed, "hold.lifted", _target(tx, scope, key))


def _set_by(by: str, reason: str) -> str:
    return f"By {by}. Reason: {reason}." if reason else f"By {by}."


def _key(deps: Deps, tx: Tx, scope: str, key: str) -> str:
    """Return the key that a scope is stored under. A typing error must not pause nobody in silence."""
    if any((hold.scope, hold.key) == (scope, key) for hold in controls.in_force(tx)):
        return key  # what it names may be gone; its hold can be lifted all the same
    if scope == "agent":
        return str(queries.named(tx, key).id)
    if scope == "persona":
        return personas_of(deps).get(key).id
    if scope == "surface":
        adapters.check(key)
    kinds = pausable_kinds()
    if scope == "kind" and key not in kinds:
        raise InvalidInput(f"There is no kind {key!r}.", fix=f"Kinds: {', '.join(kinds)}.")
    return key


def _target(tx: Tx, scope: str, key: str) -> str:
    """Return how the audit log names a scope: an agent by its username, as with everything else done to it."""
    if scope == "agent":
        return f"agent:{queries.named(tx, key, include_deleted=True).username}"
    return scope if key == ALL else f"{scope}:{key}"


def holds(deps: Deps) -> list[Hold]:
    """Return every hold in force."""
    with deps.db.transaction() as tx:
        return controls.in_force(tx)


def dead_by_reason(deps: Deps) -> dict[str, int]:
    """Return how many dead letters there are for each reason."""
    with deps.db.transaction() as tx:
        return stats.dead_letters(tx)


@dataclass(frozen=True, slots=True)
class Status:
    """The fleet at a glance. Queue depths are None when the broker cannot be asked; ages are seconds.

    `jobs` holds the unfinished and the dead ones by (kind, state); `totals` what was ever done by kind.
    """

    agents: Mapping[tuple[str, str], int]
    jobs: Mapping[tuple[str, str], int]
    dead: Mapping[str, int]
    holds: list[Hold]
    queues: Mapping[str, int] | None
    broker_problem: str | None
    oldest_tick_s: float | None
    most_overdue_agent_s: float | None
    in_flight: int
    unknown: int
    totals: Mapping[str, int] = field(default_factory=dict)


def status(deps: Deps) -> Status:
    """Return the fleet at a glance. Raises Unavailable when the database is away, not when the broker is."""
    try:
        queues, problem = deps.publisher.depths(), None
    except FleetError as error:
        queues, problem = None, str(error)
    with deps.db.transaction() as tx:
        jobs = stats.live_and_dead(tx)
        census = queries.census(tx)
        return Status(
            agents=census.agents,
            jobs=jobs,
            dead=stats.dead_letters(tx),
            holds=controls.in_force(tx),
            queues=queues,
            broker_problem=problem,
            oldest_tick_s=ticks.oldest_open_s(tx),
            most_overdue_agent_s=queries.overdue_s(tx),
            in_flight=ledger.in_flight(tx),
            unknown=sum(number for (_, state), number in jobs.items() if state == JobState.UNKNOWN),
            totals=census.totals,
        )
