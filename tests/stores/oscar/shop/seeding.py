"""Make the first database: `python -m shop.seeding`, with the products on standard input.

They are a list in JSON, of {sku, title, description, price in minor units, stock}.
"""

import json
import os
import sys
from decimal import Decimal
from typing import Any

import django


def set_up() -> None:
    """Make the tables, an administrator, a country, a partner, a class of products and a category."""
    from django.contrib.auth import get_user_model
    from django.core.management import call_command
    from oscar.core.loading import get_model

    call_command("migrate", run_syncdb=True, verbosity=0, interactive=False)
    name = os.environ["USERNAME"]
    get_user_model().objects.create_superuser(name, f"{name}@example.org", os.environ["PASSWORD"])
    get_model("address", "Country").objects.create(
        iso_3166_1_a2="DE", iso_3166_1_a3="DEU", iso_3166_1_numeric="276", printable_name="Germany", name="Germany",
        is_shipping_country=True,
    )  # fmt: skip
    get_model("partner", "Partner").objects.create(code="warehouse", name="Warehouse")
    get_model("catalogue", "ProductClass").objects.create(slug="thing", name="Thing", track_stock=True)
    get_model("catalogue", "Category").add_root(name="Everything", slug="everything")


def seed(products: list[dict[str, Any]]) -> None:
    """Add products. Django sends no signals for them, so there are no events."""
    from oscar.core.loading import get_model

    product_type, record_type = get_model("catalogue", "Product"), get_model("partner", "StockRecord")
    category = get_model("catalogue", "Category").objects.get()
    kind, partner = get_model("catalogue", "ProductClass").objects.get(), get_model("partner", "Partner").objects.get()
    made = product_type.objects.bulk_create(
        [
            product_type(
                upc=one["sku"], title=one["title"], slug=one["title"].lower().replace(" ", "-"), product_class=kind,
                description=one["description"],
            )
            for one in products
        ],
        batch_size=500,
    )  # fmt: skip
    record_type.objects.bulk_create(
        [
            record_type(
                product=product, partner=partner, partner_sku=one["sku"], price_currency="EUR",
                price=Decimal(one["price"]) / 100, num_in_stock=one["stock"], num_allocated=0,
            )
            for product, one in zip(made, products, strict=True)
        ],
        batch_size=500,
    )  # fmt: skip
    links = product_type.categories.through
    links.objects.bulk_create([links(product=product, category=category) for product in made], batch_size=500)


if __name__ == "__main__":
    django.setup()
    set_up()
    seed(json.load(sys.stdin))
