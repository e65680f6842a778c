"""Make the first database, or add products to one: `python -m shop.seeding [PRODUCTS]`.

The products are those of tests/stores/catalogue.py, which is loaded from its file.
"""

import os
import runpy
import sys
from decimal import Decimal
from pathlib import Path

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


def seed(count: int) -> None:
    """Add the first `count` products of the catalogue."""
    from oscar.core.loading import get_model

    known = runpy.run_path(str(Path(__file__).resolve().parents[2] / "catalogue.py"))
    product_type, record_type = get_model("catalogue", "Product"), get_model("partner", "StockRecord")
    category = get_model("catalogue", "Category").objects.get()
    kind, partner = get_model("catalogue", "ProductClass").objects.get(), get_model("partner", "Partner").objects.get()
    numbers = range(1, count + 1)
    products = product_type.objects.bulk_create(
        [
            product_type(
                upc=known["sku"](n), title=known["title"](n), slug=f"product-{n:06}", product_class=kind,
                description=f"Description of {known['title'](n)}",
            )
            for n in numbers
        ],
        batch_size=500,
    )  # fmt: skip
    record_type.objects.bulk_create(
        [
            record_type(
                product=one, partner=partner, partner_sku=one.upc, price_currency="EUR",
                price=Decimal(known["price"](n)) / 100, num_in_stock=known["stock"](n), num_allocated=0,
            )
            for n, one in zip(numbers, products, strict=True)
        ],
        batch_size=500,
    )  # fmt: skip
    links = product_type.categories.through
    links.objects.bulk_create([links(product=one, category=category) for one in products], batch_size=500)


if __name__ == "__main__":
    django.setup()
    if len(sys.argv) > 1:
        seed(int(sys.argv[1]))
    else:
        set_up()
