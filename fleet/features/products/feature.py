"""The feature products: the catalogue: products, variants, images, and stock by location."""

from __future__ import annotations

from fleet.engine.registry import Command, EventType, Feature, NavItem
from fleet.web.points.large_body import POINT, LargeBody

_MOST_BYTES = 11_000_000  # a file of 8 MB in Base64

FEATURE = Feature(
    name="products",
    help="The catalogue: products, variants, images, and stock by location.",
    tables=("fleet.features.products.models",),
    pruners=("fleet.features.products.stock:prune", "fleet.features.products.csvfile.importing:prune"),
    sweeps=("fleet.features.products.stock:sweep",),
    extends={POINT: (LargeBody("/products/import", _MOST_BYTES), LargeBody("/api/v1/product-imports", _MOST_BYTES))},
    api=("fleet.features.products.api:router",),
    pages=("fleet.features.products.pages_import:router", "fleet.features.products.pages:router"),
    templates=__package__,
    nav=(
        NavItem(
            path="/products", label="Products", permission="fleet.view", group="Shop", order=81,
            icon="M12 3 4 7v10l8 4 8-4V7ZM4 7l8 4 8-4M12 11v10",
        ),
    ),
    commands=(
        Command(
            name="products", run="fleet.features.products.cli:products", section="Act", order=46,
            help="Manage the catalogue and its stock.",
        ),
    ),
    events=(
        EventType(subject="product.created", words="new product {title}, from {origin}", sign="📦", icon="box"),
        EventType(
            subject="product.changed", words="changed {fields} of {title}, from {origin}", sign="📦", icon="box",
            is_quiet=True,
        ),
        EventType(
            subject="products.changed", words="changed {number} products at once, by {by}", sign="📦", icon="box",
            family="people",
        ),
        EventType(
            subject="products.imported", words="imported products from {name}, by {by}", sign="📦", icon="box",
            family="people",
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
