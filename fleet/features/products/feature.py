"""The feature products: the catalogue: products, variants, images, and stock by location."""

from __future__ import annotations

from fleet.engine.registry import Feature

FEATURE = Feature(
    name="products",
    help="The catalogue: products, variants, images, and stock by location.",
    needs=(),
    tables=("fleet.features.products.models",),
)
