"""The rules of brands as documents: every change is a version with its author and reason. `brand` scores by them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fleet.access import audit
from fleet.core import events
from fleet.core.errors import InvalidInput, NotFound
from fleet.engine.deps import Deps
from fleet.engine.settings import documents
from fleet.engine.settings.documents import StoredDocument
from fleet.features.campaigns.brand_rules.rules import BrandRules, parse
from fleet.features.campaigns.kinds import BRAND

DEFAULT = "fleet"


def of(deps: Deps, name: str) -> BrandRules:
    """Return the rules of a brand in force; those of the fleet's own brand are empty until people set them."""
    with deps.db.transaction() as tx:
        found = documents.latest(tx, BRAND, name)
    if found is None or found.document is None:
        return BrandRules()
    return parse(found.document)


def known(deps: Deps) -> Mapping[str, StoredDocument]:
    """Return the latest version of each brand's rules, by name."""
    with deps.db.transaction() as tx:
        return {name: one for name, one in documents.newest_of(tx, BRAND).items() if one.document is not None}


def history(deps: Deps, name: str, *, limit: int = 50) -> Sequence[StoredDocument]:
    """Return the versions of a brand's rules, newest first. Raises NotFound."""
    with deps.db.transaction() as tx:
        found = documents.history(tx, BRAND, name, limit=limit)
    if not found and name != DEFAULT:
        raise NotFound(f"There is no brand {name!r}.", fix="`fleet campaigns brands` lists them.")
    return found


def put(deps: Deps, name: str, rules: Mapping[str, Any] | None, *, by: str, reason: str) -> StoredDocument:
    """Set the rules of a brand, or remove them. Raises InvalidInput."""
    if not name.replace("-", "").replace("_", "").isalnum() or len(name) > 60 or name != name.lower():
        raise InvalidInput(f"{name[:60]!r} is no name of a brand.", fix="Use small letters, digits, - and _.")
    checked = None if rules is None else parse(rules).model_dump(mode="json")
    with deps.db.transaction() as tx:
        documents.take_turn(tx, BRAND)
        stored = documents.put(tx, BRAND, name, checked, by=by, reason=reason)
        events.emit(tx, "brand.changed", brand=name, version=stored.version, by=by, why=reason[:300])
        audit.note(tx, "brand.changed", f"brand:{name}", after={"version": stored.version})
        return stored
