"""The value of a setting in the scope of a proposal, read from the rows of this moment."""

from __future__ import annotations

import uuid
from typing import Any

import sqlalchemy as sa

from fleet.core.db import Tx
from fleet.core.settings import SettingScope
from fleet.engine import registry
from fleet.engine.deps import Deps
from fleet.engine.settings import layers
from fleet.engine.settings import store as setting_rows
from fleet.engine.settings.store import FLEET, ScopeKey
from fleet.features.stores.models import StoreRow
from fleet.features.tuning.models import TuningProposalRow


def named(row: TuningProposalRow) -> str:
    """Return a setting with its scope, for people."""
    return f"{row.setting} of {row.scope_name}" if row.scope_name else row.setting


def now(deps: Deps, tx: Tx, row: TuningProposalRow) -> Any:
    """Return the value that is in force; of a cap that nobody set it is the action's own."""
    found = {one.key: one.value for one in setting_rows.rows(tx, name=row.setting) if one.value is not None}
    for key in reversed(_keys(tx, row)):
        if key in found and not deps.given.is_pinned(row.setting):
            return found[key]
    given = layers.value_of(deps.given, row.setting)
    if given is None and row.setting.startswith(f"{layers.CAPS}."):
        return registry.current().action_types[row.setting.split(".")[1]].cap.per_day
    return given


def is_set(tx: Tx, row: TuningProposalRow) -> bool:
    """Say whether the scope of a proposal has a value of its own."""
    own = _keys(tx, row)[-1]
    return any(one.value is not None for one in setting_rows.rows(tx, name=row.setting, key=own))


def _keys(tx: Tx, row: TuningProposalRow) -> list[ScopeKey]:
    """Return the scopes that count, weakest first."""
    if row.scope == SettingScope.FLEET:
        return [FLEET]
    account_id = uuid.UUID(row.scope_id)
    organisation = tx.scalar(sa.select(StoreRow.organisation_id).where(StoreRow.account_id == account_id))
    between = [] if organisation is None else [ScopeKey(SettingScope.ORGANISATION, str(organisation))]
    return [FLEET, *between, ScopeKey(SettingScope.ACCOUNT, row.scope_id)]
