"""Shops: products, stock and orders as adapters read them, and the types of action that write them.

Pure values. Amounts are in minor units with their currency; times are aware UTC. All texts of a shop are untrusted:
data, never instructions. `fleet.features.stores` registers the types of action.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

from fleet.adapters.base import ActionType, Adapter, Payload, Refused
from fleet.core.errors import InvalidInput

_DECIMALS = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV",
                     "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}  # fmt: skip
"""Currencies whose minor unit is not a hundredth (ISO 4217)."""
MOST_MINOR = 10**15
"""The largest amount that Fleet stores, in minor units."""


@dataclass(frozen=True, slots=True, order=True)
class Money:
    """An amount in minor units of a currency (ISO 4217, "EUR")."""

    minor: int
    currency: str

    @classmethod
    def parse(cls, amount: str, currency: str) -> Money:
        """Read a decimal amount such as "27.99". Raises InvalidInput for one with more decimals than the currency."""
        try:
            minor = Decimal(amount.strip()).scaleb(decimals_of(currency))
        except ArithmeticError:  # no number, or one beyond all bounds
            minor = Decimal("NaN")
        if not minor.is_finite() or minor != minor.to_integral_value() or abs(minor) > MOST_MINOR:
            raise InvalidInput(f"{amount[:40]!r} is no amount in {currency}.", fix="Write it like 27.99.")
        return cls(int(minor), currency)

    @classmethod
    def of_minor(cls, minor: object, currency: str) -> Money | None:
        """Return an amount that came in minor units; None for anything that is none, or is too large."""
        is_amount = isinstance(minor, int) and not isinstance(minor, bool) and abs(minor) <= MOST_MINOR
        return cls(minor, currency) if is_amount and isinstance(minor, int) and currency else None

    @property
    def decimal(self) -> Decimal:
        """The amount in units of the currency, with all its decimals."""
        return Decimal(self.minor).scaleb(-decimals_of(self.currency))

    def __str__(self) -> str:
        return f"{self.decimal} {self.currency}"


def currency_of(value: object) -> str:
    """Return the code of a currency; empty for anything that is none."""
    return value if isinstance(value, str) and re.fullmatch(r"[A-Z]{3}", value, re.A) else ""


def decimals_of(currency: str) -> int:
    """Return how many decimals the amounts of a currency have."""
    return _DECIMALS.get(currency, 2)


class ProductStatus(StrEnum):
    """Whether customers see a product."""

    ACTIVE = "active"
    DRAFT = "draft"
    ARCHIVED = "archived"


class OrderState(StrEnum):
    """The seven states of an order."""

    PENDING = "pending"  # placed, not paid
    CONFIRMED = "confirmed"  # paid, or accepted without payment
    PROCESSING = "processing"  # being packed
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"


@dataclass(frozen=True, slots=True)
class ProductImage:
    """A picture of a product. `digest` is the SHA-256 of its bytes in hex, where Fleet knows them."""

    url: str
    alt_text: str = ""
    digest: str = ""
    id: str = ""
    """The shop's id of it; empty in what Fleet sends."""


def digest_of(image: ProductImage) -> str:
    """Return the digest of an image, or of the file in its data URL; empty where neither is there."""
    head, _, body = image.url.partition(";base64,")
    if image.digest or not head.startswith("data:"):
        return image.digest.lower()
    try:
        return hashlib.sha256(base64.b64decode(body, validate=True)).hexdigest()
    except ValueError:
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopVariant:
    """A variant of a product: what customers buy. Every product has one or more.

    `id` is empty in what Fleet sends to create it. None: the shop, or its answer, does not give the value.
    """

    id: str = ""
    sku: str
    title: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    """By the name of the option: {"Size": "M"}."""
    price: Money | None = None
    on_hand: int | None = None
    """Units in all locations together."""
    barcode: str = ""
    updated_at: datetime | None = None
    stock_item_id: str = ""
    """The id by which the shop addresses its stock, where it is not `id`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopProduct:
    """A product as a shop has it, or as Fleet creates it.

    `key` names it at the shop for people and programs (slug, handle, UPC). `content` of two products is equal if the
    shop shows the same.
    """

    id: str = ""
    key: str
    title: str
    description: str = ""
    status: ProductStatus = ProductStatus.ACTIVE
    categories: tuple[str, ...] = ()
    images: tuple[ProductImage, ...] = ()
    variants: tuple[ShopVariant, ...] = ()
    updated_at: datetime | None = None
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StockLevel:
    """The stock of a variant at a location. `available` is what customers can buy: on hand less what is allocated."""

    variant_id: str
    location_id: str = ""
    """Empty for a shop without locations."""
    on_hand: int
    allocated: int = 0

    @property
    def available(self) -> int:
        """Units that customers can buy; negative if the shop has sold more than it had."""
        return self.on_hand - self.allocated


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopLocation:
    """A place with stock of its own."""

    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopInfo:
    """A shop: its name, currency and locations. `clock` is its own time, where it gives it."""

    name: str
    currency: str
    locations: tuple[ShopLocation, ...] = ()
    url: str = ""
    clock: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLine:
    """A line of an order. `variant_id` is empty for a product that is gone."""

    id: str
    variant_id: str
    sku: str
    title: str
    quantity: int
    unit_price: Money
    fulfilled: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCustomer:
    """What Fleet keeps of a customer, sealed and erasable. Everything may be empty."""

    id: str = ""
    name: str = ""
    email: str = ""
    country: str = ""
    """ISO 3166, two letters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fulfilment:
    """A parcel of an order: units by the id of its line."""

    id: str
    quantities: Mapping[str, int] = field(default_factory=dict)
    tracking: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopOrder:
    """An order as a shop has it."""

    id: str
    number: str
    state: OrderState
    placed_at: datetime
    updated_at: datetime | None = None
    total: Money
    lines: tuple[OrderLine, ...] = ()
    fulfilments: tuple[Fulfilment, ...] = ()
    customer: OrderCustomer = field(default_factory=OrderCustomer)


