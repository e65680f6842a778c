"""Inventories of Etsy. Each is written as a whole, so it is read, changed and sent. Pure. Used by `etsy` alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fleet.adapters import base
from fleet.adapters.answers import count_of, dicts_of, text_of
from fleet.adapters.etsy.answers import money_of, number_of, offering_of, products_of, variant_id
from fleet.adapters.shops import Money, ShopVariant

ON_PROPERTY = ("price_on_property", "quantity_on_property", "sku_on_property", "readiness_state_on_property")
CUSTOM = (513, 514)
"""The properties of variations that Etsy's categories do not know. A listing has two at most."""
_LONGEST_SKU = 32


def new_inventory(variants: Sequence[ShopVariant], readiness: int) -> dict[str, Any]:
    """Return the inventory of a new listing. Raises Refused for variants that Etsy cannot have."""
    names = list(dict.fromkeys(name for one in variants for name in one.options))
    if len(names) > len(CUSTOM):
        raise base.Refused(f"a listing of Etsy has {len(CUSTOM)} options at most, not {len(names)}")
    if len(variants) > 1 and any(set(one.options) != set(names) for one in variants):
        raise base.Refused("every variant must have all options")
    ids = dict(zip(names, CUSTOM, strict=False))
    products = [
        {
            "sku": _sku(one.sku),
            "property_values": [
                {"property_id": ids[name], "property_name": name, "value_ids": [], "values": [value]}
                for name, value in one.options.items()
            ],
            "offerings": [{"quantity": one.on_hand or 0, "is_enabled": True, "price": _number(one.price),
                           **({"readiness_state_id": readiness} if readiness else {})}],
        }
        for one in variants
    ]  # fmt: skip
    on = [*ids.values()]
    return {"products": products, **dict.fromkeys(ON_PROPERTY[:3], on)}


def merged(inventory: Mapping[str, Any], listing_id: str, values: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return an inventory to send, with new values ("quantity", "price", "sku") of some variants by their ids.

    Everything else stays as it is. Raises Refused if other variants would change with them.
    """
    _require_own(inventory, listing_id, values)
    return {
        "products": [_sent(one, values.get(variant_id(listing_id, number_of(one.get("product_id"))), {}))
                     for one in products_of(inventory)],
        **{name: inventory[name] for name in ON_PROPERTY if inventory.get(name) and isinstance(inventory[name], list)},
    }  # fmt: skip


def _require_own(inventory: Mapping[str, Any], listing_id: str, values: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise Refused for a value that Etsy has once for several variants, unless all of them get the same."""
    products = products_of(inventory)
    for name in ("quantity", "price", "sku"):
        shown = inventory.get(f"{name}_on_property")
        on = shown if isinstance(shown, list) else []
        groups: dict[Any, set[Any]] = {}
        for one in products:
            key = tuple(str(value.get("values")) for value in dicts_of(one.get("property_values"))
                        if value.get("property_id") in on)  # fmt: skip
            new = values.get(variant_id(listing_id, number_of(one.get("product_id"))), {}).get(name)
            old = one.get("sku") if name == "sku" else offering_of(one).get(name)
            old = money_of(old) if name == "price" else old
            groups.setdefault(key, set()).add(str(old if new is None else new))
        is_changed = len(products) > 1 and any(name in one for one in values.values())
        if is_changed and any(len(found) > 1 for found in groups.values()):
            raise base.Refused(f"the listing has one {name} for several variants: change it for all of them")


def _sent(product: dict[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    offering = offering_of(product)
    price = values.get("price", money_of(offering.get("price")))
    quantity = values.get("quantity", count_of(offering.get("quantity")))
    if price is None or quantity is None:
        raise base.Refused("a price or quantity of the listing cannot be read, so its inventory is not written")
    readiness = number_of(offering.get("readiness_state_id"))
    return {
        "sku": _sku(values.get("sku") or text_of(product.get("sku"))),
        "property_values": [
            {name: value for name, value in one.items() if name != "scale_name" and value is not None}
            for one in dicts_of(product.get("property_values"))
        ],
        "offerings": [{
            "quantity": quantity, "price": _number(price),
            "is_enabled": bool(offering.get("is_enabled", True)),
            **({"readiness_state_id": readiness} if readiness else {}),
        }],
    }  # fmt: skip


def _sku(sku: str) -> str:
    if len(sku) > _LONGEST_SKU:
        raise base.Refused(f"a SKU of Etsy has {_LONGEST_SKU} characters at most")
    return sku


def _number(price: Money | None) -> float:
    if price is None:
        raise base.Refused("every variant needs a price")
    return float(price.decimal)
