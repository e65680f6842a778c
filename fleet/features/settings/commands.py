"""Verbs about settings: set and unset, each in one transaction, checked with everything that it stands beside.

Changes of one setting are checked against all scopes: a combination that is wrong anywhere is refused.
"""

from __future__ import annotations

import json
import math
import unicodedata
import uuid
from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa
from pydantic import SecretStr

from fleet.access import audit
from fleet.accounts import keys
from fleet.accounts.models import AccountRow
from fleet.accounts.sealing import Keyring
from fleet.core import events, logs
from fleet.core.db import Tx, visibility
from fleet.core.db.visibility import Organisations
from fleet.core.errors import Conflict, FleetError, InvalidInput, NotFound
from fleet.core.settings import AtRunTime, Settings, SettingScope
from fleet.engine import dispatch, registry
from fleet.engine.agents import loop
from fleet.engine.agents.commands import NewAgent, Outdated
from fleet.engine.agents.models import AgentRow
from fleet.engine.deps import Deps, caps_of
from fleet.engine.schedule import ALWAYS, with_hours
from fleet.engine.settings import layers, sealing, store
from fleet.engine.settings.layers import Values
from fleet.engine.settings.store import FLEET, ScopeKey, StoredSetting
from fleet.features.personas.service import personas_of
from fleet.features.settings import hours, queries
from fleet.features.settings.combinations import combinations
from fleet.features.settings.configuration import HIDDEN
from fleet.features.settings.queries import Target, keys_of, names_of
from fleet.llm import registry as models

_MOST_CHARS = 8_000
_JOINERS = frozenset("\u200c\u200d")

log = logs.get(__name__)


def put(
    deps: Deps, name: str, value: Any, target: Target, *, by: str, reason: str = "",
    seen: Collection[str] | None = None,
) -> bool:  # fmt: skip
    """Set a setting for a target; return whether that changed it. `value` is JSON, or text as in its variable.

    `seen` are the versions that the person has read: raises Outdated if there is another one by now. Raises NotFound,
    InvalidInput for a wrong value or combination, Conflict for a pinned setting.
    """
    name = layers.name_of(name)
    declared = _may_change(deps, name, target)
    _refuse_hostile(name, value)
    if isinstance(value, bool) and not isinstance(layers.value_of(deps.given, name), bool):
        raise InvalidInput(f"{name}: {json.dumps(value)} is no value of this setting.")
    made = layers.apply(deps.given, {name: value})
    return _change(deps, name, _as_json(layers.value_of(made, name)), declared, target, by=by, reason=reason, seen=seen)


def check_first(deps: Deps, new: NewAgent, values: Mapping[str, Any]) -> None:
    """Refuse settings that a new agent is to have of its own. Raises as `put`; changes nothing."""
    checked: dict[str, Any] = {}
    for name, value in values.items():
        declared = _may_change(deps, name, Target(agent=new.username))
        assert not declared.is_sealed
        _refuse_hostile(name, value)
        checked[name] = _as_json(layers.value_of(layers.apply(deps.given, {name: value}), name))
    if checked:
        hours.refuse_first(deps, new, checked)


def unset(
    deps: Deps, name: str, target: Target, *, by: str, reason: str = "", seen: Collection[str] | None = None
) -> bool:
    """Remove what is set for a target, so that the layer below counts; False if nothing was. Raises as `put`."""
    name = layers.name_of(name)
    declared = _may_change(deps, name, target)
    return _change(deps, name, None, declared, target, by=by, reason=reason, seen=seen)


def forget_agent(deps: Deps, tx: Tx, agent: Any, *, by: str) -> None:
    """Unset what is set for an agent that this transaction has deleted."""
    if store.unset_scope(tx, ScopeKey(SettingScope.AGENT, str(agent.id)), by=by, reason="the agent was deleted"):
        tx.afterwards(deps.live.expire)


def reseal(tx: Tx, ring: Keyring) -> list[str]:
    """Seal with the first key what another key sealed; return the names. Raises LostKey."""
    store.take_turn(tx)
    done = []
    for row in store.rows(tx):
        if sealing.is_sealed(row.value) and sealing.key_id_of(row.value) != ring.key_ids[0]:
            value = sealing.seal(ring, row.name, sealing.opened(lambda: ring, row.name, row.value))
            store.put(tx, row.key, row.name, value, by=row.set_by, reason=row.reason)
            done.append(f"setting {row.name}")
    return done


