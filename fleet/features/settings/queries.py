"""Settings as pages, the API and commands show them: for the fleet, or one of a scope within, with every layer."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, get_args, get_origin

import sqlalchemy as sa
from annotated_types import Ge, Gt, Le, Lt

from fleet.access import audit, organisations
from fleet.access.audit import AuditFilter, AuditLine
from fleet.access.models import OrganisationRow
from fleet.accounts import keystore, service
from fleet.accounts.models import AccountRow, key_of
from fleet.core.db import Tx
from fleet.core.errors import NotFound
from fleet.core.settings import REPLACED, CapSetting, Settings, SettingScope
from fleet.engine import registry
from fleet.engine.agents import queries as agents
from fleet.engine.agents.models import AgentRow
from fleet.engine.deps import Deps
from fleet.engine.settings import layers, sealing, store
from fleet.engine.settings.store import FLEET, ScopeKey, StoredSetting
from fleet.features.personas.service import personas_of
from fleet.features.settings import configuration
from fleet.features.settings.configuration import HIDDEN, InForce, Setting, SettingSource, Value, plain
from fleet.features.settings.value_text import shown

_MOST_SCOPES = 200
_MOST_CHANGES = 20


@dataclass(frozen=True, slots=True)
class Target:
    """For whom settings are read or set: an agent, account, persona or organisation by its name, or the fleet."""

    agent: str = ""
    account: str = ""
    persona: str = ""
    organisation: str = ""


@dataclass(frozen=True, slots=True)
class SettingLayer:
    """The value of a setting in one layer. `whose` names the organisation, persona, account or agent."""

    source: SettingSource
    value: Value
    whose: str = ""
    set_by: str | None = None
    set_at: datetime | None = None
    reason: str = ""
    is_in_force: bool = False


@dataclass(frozen=True, slots=True)
class Bounds:
    """How a value is written: a flag, a choice, a number within bounds, a list or a text."""

    kind: Literal["flag", "choice", "integer", "number", "list", "text"]
    least: float | None = None
    most: float | None = None
    choices: tuple[str, ...] = ()
    example: str = ""


@dataclass(frozen=True, slots=True)
class SettingDetail:
    """A setting with all its layers, weakest first, and its latest changes, newest first.

    `version` changes with the value in the scope that was asked for. `changes` are lines of the audit log that all
    users who may view settings see: they say why a limit is in force.
    """

    setting: Setting
    bounds: Bounds
    layers: Sequence[SettingLayer]
    changes: Sequence[AuditLine]
    version: int

    def shown(self, value: Value) -> str:
        """Return a value of this setting as text, for pages."""
        return shown(self.setting.name, value) or "not set"


def listed(deps: Deps, target: Target) -> list[Setting]:
    """Return every setting as it counts for a target. Raises NotFound."""
    with deps.db.transaction() as tx:
        found = configuration.every(_in_force(deps, tx, keys_of(deps, tx, target)))
        are_named = organisations.are_named(tx)
    return [replace(one, scopes=_shown(one.scopes, are_named=are_named)) for one in found]


def caps(deps: Deps) -> list[Setting]:
    """Return the caps of the fleet, and the source of each."""
    with deps.db.transaction() as tx:
        return configuration.caps(_in_force(deps, tx, [FLEET]))


def detail(deps: Deps, name: str, target: Target) -> SettingDetail:
    """Return a setting with its layers. Raises NotFound for a name or target that is not there."""
    name, model = layers.name_of(name), type(deps.given)
    if name in REPLACED and name not in deps.given.replaced:
        raise NotFound(f"{name} was replaced by the caps.", fix="`fleet settings list --search caps` shows them.")
    layers.declared(model, name)
    with deps.db.transaction() as tx:
        keys = keys_of(deps, tx, target)
        known = _in_force(deps, tx, keys)
        rows = [row for row in store.rows(tx, name=name) if row.value is not None]
        if keys[-1] != FLEET:
            rows = [row for row in rows if row.key in keys]
        version = next((row.revision for row in store.rows(tx, name=name, key=keys[-1])), 0)
        changes = audit.page(tx, AuditFilter(target=f"setting:{name}"), limit=_MOST_CHANGES)
        above = _of_rows(tx, rows, known.rows.get(name))
        are_named = organisations.are_named(tx)
    found = next(one for one in configuration.every(known) if one.name == name)
    found = replace(found, scopes=_shown(found.scopes, are_named=are_named))
    below = _below(known, found)
    if found.name not in known.rows:
        below[-1] = replace(below[-1], is_in_force=True)
    return SettingDetail(found, bounds_of(model, name), [*below, *above], changes, version)


def keys_of(deps: Deps, tx: Tx, target: Target) -> list[ScopeKey]:
    """Return the scopes that count for a target, weakest first.

    Below an agent stand its organisation, its persona and its account. Raises NotFound.
    """
    if target.agent:
        agent = agents.named(tx, target.agent)
        account = ScopeKey(SettingScope.ACCOUNT, str(key_of(agent.account_id)))
        persona = [ScopeKey(SettingScope.PERSONA, agent.persona_id)] if agent.persona_id else []
        own = ScopeKey(SettingScope.AGENT, str(agent.id))
        return [FLEET, *_of_organisation(agent.organisation_id), *persona, account, own]
    if target.account:
        found = service.named(tx, target.account)
        return [FLEET, *_of_organisation(found.organisation_id), ScopeKey(SettingScope.ACCOUNT, str(found.id))]
    if target.persona:
        return [FLEET, ScopeKey(SettingScope.PERSONA, personas_of(deps).get(target.persona).id)]
    if target.organisation:
        return [FLEET, *_of_organisation(organisations.named(tx, target.organisation).id)]
    return [FLEET]


def organisations_to_choose(deps: Deps) -> list[str]:
    """Return the names of the organisations for which settings can be set; empty while there is one alone."""
    with deps.db.transaction() as tx:
        return organisations.possible(tx)


def _of_organisation(organisation_id: uuid.UUID | None) -> list[ScopeKey]:
    return [] if organisation_id is None else [ScopeKey(SettingScope.ORGANISATION, str(organisation_id))]


def scopes_shown(deps: Deps, scopes: Sequence[SettingScope]) -> Sequence[SettingScope]:
    """Return the scopes of a setting; without organisations while there is one alone."""
    with deps.db.transaction() as tx:
        return _shown(scopes, are_named=organisations.are_named(tx))


def _shown(scopes: Sequence[SettingScope], *, are_named: bool) -> tuple[SettingScope, ...]:
    return tuple(one for one in scopes if are_named or one is not SettingScope.ORGANISATION)


def bounds_of(model: type[Settings], name: str) -> Bounds:
    """Return how a setting is written, by the field that checks it."""
    field = CapSetting.model_fields[name.rpartition(".")[2]] if "." in name else model.model_fields[name]
    kinds = [kind for kind in (get_args(field.annotation) or (field.annotation,)) if kind is not type(None)]
    least = next(
        (one.ge if isinstance(one, Ge) else one.gt for one in field.metadata if isinstance(one, Ge | Gt)), None
    )
    most = next((one.le if isinstance(one, Le) else one.lt for one in field.metadata if isinstance(one, Le | Lt)), None)
    example = ", ".join(map(str, field.examples or ()))
    if get_origin(field.annotation) is Literal:
        return Bounds("choice", choices=tuple(map(str, kinds)))
    if get_origin(field.annotation) is tuple:
        return Bounds("list", example=example)
    kind = {bool: "flag", int: "integer", float: "number"}.get(kinds[0], "text")
    return Bounds(kind, least, most, example=example)  # type: ignore[arg-type]


def _in_force(deps: Deps, tx: Tx, keys: Sequence[ScopeKey]) -> InForce:
    """Return what counts in the last of these scopes, by the rows of this moment."""
    given = deps.given
    rows = {row.name: row for key in keys for row in store.rows(tx, key=key)
            if row.value is not None and not given.is_pinned(row.name)}  # fmt: skip
    values = {name: row.value for name, row in rows.items() if not sealing.is_sealed(row.value)}
    known = {name: row for name, row in rows.items() if layers.is_known(type(given), name)}
    stored = [secret.name for secret in keystore.everything(tx)]
    return InForce(layers.apply_valid(given, values), given, known, stored)


def _below(known: InForce, setting: Setting) -> list[SettingLayer]:
    """Return the layers below the rows: the default, and the environment or its file if they set it."""
    bare = replace(known, rows={}, settings=known.given)
    given = next(one for one in configuration.every(bare) if one.name == setting.name)
    found = [SettingLayer(SettingSource.DEFAULT, _default(type(known.given), setting.name))]
    return found if given.source is SettingSource.DEFAULT else [*found, SettingLayer(given.source, given.value)]


def _default(model: type[Settings], name: str) -> Value:
    if "." not in name:
        return plain(model.model_fields[name].get_default(call_default_factory=True))
    _, action, part = name.split(".")
    cap = registry.current().action_types[action].cap
    return (cap.gap.total_seconds() or None) if part == "gap_s" else cap.per_day


def _of_rows(tx: Tx, rows: Sequence[StoredSetting], strongest: StoredSetting | None) -> list[SettingLayer]:
    order = list(SettingScope)
    names = names_of(tx, [row.key for row in rows[:_MOST_SCOPES]])
    found = [
        SettingLayer(
            SettingSource(row.key.scope), HIDDEN if sealing.is_sealed(row.value) else row.value,
            names.get(row.key, ""), row.set_by, row.set_at, row.reason, row == strongest,
        )
        for row in rows[:_MOST_SCOPES]
    ]  # fmt: skip
    return sorted(found, key=lambda one: (order.index(SettingScope(one.source)), one.whose))


def names_of(tx: Tx, keys: Sequence[ScopeKey]) -> Mapping[ScopeKey, str]:
    """Return the names of organisations, personas, accounts and agents, those that were removed too."""
    found: dict[ScopeKey, str] = {key: key.id for key in keys if key.scope is SettingScope.PERSONA}
    for scope, key, name in (
        (SettingScope.AGENT, AgentRow.id, AgentRow.username), (SettingScope.ACCOUNT, AccountRow.id, AccountRow.name),
        (SettingScope.ORGANISATION, OrganisationRow.id, OrganisationRow.name),
    ):  # fmt: skip
        wanted = [uuid.UUID(one.id) for one in keys if one.scope is scope]
        if wanted:
            rows = tx.execute(sa.select(key, name).where(key.in_(wanted)))
            found |= {ScopeKey(scope, str(row[0])): row[1] for row in rows}
    return found
