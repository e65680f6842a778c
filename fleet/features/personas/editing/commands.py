"""Verbs about personas: set, remove, reset to the file. Each is one transaction, checked as a file is.

Agents take character, weights and pace from their persona when they are created. Those that still have the persona's
values follow its changes; those with values of their own keep them. Hours, texts and workflows count for all at once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from fleet.access import audit
from fleet.core import events, logs
from fleet.core.db import Tx
from fleet.core.errors import Conflict, InvalidInput, NotFound
from fleet.core.settings import SettingScope
from fleet.engine import dispatch
from fleet.engine.agents import commands as agents
from fleet.engine.agents import queries
from fleet.engine.agents.queries import AgentFilter
from fleet.engine.deps import Deps
from fleet.engine.settings import documents, store
from fleet.engine.settings.store import ScopeKey
from fleet.features.personas import library, persona_file
from fleet.features.personas.library import Persona
from fleet.features.personas.service import KIND, of_files, personas_of

log = logs.get(__name__)

RESERVED = frozenset({"new", "preview"})
"""Words of the pages' addresses."""


class WrongPersona(InvalidInput):
    """A document that is no persona. `problems` are lines such as `schedule.timezone: what is wrong`."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(f"{'; '.join(problems)}.", fix="docs/personas.md explains every field.")
        self.problems = problems


@dataclass(frozen=True, slots=True)
class PersonaChange:
    """What a change did: whether anything is different, and how many agents took over values."""

    changed: bool
    followed: int = 0


def read(persona_id: str | None, document: object) -> Persona:
    """Return the persona that a document describes. Raises WrongPersona."""
    shape, problems = persona_file.check(document)
    if shape is not None and persona_id is not None and shape.id != persona_id:
        problems = [f"id: {shape.id!r} is not {persona_id!r}; agents refer to it, so it stays as it is"]
    elif shape is not None and shape.id in RESERVED:
        problems = [f"id: {shape.id!r} is an address of the dashboard; choose another name"]
    if shape is None or problems:
        raise WrongPersona(problems)
    return library.of(shape)


def put(
    deps: Deps, persona_id: str, document: object, *, by: str, reason: str = "", seen: Collection[str] | None = None,
    is_new: bool = False,
) -> PersonaChange:  # fmt: skip
    """Set a persona, above the file of its name if there is one.

    `seen` are the versions that the person has read. Raises WrongPersona, Outdated, Conflict for a new one
    whose id is taken.
    """
    persona = read(persona_id, document)
    content = library.document_of(persona)
    with deps.db.transaction() as tx:
        before = _turn(deps, tx, persona_id)
        if is_new and before is not None:
            raise Conflict(f"There is a persona {persona_id!r} already.", fix="Choose another id, or edit that one.")
        old = None if before is None else library.document_of(before)
        if old == content:
            return PersonaChange(changed=False)
        documents.put(tx, KIND, persona_id, content, by=by, reason=reason, seen=seen)
        followed = _follow(tx, before, persona)
        _tell(deps, tx, "persona.created" if before is None else "persona.changed", persona_id, old=old, new=content,
              by=by, reason=reason, followed=followed)  # fmt: skip
    _in_force(deps, before, persona)
    return PersonaChange(changed=True, followed=followed)


def remove(
    deps: Deps, persona_id: str, *, by: str, reason: str = "", seen: Collection[str] | None = None
) -> PersonaChange:
    """Remove what was set for a persona: the file of its name counts again, and without a file it is gone.

    Raises NotFound, Conflict for one without a file that agents have, Outdated.
    """
    with deps.db.transaction() as tx:
        before = _turn(deps, tx, persona_id)
        if before is None:
            personas_of(deps).get(persona_id)
            raise NotFound(f"There is no persona {persona_id!r}.")
        stored, file = documents.latest(tx, KIND, persona_id), of_files(deps).personas.get(persona_id)
        if stored is None or stored.document is None:
            return PersonaChange(changed=False)
        if file is None:
            _refuse_in_use(tx, persona_id)
        documents.put(tx, KIND, persona_id, None, by=by, reason=reason, seen=seen)
        if file is None:
            store.unset_scope(tx, ScopeKey(SettingScope.PERSONA, persona_id), by=by, reason="the persona was removed")
        followed = 0 if file is None else _follow(tx, before, file)
        _tell(deps, tx, "persona.removed" if file is None else "persona.reset", persona_id,
              old=library.document_of(before), new=None if file is None else library.document_of(file),
              by=by, reason=reason, followed=followed)  # fmt: skip
    _in_force(deps, before, file)
    return PersonaChange(changed=True, followed=followed)


def _turn(deps: Deps, tx: Tx, persona_id: str) -> Persona | None:
    """Wait for one's turn; return the persona in force at this moment, whatever this process has read."""
    documents.take_turn(tx, KIND)
    stored = documents.latest(tx, KIND, persona_id)
    above = {} if stored is None or stored.document is None else {persona_id: stored.document}
    return library.overridden(of_files(deps), above)[0].personas.get(persona_id)


def _refuse_in_use(tx: Tx, persona_id: str) -> None:
    number = queries.tally(tx, AgentFilter(persona_id=persona_id)).of_persona(persona_id)
    if number:
        who = "1 agent has" if number == 1 else f"{number:,} agents have"
        raise Conflict(
            f"{who} the persona {persona_id!r}.", fix="Give them another persona, or delete them, and try again."
        )


def _follow(tx: Tx, before: Persona | None, after: Persona) -> int:
    """Change the agents that still have the values of their persona; return how many."""
    if before is None:
        return 0
    old, new = _values(before), _values(after)
    groups = [{name: (old[name], new[name]) for name in group} for group in _together(new)]
    return agents.follow_persona(tx, after.id, [one for one in groups if any(was != now for was, now in one.values())])


def _together(names: Collection[str]) -> list[tuple[str, ...]]:
    """Return the columns that an agent takes over alone, and those that it takes over together."""
    pace = ("min_interval_s", "max_interval_s")
    return [pace, *((name,) for name in names if name not in pace)]


def _values(persona: Persona) -> dict[str, Any]:
    """Return what agents take over from a persona, by column."""
    return {
        **persona.character.values(), "weights": {**persona.weights}, "min_interval_s": persona.interval.min_s,
        "max_interval_s": persona.interval.max_s,
    }  # fmt: skip


def _tell(
    deps: Deps, tx: Tx, action: str, persona_id: str, *, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None,
    by: str, reason: str, followed: int,
) -> None:  # fmt: skip
    """Note a change in the audit log and as an event: the fields that differ, with both values."""
    was, now = dict(old or {}), dict(new or {})
    fields = [name for name in {**was, **now} if was.get(name) != now.get(name)]
    audit.note(
        tx, action, f"persona:{persona_id}", before={name: was.get(name) for name in fields if old is not None},
        after={**{name: now.get(name) for name in fields if new is not None}, "reason": reason, "agents": followed},
    )  # fmt: skip
    events.emit(tx, action, persona=persona_id, fields=fields, what=", ".join(fields), by=by, reason=reason,
                agents=followed)  # fmt: skip
    tx.afterwards(deps.live.expire)


def _in_force(deps: Deps, before: Persona | None, after: Persona | None) -> None:
    """Read the change in this process, and draw again when agents wake if the hours are others."""
    deps.live.refresh(wait=True)
    if before is not None and after is not None and before.schedule != after.schedule:
        try:
            dispatch.redraw_all(deps, persona_id=after.id)
        except Exception:  # the persona is saved, and an error would say that it is not
            log.exception("agents_not_redrawn", persona=after.id)
