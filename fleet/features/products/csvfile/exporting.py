"""Products as a CSV file with a line for each variant. Importing it again changes nothing."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

from fleet.engine.deps import Deps
from fleet.features.products import queries, rules, service, stock
from fleet.features.products.csvfile.cells import defused, joined, joined_pairs
from fleet.features.products.csvfile.reading import COLUMNS, STOCK
from fleet.features.products.queries import ListedProduct, ProductFilter
from fleet.features.products.schema import decimal

FILENAME = "products.csv"
_MARK = "\ufeff"
"""The mark of UTF-8, without which a spreadsheet reads another encoding."""


def export(deps: Deps, which: ProductFilter) -> tuple[str, int]:
    """Return the file of all products that match, and how many they are."""
    file, number = io.StringIO(newline=""), 0
    writer = csv.writer(file)
    with deps.db.transaction() as tx:
        names = {one.id: one.name for one in stock.locations(tx)}
        places = list(dict.fromkeys(names.values()))
        writer.writerow([defused(one) for one in (*COLUMNS, *(f"{STOCK} {name}" for name in places))])
        for one in queries.all_products(tx, which):
            number += 1
            # Organisations may have locations of the same name; a variant has stock at its own alone.
            writer.writerows(_lines(one, [[key for key, name in names.items() if name == place] for place in places]))
    return _MARK + file.getvalue(), number


def _lines(one: ListedProduct, places: Sequence[Sequence[object]]) -> Iterator[list[str]]:
    row = one.row
    images = joined_pairs(((image.url, image.alt_text) for image in service.images_of(row)), " ")
    about = [row.title, row.description, row.status, row.brand, joined(row.categories), images,
             joined_pairs(row.attributes.items(), "=")]  # fmt: skip
    for variant in one.variants:
        amounts = [decimal(service.amount(variant, name)) or "" for name in rules.AMOUNTS]
        levels = one.stock[variant.id]
        units = [next((str(level.on_hand) for key, level in levels.items() if key in place), "") for place in places]
        texts = [
            variant.sku,
            variant.title,
            joined_pairs(variant.options.items(), "="),
            variant.barcode,
            variant.currency,
        ]
        # Numbers stay numbers: only texts are defused.
        yield [str(row.id), str(variant.id), *(defused(cell) for cell in (*about, *texts)), *amounts, *units]
        about = [""] * len(about)