def _may_change(deps: Deps, name: str, target: Target) -> AtRunTime:
    """Return where a setting may be set. Raises NotFound, InvalidInput, Conflict if it is not for this target."""
    model, variable = type(deps.given), f"FLEET_{name.upper()}"
    declared = layers.declared(model, name)
    if declared is None:
        raise InvalidInput(
            f"{name} is read when a process starts.", fix=f"Set {variable} in the environment, and restart."
        )
    if target.persona:
        personas_of(deps).get(target.persona)
    named = [scope for scope in SettingScope if getattr(target, scope, "")]
    if len(named) > 1:
        raise InvalidInput(f"A setting is set for {' or for '.join(f'the {one}' for one in named)}, not for both.",
                           fix="Name one of them.")  # fmt: skip
    scope = named[0] if named else SettingScope.FLEET
    if visibility.current() is not None and scope in (SettingScope.FLEET, SettingScope.PERSONA):
        raise NotFound(
            "A role within an organisation sets no settings of the whole fleet or of a persona.",
            fix="Name your organisation, or one of its accounts or agents.",
        )
    if scope not in declared.scopes:
        scopes = queries.scopes_shown(deps, declared.scopes)
        raise InvalidInput(f"{name} cannot be set for one {scope}.", fix=f"Scopes: {', '.join(scopes)}.")
    if deps.given.is_pinned(name):
        raise Conflict(
            f"{name} is pinned by the environment: nobody changes it at run time.",
            fix="Remove it from FLEET_PINNED and restart, or change it in the environment.",
        )
    return declared


def _change(
    deps: Deps, name: str, value: Any, declared: AtRunTime, target: Target, *, by: str, reason: str,
    seen: Collection[str] | None,
) -> bool:  # fmt: skip
    ring = keys.ring(deps.given) if declared.is_sealed and value is not None else None
    _ = deps.keys.settings  # read before the transaction: models are checked with their keys
    with deps.db.transaction() as tx:
        key = keys_of(deps, tx, target)[-1]  # as the caller sees them
    own = visibility.current()
    # A change is checked with the settings of all, and revisions count all rows.
    with visibility.restricted(None), deps.db.transaction() as tx:
        _hold_target(tx, key, target, own)
        store.take_turn(tx)  # after the agent's row, as its deletion has them
        before = next(iter(store.rows(tx, name=name, key=key)), None)
        if seen is not None and str(before.revision if before else 0) not in seen:
            raise Outdated(f"{name} was changed meanwhile.", fix="Look at it again.")
        old = None if before is None else _opened(deps, before)
        if old == value:
            return False
        values = _with(deps, store.rows(tx), key, name, value)
        _check_all(deps, tx, name, values)
        if name in hours.NAMES:
            hours.refuse_endless(deps, tx, key, values)
        stored = value if ring is None else sealing.seal(ring, name, value)
        store.put(tx, key, name, stored, by=by, reason=reason)
        _tell(tx, name, old, value, key, by=by, reason=reason, is_sealed=declared.is_sealed)
        tx.afterwards(deps.live.expire)
    deps.live.refresh(wait=True)
    if name in hours.NAMES:
        _redraw(deps, key)
    return True


def _hold_target(tx: Tx, key: ScopeKey, target: Target, own: Organisations | None) -> None:
    """Let what a setting is for stay until the transaction ends. Raises NotFound if it is gone, or no longer belongs to
    an organisation of a restricted caller.
    """
    match key.scope:
        case SettingScope.AGENT:
            is_there, of = loop.is_there(tx, uuid.UUID(key.id)), AgentRow.organisation_id
        case SettingScope.ACCOUNT:
            is_there, of = True, AccountRow.organisation_id
        case _:
            return
    if not is_there:
        raise NotFound(f"There is no agent called {target.agent!r}.")
    if own is not None and tx.scalar(sa.select(of).where(of.class_.id == uuid.UUID(key.id))) not in own:
        raise NotFound(
            f"The {key.scope} {target.agent or target.account} belongs to the whole fleet or to another organisation.",
            fix="Ask an admin of the fleet to change it.",
        )


def _redraw(deps: Deps, key: ScopeKey) -> None:
    """Draw again when the agents wake whose hours have changed, else they would wake once more at an old hour.

    Raises nothing: the hours are set, and an error would say that they are not.
    """
    of = uuid.UUID(key.id) if key.scope is SettingScope.ORGANISATION else None
    now = hours.given(deps.settings_of(None, organisation_id=of))

    def follows(agent: AgentRow) -> bool:
        """Return whether an agent has no hours of its own, nor its organisation."""
        return hours.given(deps.settings_of(agent.id, organisation_id=agent.organisation_id)) == now

    try:
        if key.scope is SettingScope.AGENT:
            dispatch.redraw(deps, uuid.UUID(key.id))
        else:
            dispatch.redraw_all(deps, organisation_id=of, affects=follows)
    except Exception:
        log.exception("agents_not_redrawn", scope=str(key.scope), id=key.id)


