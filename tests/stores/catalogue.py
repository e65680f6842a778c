"""Products and orders of the test shops, in one shape for both, and the products that a fresh shop is seeded with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Item:
    """A product with its one variant, as the shop's own API shows it."""

    sku: str
    title: str
    price: int
    """In minor units of EUR, without tax."""
    on_hand: int
    allocated: int
    product_id: str
    variant_id: str
    """Vendure: the variant. Oscar: the stock record."""


@dataclass(frozen=True, slots=True)
class Order:
    """An order as the shop's own API shows it."""

    code: str
    state: str
    lines: dict[str, int]
    """Quantities by SKU."""


def sku(number: int) -> str:
    """Return the SKU of the seeded product `number`, from 1."""
    return f"SKU-{number:06}"


def title(number: int) -> str:
    """Return the title of the seeded product `number`."""
    return f"Product {number:06}"


def price(number: int) -> int:
    """Return the price of the seeded product `number`, in minor units."""
    return 500 + number * 37 % 9500


def stock(number: int) -> int:
    """Return the stock of the seeded product `number`."""
    return number * 7 % 101


def products(count: int) -> Iterator[dict[str, str | int]]:
    """Return the first `count` seeded products, as both shops are given them."""
    for number in range(1, count + 1):
        yield {
            "sku": sku(number), "title": title(number), "description": f"Description of {title(number)}",
            "price": price(number), "stock": stock(number),
        }  # fmt: skip
