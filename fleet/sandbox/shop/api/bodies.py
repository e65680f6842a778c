"""Request bodies of the API, and how cursors are written. Fields are camelCase."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from fleet.sandbox.gallery.errors import ApiError, invalid

MOST_IN_PAGE, MOST_IN_BATCH = 100, 50
_MOST_MINOR = 10**12
_MOST_UNITS = 10**6


class ShopBody(BaseModel):
    """A body. Unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, populate_by_name=True)


def _address(url: str) -> str:
    if not url.startswith(("http://", "https://", "/static/", "/art/")):
        raise ValueError("an address begins with http:// or https://")
    return url


Minor = Annotated[int, Field(ge=0, le=_MOST_MINOR)]
Units = Annotated[int, Field(ge=0, le=_MOST_UNITS)]
ShopText = Annotated[str, Field(max_length=200)]
Title = Annotated[str, Field(min_length=1, max_length=200)]
Sku = Annotated[str, Field(min_length=1, max_length=100)]
Options = Annotated[dict[ShopText, ShopText], Field(max_length=3)]
Categories = Annotated[list[ShopText], Field(max_length=20)]
Address = Annotated[str, Field(max_length=2000), AfterValidator(_address)]
RowId = Annotated[str, Field(pattern=r"^[0-9]{1,18}$")]
Status = Literal["active", "draft", "archived"]


class ImageBody(ShopBody):
    """An image."""

    url: Address
    alt_text: Annotated[str, Field(max_length=500)] = ""
    id: ShopText = ""


class VariantBody(ShopBody):
    """A variant to create."""

    sku: Sku
    title: ShopText = ""
    options: Options = {}
    price_minor: Minor
    barcode: ShopText = ""
    on_hand: Units = 0


class ProductBody(ShopBody):
    """A product to create. Without a key it gets one from its title."""

    key: Annotated[str, Field(pattern=r"^[a-z0-9-]{0,200}$")] = ""
    title: Title
    description: Annotated[str, Field(max_length=20_000)] = ""
    status: Status = "active"
    categories: Categories = []
    images: Annotated[list[ImageBody], Field(max_length=20)] = []
    variants: Annotated[list[VariantBody], Field(min_length=1, max_length=100)]


class NewVariantsBody(ShopBody):
    """Variants to add to a product. One whose SKU the product has is left alone."""

    variants: Annotated[list[VariantBody], Field(min_length=1, max_length=100)]


class ProductFields(ShopBody):
    """Values of some fields of a product."""

    title: Title | None = None
    description: Annotated[str, Field(max_length=20_000)] | None = None
    status: Status | None = None
    categories: Categories | None = None
    images: Annotated[list[ImageBody], Field(max_length=20)] | None = None

    def values(self) -> dict[str, Any]:
        """Return the values that are given, as the rows have them."""
        found = self.model_dump(exclude_none=True)
        if self.images is not None:
            found["images"] = [one.model_dump(by_alias=True) for one in self.images]
        return found


class ProductChangeBody(ProductFields):
    """New values of some fields, and the values that the product must still have."""

    expected: ProductFields = ProductFields()

    def values(self) -> dict[str, Any]:
        """Return the new values, as the rows have them."""
        return {name: value for name, value in ProductFields.values(self).items() if name != "expected"}


class VariantChangeBody(ShopBody):
    """New values of one variant."""

    id: RowId
    sku: Sku | None = None
    title: ShopText | None = None
    options: Options | None = None
    price_minor: Minor | None = None
    barcode: ShopText | None = None
    expected_price_minor: Minor | None = None


class VariantsBody(ShopBody):
    """New values of several variants: all of them, or none."""

    changes: Annotated[list[VariantChangeBody], Field(min_length=1, max_length=MOST_IN_BATCH)]


class LevelBody(ShopBody):
    """The units on hand of a variant, by default in the main location."""

    variant_id: RowId
    location_id: RowId | None = None
    on_hand: Units
    expected: int | None = None


class LevelsBody(ShopBody):
    """The stock of several variants: all of it is set, or none."""

    changes: Annotated[list[LevelBody], Field(min_length=1, max_length=MOST_IN_BATCH)]


class OrderLineBody(ShopBody):
    """What a customer buys of one variant."""

    variant_id: RowId
    quantity: Annotated[int, Field(ge=1, le=1000)]


class CustomerBody(ShopBody):
    """Who buys."""

    name: ShopText = ""
    email: ShopText = ""
    country: Annotated[str, Field(pattern=r"^([A-Z]{2})?$")] = ""


class OrderBody(ShopBody):
    """An order to place."""

    lines: Annotated[list[OrderLineBody], Field(min_length=1, max_length=50)]
    customer: CustomerBody = CustomerBody()
    is_paid: bool = True


class OrderStateBody(ShopBody):
    """A new state of an order."""

    state: Literal["confirmed", "processing", "shipped", "delivered", "cancelled", "refunded"]
    tracking: ShopText = ""
    reason: ShopText = ""


class HookBody(ShopBody):
    """An address for webhooks, and the secret that signs them."""

    url: Annotated[str, Field(max_length=2000, pattern=r"^https?://[!-~]+$")]
    secret: Annotated[str, Field(min_length=8, max_length=200)]


Limit = Annotated[int, Query(ge=1, le=MOST_IN_PAGE)]
CursorText = Annotated[str, Query(max_length=200)]


def written(*parts: object) -> str:
    """Return a cursor of some values."""
    return base64.urlsafe_b64encode("|".join(str(part) for part in parts).encode()).decode().rstrip("=")


def numbers(cursor: str, count: int) -> tuple[int, ...]:
    """Return the numbers in a cursor; zeros for an empty one. Raises ApiError 422."""
    if not cursor:
        return (0,) * count
    try:
        found = tuple(int(part) for part in _decoded(cursor).split("|"))
    except ValueError:
        found = ()
    if len(found) != count or any(not 0 <= one < 2**62 for one in found):
        raise invalid("cursor", "This is no cursor of this shop.")
    return found


def change_position(cursor: str) -> tuple[datetime, int] | None:
    """Return the time and the id in a cursor of changes; None for an empty one. Raises ApiError 422."""
    if not cursor:
        return None
    try:
        moment, row_id = _decoded(cursor).split("|")
        return datetime.fromisoformat(moment), int(row_id)
    except ValueError:
        raise invalid("cursor", "This is no cursor of this shop.") from None


def aware(moment: datetime) -> datetime:
    """Return a time with its zone, by default UTC."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def row_id(text: str, noun: str) -> int:
    """Return the id in an address. Raises ApiError 404."""
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise ApiError(404, "NOT_FOUND", f"{noun} not found.")
    return int(text)


def _decoded(cursor: str) -> str:
    try:
        return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except binascii.Error as error:
        raise ValueError(str(error)) from None
