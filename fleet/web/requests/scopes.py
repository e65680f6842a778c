"""Scope and key of a form, for pauses and budgets. Called by the pages of both."""

from __future__ import annotations

import uuid

from fleet.access import organisations
from fleet.accounts import service as accounts
from fleet.core.errors import InvalidInput
from fleet.engine.agents import lookup
from fleet.engine.deps import Deps
from fleet.engine.scopes import ALL


def key_of(scope: str, key: str) -> str:
    """Return the key of a scope. Raises InvalidInput."""
    if scope == "fleet":
        if key not in ("", ALL):
            raise InvalidInput(
                "A pause of the whole fleet takes no key.", fix=f"Leave {key!r} out, or choose its scope."
            )
        return ALL
    if not key:
        raise InvalidInput(f"Which {scope}?", fix="Name it.")
    return key


def in_words(deps: Deps, scope: str, key: str) -> str:
    """Return a scope as text; the ids of agents and organisations come from a list, and people know their names."""
    if scope == "fleet":
        return "The fleet"
    try:
        named = lookup.names(deps.db, [uuid.UUID(key)]) if scope == "agent" else {}
    except ValueError:
        named = {}
    if scope == "account":
        with deps.db.transaction() as tx:
            return f"Account {accounts.named(tx, key).name}"
    if scope == "organisation":
        with deps.db.transaction() as tx:
            return f"Organisation {organisations.names(tx).get(key, key)}"
    return f"{scope.capitalize()} {next((one.username for one in named.values()), key)}"
