"""What Fleet sends to Shopify: the inputs of its mutations. Pure. Used by `shopify` alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fleet.adapters.shopify.answers import DEFAULT_OPTION, DEFAULT_VALUE
from fleet.adapters.shops import ProductImage, ShopProduct, ShopVariant


def customid_of(key: str) -> dict[str, str]:
    """Return the custom id of the product that a job creates: a metafield that only this app writes."""
    return {"namespace": "$app:fleet", "key": "job", "value": key}


def product_input(product: ShopProduct, location_id: str) -> dict[str, Any]:
    """Return the input of a new product; its first stock is at one location."""
    options: dict[str, list[str]] = {}
    for one in product.variants:
        for name, value in _options_of(one).items():
            values = options.setdefault(name, [])
            values += [] if value in values else [value]
    fields = {"title": product.title, "description": product.description, "status": product.status,
              "categories": product.categories, "images": product.images}  # fmt: skip
    return {
        **set_input({name: value for name, value in fields.items() if value}),
        **({"handle": product.key} if product.key else {}),
        "productOptions": [{"name": name, "position": at, "values": [{"name": value} for value in values]}
                           for at, (name, values) in enumerate(options.items(), 1)],
        "variants": [_variant_input(one, location_id) for one in product.variants],
    }  # fmt: skip


def set_input(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a product as Shopify names them. `files` and `tags` replace those that a product has."""
    made: dict[str, Any] = {}
    for name, value in changes.items():
        match name:
            case "title":
                made["title"] = value
            case "description":
                made["descriptionHtml"] = value
            case "status":
                made["status"] = str(value).upper()
            case "categories":
                made["tags"] = list(value)
            case "images":
                made["files"] = _files(value)
    return made


def _files(images: Sequence[ProductImage]) -> list[dict[str, Any]]:
    return [
        {"id": one.id} if one.id else {"originalSource": one.url, "alt": one.alt_text, "contentType": "IMAGE"}
        for one in images
    ]


def _options_of(variant: ShopVariant) -> Mapping[str, str]:
    return variant.options or {DEFAULT_OPTION: variant.title or DEFAULT_VALUE}


def new_variant_input(one: ShopVariant, location_id: str) -> dict[str, Any]:
    """Return the input of a variant that is added to a product: none of its units is promised to orders yet."""
    made = _variant_input(one, location_id)
    made["inventoryItem"] = {"tracked": True, "sku": made.pop("sku")}
    if one.on_hand is not None:
        made["inventoryQuantities"] = [{"locationId": location_id, "availableQuantity": one.on_hand}]
    return made


def _variant_input(one: ShopVariant, location_id: str) -> dict[str, Any]:
    made: dict[str, Any] = {
        "optionValues": [{"optionName": name, "name": value} for name, value in _options_of(one).items()],
        "sku": one.sku, "inventoryItem": {"tracked": True},
    }  # fmt: skip
    if one.price is not None:
        made["price"] = str(one.price.decimal)
    if one.barcode:
        made["barcode"] = one.barcode
    if one.on_hand is not None:
        made["inventoryQuantities"] = [{"locationId": location_id, "name": "on_hand", "quantity": one.on_hand}]
    return made
