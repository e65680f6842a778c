"""Extension points of products: the stores of a product, and sections of its page."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from fleet.access import Principal
from fleet.core.db import Tx
from fleet.engine import registry
from fleet.engine.deps import Deps
from fleet.features.products.models import ProductRow, VariantRow

STORES, SECTIONS = "products.stores", "products.sections"


@dataclass(frozen=True, slots=True)
class StoreState:
    """The state of a product at a store: mapped, pending, conflict, gone. `page` is the page about it, if any."""

    store: str
    state: str
    page: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductStores:
    """The stores of products (`products.stores`). One feature brings it."""

    names: Callable[[Tx], Sequence[str]]
    """`names(tx)`: the stores that the transaction sees, for filters. Without any, lists show no column of stores."""
    is_at: Callable[[str], sa.ColumnElement[bool]]
    """`is_at(name)`: the condition that a `ProductRow` is at the store of this name."""
    states: Callable[[Tx, Collection[uuid.UUID]], Mapping[uuid.UUID, Sequence[StoreState]]]
    """`states(tx, product_ids)`: the states of products, by product."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductSection:
    """A section of a product's page (`products.sections`).

    `build(deps, tx, who, product, variants)` returns the facts of the template, or None to leave the section out. The
    template sees them as `section`, beside `product` and `who`.
    """

    title: str
    template: str
    build: Callable[[Deps, Tx, Principal, ProductRow, Sequence[VariantRow]], Mapping[str, Any] | None]


@dataclass(frozen=True, slots=True)
class BuiltSection:
    """A section with its facts."""

    title: str
    template: str
    facts: Mapping[str, Any]


def stores() -> ProductStores | None:
    """Return the stores of products, if a feature brings them."""
    return next(iter(registry.current().extensions(STORES)), None)


def sections(
    deps: Deps, tx: Tx, who: Principal, product: ProductRow, variants: Sequence[VariantRow]
) -> list[BuiltSection]:
    """Return the sections of a product's page that other features add."""
    found: Sequence[ProductSection] = registry.current().extensions(SECTIONS)
    built = ((one, one.build(deps, tx, who, product, variants)) for one in found)
    return [BuiltSection(one.title, one.template, facts) for one, facts in built if facts is not None]