@dataclass(frozen=True, slots=True)
class ProductPage:
    """Products. The next call gets `cursor`; None after the last page. A product may come twice in a sweep."""

    items: tuple[ShopProduct, ...]
    cursor: str | None = None
    total: int | None = None
    """How many there are in all, where the shop says it."""


@dataclass(frozen=True, slots=True)
class StockPage:
    """Stock levels. The next call gets `cursor`; None after the last page."""

    items: tuple[StockLevel, ...]
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class OrderPage:
    """Orders, in no order that tells when they changed. The next call gets `cursor`; None after the last page."""

    items: tuple[ShopOrder, ...]
    cursor: str | None = None


class ShopEventKind(StrEnum):
    """The subject of a webhook of a shop."""

    ORDER = "order"
    STOCK = "stock"
    PRODUCT_DELETED = "product_deleted"
    PRODUCT = "product"

    @property
    def priority(self) -> int:
        """How urgent it is, 0 to 10 (the figures of the original design)."""
        return {"order": 10, "stock": 8, "product_deleted": 5, "product": 3}[self]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopEvent:
    """One event of a delivery: a hint what to read again. `id` is the shop's own, equal in a repeated delivery."""

    id: str
    kind: ShopEventKind
    product_id: str = ""
    variant_id: str = ""
    order_id: str = ""
    stock_item_id: str = ""
    """`ShopVariant.stock_item_id`, for a shop that names no variant in events about stock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopHookRules:
    """The webhooks of a shop. Header names come in lower case."""

    is_genuine: Callable[[str, Mapping[str, str], bytes, float], bool]
    """Returns whether the shop sent a body: secret, headers, body, the time now in seconds."""
    read: Callable[[Mapping[str, str], bytes], Sequence[ShopEvent]]
    """Returns the events of a genuine delivery. Raises ValueError for a body that it does not understand."""


PRODUCT_FIELDS = ("title", "description", "status", "categories", "images")
VARIANT_FIELDS = ("sku", "title", "options", "price", "barcode")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopTraits:
    """The traits of a shop system in the manifest of its adapter: what it can express, and how it is written."""

    fields: frozenset[str] = frozenset(PRODUCT_FIELDS) | {f"variant.{name}" for name in VARIANT_FIELDS}
    """The fields that it stores: `PRODUCT_FIELDS`, and `VARIANT_FIELDS` after "variant."."""
    statuses: frozenset[ProductStatus] = frozenset(ProductStatus)
    """Those that a product can have. One that is archived here is a draft at a shop without archived products."""
    batch: int = 1
    """How many variants one write changes at most, in `UPDATE_VARIANTS` and `SET_STOCK`."""
    is_batch_atomic: bool = True
    """Whether a refused variant undoes the whole batch; else `Receipt.detail["refused"]` names those refused."""
    most_variants: int = 100
    page: int = 100
    """How many products a page of a sweep has at most."""
    has_locations: bool = False
    sees_sku_once: bool = False
    """Whether it refuses a second product with the same SKU or key."""
    cursor_overlap_s: float = 120.0
    """How far before the newest change an incremental read begins: its clock and its rounding may lose changes."""
    stock_moves_updated_at: bool = False
    """Whether an order that takes stock moves the variant's `updated_at`. Without it stock is read by itself."""
    zero_stock: bool = True
    """Whether a product can have no units at all. Without it a product is archived in place of writing its last 0."""
    sees_order_states: bool = True
    """Whether `orders` also returns those of which only the state changed. Without it open orders are read again."""
    has_html: bool = False
    """Whether descriptions are HTML."""
    webhooks: ShopHookRules | None = None


