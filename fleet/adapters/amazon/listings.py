"""What Fleet sends to Amazon: attributes of listings, patches, the file of a feed. Pure. Used by `amazon` alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from fleet.adapters import base
from fleet.adapters.amazon.answers import OWN_STOCK, own_stock
from fleet.adapters.answers import dict_of, dicts_of
from fleet.adapters.shops import Money, ShopProduct, StockChange, VariantChange

Change = VariantChange | StockChange
FEED_TYPE = "JSON_LISTINGS_FEED"
FEED_CONTENT = "application/json; charset=UTF-8"
_MOST_PICTURES = 9


def attributes_of(product: ShopProduct, pictures: Sequence[str], marketplace: str, language: str) -> dict[str, Any]:
    """Return the attributes of a new listing. Raises Refused for a product that a listing cannot be."""
    variant = product.variants[0] if len(product.variants) == 1 else None
    if variant is None or variant.price is None:
        raise base.Refused("a listing of Amazon is one variant with a price: create each variant as its own product")
    made = {
        **texts_of(product.title, product.description, marketplace, language),
        **pictures_of(pictures, marketplace),
        "condition_type": [{"value": "new_new", "marketplace_id": marketplace}],
        "purchasable_offer": offers_of([], variant.price, marketplace),
    }
    if variant.on_hand is not None:
        made["fulfillment_availability"] = [{"fulfillment_channel_code": OWN_STOCK, "quantity": variant.on_hand}]
    if variant.barcode:
        kind = {12: "upc", 13: "ean", 14: "gtin"}.get(len(variant.barcode), "ean")
        identifier = {"type": kind, "value": variant.barcode, "marketplace_id": marketplace}
        made["externally_assigned_product_identifier"] = [identifier]
    return made


def texts_of(title: str | None, description: str | None, marketplace: str, language: str) -> dict[str, Any]:
    """Return the attributes of texts; None leaves one out."""
    where = {"marketplace_id": marketplace, "language_tag": language}
    found = {"item_name": title, "product_description": description}
    return {name: [{"value": value, **where}] for name, value in found.items() if value}


def pictures_of(urls: Sequence[str], marketplace: str) -> dict[str, Any]:
    """Return the attributes of pictures, which Amazon fetches. Raises Refused for too many."""
    if len(urls) > _MOST_PICTURES:
        raise base.Refused(f"a listing of Amazon has {_MOST_PICTURES} pictures at most")
    names = ("main_product_image_locator", *(f"other_product_image_locator_{at}" for at in range(1, _MOST_PICTURES)))
    return {
        name: [{"media_location": url, "marketplace_id": marketplace}] for name, url in zip(names, urls, strict=False)
    }


def offers_of(known: Sequence[Mapping[str, Any]], price: Money, marketplace: str) -> list[dict[str, Any]]:
    """Return the offers of a listing with another price for customers; what else they have stays."""
    ours = {"our_price": [{"schedule": [{"value_with_tax": float(price.decimal)}]}]}
    others = [dict(one) for one in known if not _is_ours(one, marketplace)]
    mine = next(
        (one for one in known if _is_ours(one, marketplace)), {"marketplace_id": marketplace, "audience": "ALL"}
    )
    return [*others, {**mine, "currency": price.currency, **ours}]


def _is_ours(offer: Mapping[str, Any], marketplace: str) -> bool:
    return offer.get("marketplace_id") == marketplace and offer.get("audience", "ALL") == "ALL"


def patches_of(found: Mapping[str, Any], change: Change, marketplace: str) -> list[dict[str, Any]]:
    """Return the patches of a change of a listing. Raises Refused for stock in Amazon's warehouses, and for a new SKU.

    A patch replaces a whole attribute, so what the listing has besides is sent with it.
    """
    attributes = dict_of(found.get("attributes"))
    if isinstance(change, StockChange):
        known = dicts_of(attributes.get("fulfillment_availability"))
        if own_stock(found) is None and known:
            raise base.Refused("Amazon ships this listing: its stock is what is in Amazon's warehouses")
        mine = next((one for one in known if one.get("fulfillment_channel_code") == OWN_STOCK), {})
        others = [one for one in known if one.get("fulfillment_channel_code") != OWN_STOCK]
        stock = {**mine, "fulfillment_channel_code": OWN_STOCK, "quantity": change.quantity}
        return [_replace("fulfillment_availability", [*others, stock])]
    if change.sku and change.sku != change.variant_id:
        raise base.Refused("the SKU of a listing of Amazon cannot change")
    if change.price is None:
        return []
    offers = dicts_of(attributes.get("purchasable_offer"))
    return [_replace("purchasable_offer", offers_of(offers, change.price, marketplace))]


def _replace(name: str, value: list[dict[str, Any]]) -> dict[str, Any]:
    return {"op": "replace", "path": f"/attributes/{name}", "value": value}


def replaced(attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return patches that replace attributes."""
    return [_replace(name, value) for name, value in attributes.items()]


def feed_file(seller: str, patches: Mapping[str, Sequence[Mapping[str, Any]]], product_type: str) -> bytes:
    """Return the file of a feed that patches listings by their SKUs."""
    messages = [{"messageId": at, "sku": sku, "operationType": "PATCH", "productType": product_type, "patches": [*one]}
                for at, (sku, one) in enumerate(patches.items(), 1)]  # fmt: skip
    header = {"sellerId": seller, "version": "2.0", "issueLocale": "en_US"}
    return json.dumps({"header": header, "messages": messages}).encode()
