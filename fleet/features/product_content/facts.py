"""The facts and texts of products as the catalogue has them, and the limits of the stores that they are at."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from fleet.accounts.models import AccountRow
from fleet.adapters import registry as adapters
from fleet.core.db import Tx
from fleet.features.product_content.checker import ProductFacts
from fleet.features.product_content.rules import ProductTexts, TextLimits
from fleet.features.products import service as products
from fleet.features.products.models import ProductRow
from fleet.features.stores.models import ExternalRefRow, StoreRow


@dataclass(frozen=True, slots=True)
class KnownProduct:
    """A product with what its texts may claim."""

    row: ProductRow
    facts: ProductFacts
    texts: ProductTexts
    limits: TextLimits


def of(tx: Tx, product_id: uuid.UUID) -> KnownProduct:
    """Return a product with its facts, texts and limits. Raises NotFound."""
    row = products.get(tx, product_id)
    options: dict[str, dict[str, None]] = defaultdict(dict)
    for variant in products.variants_of(tx, [product_id])[product_id]:
        for name, value in variant.options.items():
            options[name][value] = None
    found = ProductFacts(
        title=row.title, brand=row.brand, categories=tuple(row.categories), attributes=dict(row.attributes),
        options={name: tuple(values) for name, values in options.items()},
    )  # fmt: skip
    return KnownProduct(row, found, texts_of(row), limits_of(tx, product_id))


def texts_of(row: ProductRow) -> ProductTexts:
    """Return the texts of a product."""
    return ProductTexts(row.title, row.description, tuple(one.alt_text for one in products.images_of(row)))


def limits_of(tx: Tx, product_id: uuid.UUID) -> TextLimits:
    """Return the limits of all stores that a product is at: their adapters' forms of texts."""
    ref = ExternalRefRow
    at = sa.select(AccountRow.adapter).join(ref, ref.account_id == AccountRow.id)
    at = at.join(StoreRow, StoreRow.account_id == AccountRow.id).where(StoreRow.removed_at.is_(None))
    at = at.where(ref.kind == "product", ref.local_id == product_id, ref.state == "mapped").distinct()
    names = [one for one in tx.session.scalars(at) if one in adapters.names()]
    limits = TextLimits(has_html=bool(names))
    for name in names:
        limits = limits.within(_limits(name))
    return limits


def _limits(adapter: str) -> TextLimits:
    kind = adapters.get(adapter)
    most = {name: one.most for name, one in kind.texts.items()}
    usual = TextLimits()
    return TextLimits(
        most.get("title", usual.title), most.get("description", usual.description),
        most.get("alt_text", usual.alt), kind.shop is not None and kind.shop.has_html,
    )  # fmt: skip


def to_data(facts: ProductFacts) -> dict[str, Any]:
    """Return facts as JSON."""
    return asdict(facts)


def from_data(data: Mapping[str, Any]) -> ProductFacts:
    """Return the facts that `to_data` wrote down."""
    return ProductFacts(**data)