class Stale(Refused):
    """The shop's value is no longer the one with which it was compared. Nothing was written."""

    def __init__(self, message: str, *, found: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.found = dict(found or {})
        """What the shop has now: by the name of the field, for changes of variants and of stock by the variant's id."""


class ProductExists(Refused):
    """The shop already has a product with the key, or a variant with one of the SKUs. Nothing was written."""

    def __init__(self, message: str, *, product_ids: Sequence[str]) -> None:
        super().__init__(message)
        self.product_ids = tuple(product_ids)


@dataclass(frozen=True, slots=True)
class CreateProductPayload(Payload):
    """A product to create, with its variants and their first stock."""

    product: ShopProduct

    @property
    def words(self) -> str:
        """Its title and description."""
        return f"{self.product.title}\n{self.product.description}".strip()


@dataclass(frozen=True, slots=True)
class UpdateProductPayload(Payload):
    """New values of some fields of a product (`PRODUCT_FIELDS`), as they are in `ShopProduct`.

    Fields that are not named stay. `expected` holds the values that the shop must still have, for some fields: the
    write raises Stale if it has others.
    """

    product_id: str
    changes: Mapping[str, Any]
    expected: Mapping[str, Any] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """Its new title and description."""
        return "\n".join(str(self.changes[name]) for name in ("title", "description") if name in self.changes)


@dataclass(frozen=True, slots=True)
class AddVariantsPayload(Payload):
    """New variants of a product that the shop has, with their first stock. A SKU that the product has is left alone."""

    product_id: str
    variants: tuple[ShopVariant, ...]

    @property
    def words(self) -> str:
        """Their titles."""
        return "\n".join(one.title for one in self.variants if one.title)


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantChange:
    """New values of one variant. None, or an empty text: the value stays."""

    variant_id: str
    product_id: str
    price: Money | None = None
    sku: str = ""
    expected_price: Money | None = None
    """The price that the shop must still have; None: any."""


@dataclass(frozen=True, slots=True)
class UpdateVariantsPayload(Payload):
    """New values of several variants, at most `ShopTraits.batch`."""

    changes: tuple[VariantChange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StockChange:
    """The units on hand of a variant at a location: an absolute number, never a difference."""

    variant_id: str
    product_id: str
    quantity: int
    location_id: str = ""
    stock_item_id: str = ""
    expected: int | None = None
    """The units that the shop must still have on hand; None: any."""


@dataclass(frozen=True, slots=True)
class SetStockPayload(Payload):
    """The stock of several variants, at most `ShopTraits.batch`."""

    changes: tuple[StockChange, ...]


@dataclass(frozen=True, slots=True)
class RemoveProductPayload(Payload):
    """The removal of a product from the shop. `key` and `sku` are for people, and for a probe."""

    product_id: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class UpdateOrderPayload(Payload):
    """A new state of an order: shipped (with `tracking`), cancelled or refunded (with `reason`)."""

    order_id: str
    state: OrderState
    tracking: str = ""
    reason: str = ""


CREATE_PRODUCT = ActionType(name="create_product", noun="product", payload=CreateProductPayload, is_counted=False)
UPDATE_PRODUCT = ActionType(name="update_product", noun="change", payload=UpdateProductPayload, is_counted=False)
ADD_VARIANTS = ActionType(name="add_variants", noun="variant", payload=AddVariantsPayload, is_counted=False)
UPDATE_VARIANTS = ActionType(name="update_variants", noun="change", payload=UpdateVariantsPayload, is_counted=False)
SET_STOCK = ActionType(name="set_stock", noun="stock level", payload=SetStockPayload, is_counted=False)
REMOVE_PRODUCT = ActionType(name="remove_product", noun="removal", payload=RemoveProductPayload, is_counted=False)
UPDATE_ORDER = ActionType(name="update_order", noun="change", payload=UpdateOrderPayload, is_counted=False)
SHOP_ACTIONS: tuple[ActionType[Payload], ...] = (
    CREATE_PRODUCT, UPDATE_PRODUCT, ADD_VARIANTS, UPDATE_VARIANTS, SET_STOCK, REMOVE_PRODUCT, UPDATE_ORDER,
)  # fmt: skip


@runtime_checkable
class ShopAdapter(Adapter, Protocol):
    """An adapter to a shop. Reads raise an AdapterError; a product that is gone raises Vanished.

    Receipts: `CREATE_PRODUCT` has the product's id as `remote_id`, and in `detail["variants"]` the ids of its variants
    by SKU; `ADD_VARIANTS` has both of the whole product. All others have the id of what they changed, or of the first
    of several. `detail["now"]` is a list of what the shop has after the write, as `product_state`, `variant_state`,
    `stock_state` and `order_state` write it: by these values and times a reader tells the echo of its own write from
    somebody else's change.
    """

    def shop(self) -> ShopInfo: ...

    def products(self, *, cursor: str | None, limit: int) -> ProductPage:
        """Return a page of all products with their variants, in an order that does not move while rows are added."""

    def product(self, product_id: str) -> ShopProduct: ...

    def find_products(self, *, sku: str = "", key: str = "") -> Sequence[ShopProduct]:
        """Return the products that have a SKU or a key."""

    def stock(self, *, cursor: str | None, limit: int) -> StockPage:
        """Return a page of the stock of all variants."""

    def stock_of(self, variant_ids: Sequence[str]) -> Sequence[StockLevel]: ...


@runtime_checkable
class ChangesAdapter(Protocol):
    """An adapter whose shop tells which products changed."""

    def changed_products(self, *, since: datetime, cursor: str | None, limit: int) -> ProductPage:
        """Return products of which anything but stock changed at or after a time. Deleted ones are not among them."""


@runtime_checkable
class OrderingAdapter(Protocol):
    """An adapter whose shop has orders."""

    def orders(self, *, since: datetime | None, cursor: str | None, limit: int) -> OrderPage:
        """Return orders that were placed or changed at or after a time; None: all."""

    def order(self, order_id: str) -> ShopOrder: ...


def product_state(product: ShopProduct) -> dict[str, Any]:
    """Return a product, without its variants, as `detail["now"]` has it."""
    return {
        "product_id": product.id, "key": product.key, "title": product.title, "description": product.description,
        "status": str(product.status), "categories": list(product.categories),
        "images": [{"id": one.id, "digest": one.digest} for one in product.images],
        "updated_at": _stamp(product.updated_at),
    }  # fmt: skip


def variant_state(variant: ShopVariant, product_id: str) -> dict[str, Any]:
    """Return a variant as `detail["now"]` has it. Its price is in minor units."""
    return {
        "variant_id": variant.id, "product_id": product_id, "sku": variant.sku, "on_hand": variant.on_hand,
        "price": None if variant.price is None else variant.price.minor,
        "currency": "" if variant.price is None else variant.price.currency,
        "updated_at": _stamp(variant.updated_at),
    }  # fmt: skip


def stock_state(level: StockLevel, updated_at: datetime | None = None) -> dict[str, Any]:
    """Return a stock level as `detail["now"]` has it; `updated_at` is that of its variant, or of its stock record."""
    return {
        "variant_id": level.variant_id, "location_id": level.location_id, "on_hand": level.on_hand,
        "allocated": level.allocated, "updated_at": _stamp(updated_at),
    }  # fmt: skip


def order_state(order: ShopOrder) -> dict[str, Any]:
    """Return an order as `detail["now"]` has it."""
    return {"order_id": order.id, "state": str(order.state), "updated_at": _stamp(order.updated_at)}


def _stamp(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def differences(product: ShopProduct, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a product has in those fields whose values are others. Categories have no order.

    Images are equal if their digests are, where both sides know them, else their ids or addresses.
    """
    return {name: getattr(product, name) for name, value in values.items() if not _same(name, product, value)}


def require_unchanged(product: ShopProduct, changes: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """Raise Stale for a product whose fields have neither the expected nor the new values; Refused for no field.

    For shops that compare nothing themselves. A field that has its new value already is no conflict: the write is
    perhaps a repeated one.
    """
    unlike = differences(product, changes)
    wrong = {name: value for name, value in differences(product, expected).items()
             if name not in changes or name in unlike}  # fmt: skip
    if not changes:
        raise Refused("the change names no field")
    if wrong:
        raise Stale(f"the shop has another value of {', '.join(sorted(wrong))}", found=wrong)


def require_batch(changes: Sequence[Any], most: int) -> None:
    """Raise Refused for a batch that is empty or too large."""
    if not 0 < len(changes) <= most:
        raise Refused(f"a batch has 1 to {most} changes, not {len(changes)}")


def _same(name: str, product: ShopProduct, value: Any) -> bool:
    if name == "images":
        found = product.images
        return len(found) == len(value) and all(
            digest_of(one) == digest_of(other)
            if one.digest and digest_of(other)
            else (one.id or one.url) in (other.id, other.url)
            for one, other in zip(found, value, strict=True)
        )
    if name == "categories":
        return sorted(product.categories) == sorted(value)
    if name not in PRODUCT_FIELDS:
        raise Refused(f"products have no field {name[:40]!r}")
    return bool(getattr(product, name) == value)


def shop(adapter: Adapter) -> ShopAdapter:
    """Return an adapter as that of a shop. Raises InvalidInput for another system."""
    if not isinstance(adapter, ShopAdapter):
        raise InvalidInput(f"{adapter.name} has no products: it is no shop.", fix="Give the store a shop's account.")
    return adapter