def _tell(
    tx: Tx, name: str, old: Any, new: Any, key: ScopeKey, *, by: str, reason: str, is_sealed: bool
) -> None:  # fmt: skip
    """Note a change in the audit log and as an event, without secrets."""
    whose = {str(one.scope): word for one, word in names_of(tx, [key]).items()}
    if is_sealed or isinstance(old, _Lost):
        old, new = (None if one is None else HIDDEN for one in (old, new))
    action = "setting.unset" if new is None else "setting.set"
    audit.note(tx, action, f"setting:{name}", before={"value": old}, after={"value": new, "reason": reason, **whose})
    words = "unset" if new is None else f"set to {new if isinstance(new, str) else json.dumps(new)}"
    for_whom = "".join(f" for the {kind} {word}" for kind, word in whose.items() if kind != SettingScope.AGENT)
    is_agent = key.scope is SettingScope.AGENT
    if key.scope is SettingScope.ORGANISATION:
        whose["organisation"] = key.id  # its members see the event
    payload: dict[str, Any] = {"setting": name, "value": new, "change": f"{words}{for_whom}", **whose}
    events.emit(
        tx, "settings.changed", agent_id=uuid.UUID(key.id) if is_agent else None, job_id=None, reason=reason, by=by,
        **payload,
    )  # fmt: skip


def _with(
    deps: Deps, rows: list[StoredSetting], key: ScopeKey, name: str, value: Any
) -> Mapping[ScopeKey, Values]:  # fmt: skip
    """Return the values of all scopes as they would be after a change."""
    found: dict[ScopeKey, dict[str, Any]] = {FLEET: {}}
    for row in rows:
        if row.value is not None and layers.is_known(type(deps.given), row.name) and (row.key, row.name) != (key, name):
            opened = _opened(deps, row)
            if not isinstance(opened, _Lost):  # it counts nowhere: `LiveSettings` leaves it out too
                found.setdefault(row.key, {})[row.name] = opened
    if value is not None:
        found.setdefault(key, {})[name] = value
    return found


class _Lost:
    """Stands for a value whose key is lost. Equals no other: it can be set anew, and unset."""


def _opened(deps: Deps, row: StoredSetting) -> Any:
    """Return a stored value, or `_Lost`."""
    try:
        return sealing.opened(lambda: keys.ring(deps.given), row.name, row.value)
    except FleetError:
        return _Lost()


def _check_all(deps: Deps, tx: Tx, name: str, values: Mapping[ScopeKey, Values]) -> None:
    """Raise InvalidInput if the values are wrong together, for the fleet or anything within it with its own."""
    fleet = layers.apply(deps.given, values[FLEET])
    different = {repr([sorted(one.items()) for one in each]): each for each in combinations(tx, values)}
    for combination in different.values():
        _check(deps, name, layers.apply(fleet, *combination))


def _check(deps: Deps, name: str, settings: Settings) -> None:
    """Raise InvalidInput for settings that are each right and cannot work.

    Features check at the point "settings.checks": `check(name, settings, given)`, with the name of the changed setting
    and the settings of the environment.
    """
    caps_of(settings)
    models.check(deps.keys.fill(settings))
    with_hours(ALWAYS, settings.agent_timezone, settings.agent_hours)
    for check in registry.current().extensions("settings.checks"):
        check(name, settings, deps.given)


def _as_json(value: Any) -> Any:
    """Return a checked value as the table keeps it, with its secrets: sealed ones are sealed afterwards."""
    match value:
        case SecretStr():
            return value.get_secret_value()
        case tuple() | list():
            return [_as_json(one) for one in value]
        case None | bool() | int() | float() | str():
            return value
    return str(value)


def _refuse_hostile(name: str, value: Any) -> None:
    """Raise InvalidInput for values that no setting has: too long, not finite, with invisible or control characters."""
    if value is None or isinstance(value, Mapping):
        raise InvalidInput(f"{name}: give a value.", fix="To remove what is set, unset it.")
    parts = value if isinstance(value, list) else [value]
    if not all(isinstance(one, str | int | float | uuid.UUID) for one in parts):
        raise InvalidInput(f"{name}: a list holds texts.")
    if any(isinstance(one, float) and not math.isfinite(one) for one in parts):
        raise InvalidInput(f"{name}: the number is not finite.")
    written = "".join(map(str, parts))
    if len(written) > _MOST_CHARS:
        raise InvalidInput(f"{name}: the value has more than {_MOST_CHARS:,} characters.")
    if any(unicodedata.category(one) in ("Cc", "Cf", "Cs", "Co") and one not in _JOINERS for one in written):
        raise InvalidInput(f"{name}: the value has control characters or invisible ones.", fix="Write it without them.")
