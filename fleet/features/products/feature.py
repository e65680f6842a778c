"""The feature products: the catalogue: products, variants, images, and stock by location."""

from __future__ import annotations

from fleet.engine.registry import EventType, Feature

FEATURE = Feature(
    name="products",
    help="The catalogue: products, variants, images, and stock by location.",
    tables=("fleet.features.products.models",),
    pruners=("fleet.features.products.stock:prune",),
    sweeps=("fleet.features.products.stock:sweep",),
    events=(
        EventType(subject="product.created", words="new product {title}, from {origin}", sign="📦", icon="box"),
        EventType(
            subject="product.changed", words="changed {fields} of {title}, from {origin}", sign="📦", icon="box",
            is_quiet=True,
        ),
        EventType(
            subject="stock.changed", words="stock of {sku}: {delta} to {on_hand}", reason=("reason",), sign="📦",
            icon="box", is_quiet=True,
        ),
        EventType(
            subject="stock.reserved", words="reserved {units} of {sku} for {ref}", sign="📦", icon="box", is_quiet=True
        ),
        EventType(
            subject="stock.released", words="released {units} of {sku}, for {ref}", sign="📦", icon="box",
            is_quiet=True,
        ),
    ),
)  # fmt: skip
