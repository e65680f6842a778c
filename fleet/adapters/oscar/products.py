"""Create, change and remove products. And their probes.

A product with one variant and no options is one request. One with several is a parent, created unseen by customers,
then its children, and is shown at last. A write that was interrupted finds its own product by its UPC, and goes on.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

from fleet.adapters import base
from fleet.adapters.answers import aware, dicts_of, missing_variants, text_of
from fleet.adapters.base import AnyAction, Receipt
from fleet.adapters.manifest import MediaRule, MediaTools
from fleet.adapters.network import ADOPTED, CallDeadline, after_the_write, before_the_write, since_of
from fleet.adapters.oscar import wire
from fleet.adapters.oscar.reads import PRODUCTS, OscarReader
from fleet.adapters.oscar.rest_api import RestApi
from fleet.adapters.oscar.variants import price_text, require_sku
from fleet.adapters.shops import (
    AddVariantsPayload,
    CreateProductPayload,
    ProductExists,
    ProductImage,
    ProductStatus,
    ShopProduct,
    ShopVariant,
    Stale,
    UpdateProductPayload,
    differences,
    digest_of,
    product_state,
    variant_state,
)
from fleet.adapters.social import is_data_url, read_data_url

LONGEST_TITLE, LONGEST_KEY, MOST_VARIANTS = 255, 64, 50
PICTURES = MediaRule(
    most=10, types=("image/jpeg", "image/png", "image/webp", "image/gif"), most_bytes=10_000_000, best_ratio=1.0,
    alt_text=200, by_url=True,
)  # fmt: skip
_CLASSES = "/api/admin/productclasses/"
_ATTRIBUTES = "/api/admin/productattributes/"
_PUBLIC = {ProductStatus.ACTIVE: True, ProductStatus.DRAFT: False}


class OscarProductWriter:
    """The writes of products of one shop."""

    def __init__(self, api: RestApi, reader: OscarReader, media: MediaTools) -> None:
        self._api = api
        self._reader = reader
        self._media = media

    def create(self, action: AnyAction, payload: CreateProductPayload, deadline: CallDeadline) -> Receipt:
        """Create a product, or finish it. Raises ProductExists for one of somebody else."""
        wanted = payload.product
        with before_the_write():
            shop = self._reader.known_shop(deadline.left_s)
            _require_valid(wanted, shop.currency)
            if not shop.locations:
                raise base.Refused("the shop has no partner that could own stock")
            partner = f"{shop.url}/api/admin/partners/{shop.locations[0].id}/"
            own = self._own(wanted, since_of(action, aware(action.created_at)), deadline)
            kind = self._product_class(deadline)
            images = self._images(wanted.images, (), wanted.key, deadline) if own is None else []
        body = {
            "product_class": kind["slug"], "upc": wanted.key, "slug": _slug(wanted.key), "title": wanted.title,
            "description": wanted.description, "categories": list(wanted.categories), "images": images,
        }  # fmt: skip
        first, is_shown = wanted.variants[0], _is_public(wanted.status)
        skus = [one.sku for one in wanted.variants]
        if len(wanted.variants) == 1 and not first.options:
            if own is None:
                records = [_record(first, partner, shop.currency)]
                body |= {"structure": wire.STANDALONE, "is_public": is_shown, "stockrecords": records}
                own = wire.id_of(self._post(body, skus, deadline).get("id"))
            return self._receipt(own, deadline)
        if own is None:
            body |= {"structure": wire.PARENT, "is_public": False}
            own = wire.id_of(self._post(body, skus, deadline).get("id"))
        try:
            self._add_children(own, wanted, kind, partner, deadline)
        except base.Refused:
            with suppress(base.AdapterError):
                self.remove(own, deadline)  # customers have not seen it
            raise
        if is_shown:
            self._api.send("PATCH", f"{PRODUCTS}{own}/", {"is_public": True}, timeout_s=deadline.left_s)
        return self._receipt(own, deadline)

    def probe_creation(
        self, action: AnyAction, payload: CreateProductPayload, since: datetime, known: frozenset[str]
    ) -> Receipt | None:
        """Return a receipt if the product is there and complete."""
        wanted = payload.product
        try:
            own = self._own(wanted, since_of(action, since), None)
        except ProductExists:
            return None  # somebody else's: the write will be refused
        if own is None or own in known:
            return None
        found = self._reader.product(own)
        skus = {one.sku for one in found.variants}
        if found.status is not wanted.status or skus != {one.sku for one in wanted.variants}:
            return None
        return _receipt_of(found, ADOPTED)

    def add_variants(self, payload: AddVariantsPayload, deadline: CallDeadline) -> Receipt:
        """Add children to a parent. Raises ProductExists for a SKU of another product, Refused, Vanished."""
        with before_the_write():
            shop = self._reader.known_shop(deadline.left_s)
            row = self._reader.row(payload.product_id, timeout_s=deadline.left_s)
            found = self._reader.product(payload.product_id, timeout_s=deadline.left_s)
            missing = missing_variants(found, payload.variants)
            if missing and row.get("structure") != wire.PARENT:
                raise base.Refused("the product has no variants: only one that was created with options gets more")
            if len(found.variants) + len(missing) > MOST_VARIANTS:
                raise base.Refused(f"a product has at most {MOST_VARIANTS} variants")
            for one in missing:
                if len(require_sku(one.sku)) > LONGEST_KEY:
                    raise base.Refused(
                        f"the SKU of one variant of several is its UPC: at most {LONGEST_KEY} characters"
                    )
                _require_values(one, shop.currency)
            if not shop.locations:
                raise base.Refused("the shop has no partner that could own stock")
            partner = f"{shop.url}/api/admin/partners/{shop.locations[0].id}/"
            kind = self._product_class(deadline, text_of(row.get("product_class"), 200))
        if missing:
            self._add_children(found.id, replace(found, variants=tuple(missing)), kind, partner, deadline)
        return self._receipt(found.id, deadline)

    def probe_variants(self, payload: AddVariantsPayload) -> Receipt | None:
        """Return a receipt if the product has all the SKUs. Raises Vanished."""
        found = self._reader.product(payload.product_id)
        if not {one.sku for one in payload.variants} <= {one.sku for one in found.variants}:
            return None
        return _receipt_of(found, ADOPTED)

    def update(self, payload: UpdateProductPayload, deadline: CallDeadline) -> Receipt:
        """Change fields of a product. Raises Stale if others changed them, Vanished."""
        changes = payload.changes
        with before_the_write():
            row = self._reader.row(payload.product_id, timeout_s=deadline.left_s)
            if row.get("structure") == wire.CHILD:
                raise base.Vanished("this is a variant, and no product")
            found = wire.product_of(row, (), self._reader.address)
            moved = differences(found, payload.expected)
            if moved:
                raise Stale(f"{', '.join(sorted(moved))} changed since it was compared", found=moved)
            differences(found, changes)  # refuses unknown fields
            body = self._body_of(changes, found, deadline)
        if not body:
            raise base.Refused("the change names no field")
        path, method = f"{PRODUCTS}{found.id}/", "PATCH"
        if "categories" in body or "images" in body:
            # PATCH only adds to them. PUT needs these two fields besides, and leaves those alone that it does not have.
            method, body = "PUT", {"product_class": row.get("product_class"), "slug": row.get("slug"), **body}
        now = self._api.send(method, path, body, timeout_s=deadline.left_s)
        after = wire.product_of(now, (), self._reader.address)
        if after.id != found.id:
            raise base.Uncertain("the shop's answer is another product")
        return Receipt(after.id, {"now": [product_state(after)]})

    def probe_update(self, payload: UpdateProductPayload) -> Receipt | None:
        """Return a receipt if the product has exactly the values that were sent. Raises Vanished."""
        found = wire.product_of(self._reader.row(payload.product_id), (), self._reader.address)
        if differences(found, payload.changes):
            return None
        return Receipt(found.id, {**ADOPTED, "now": [product_state(found)]})

    def remove(self, product_id: str, deadline: CallDeadline) -> Receipt:
        """Delete a product with its children, for good."""
        try:
            self._api.send("DELETE", f"{PRODUCTS}{wire.path_id(product_id)}/", None, timeout_s=deadline.left_s)
        except base.Vanished:
            return Receipt(product_id, {"was": "gone already"})
        return Receipt(product_id)

    def _own(self, wanted: ShopProduct, since: datetime, deadline: CallDeadline | None) -> str | None:
        """Return the id of what an earlier attempt left. Raises ProductExists for a product of somebody else.

        A SKU that another product has is found by the shop, which refuses it.
        """
        left_s = None if deadline is None else deadline.left_s
        row = self._reader.row_of_upc(wanted.key, left_s)
        if row is None:
            return None
        product_id, created = wire.id_of(row.get("id")), wire.created_of(row)
        is_own = row.get("structure") != wire.CHILD and row.get("title") == wanted.title
        if not is_own or created is None or created < since:
            raise ProductExists("the shop has a product with this UPC", product_ids=[product_id])
        return product_id

    def _post(
        self, body: Mapping[str, Any], skus: Sequence[str], deadline: CallDeadline, *, own: str = ""
    ) -> dict[str, Any]:
        """Create a product. Raises ProductExists where the shop refuses it because another has its UPC or SKU."""
        try:
            found = self._api.send("POST", PRODUCTS, body, timeout_s=deadline.left_s)
        except base.Refused as error:
            others = {found.id for one in skus for found in self._reader.find_by_sku(one)} - {own}
            if others:
                raise ProductExists(f"the shop has a product like it: {error}", product_ids=sorted(others)) from error
            raise
        if not wire.id_of(found.get("id")):
            raise base.Uncertain("the shop's answer names no product")
        return found

    def _add_children(
        self, parent: str, wanted: ShopProduct, kind: Mapping[str, Any], partner: str, deadline: CallDeadline
    ) -> None:
        there = {one.sku for one in self._reader.product(parent, timeout_s=deadline.left_s).variants}
        codes = self._attribute_codes(kind, list(wanted.variants[0].options), deadline)
        currency = self._reader.known_shop().currency
        for one in wanted.variants:
            if one.sku in there:
                continue
            body = {
                "product_class": None, "structure": wire.CHILD, "parent": int(parent), "upc": one.sku,
                "slug": _slug(one.sku), "title": one.title, "stockrecords": [_record(one, partner, currency)],
                "attributes": [{"code": codes[name], "value": value} for name, value in one.options.items()],
            }  # fmt: skip
            self._post(body, [one.sku], deadline, own=parent)

    def _attribute_codes(self, kind: Mapping[str, Any], names: Sequence[str], deadline: CallDeadline) -> dict[str, str]:
        """Return the codes of options by name. Those that the product class has not are added to it."""
        codes = {text_of(one.get("name"), 200): text_of(one.get("code"), 200)
                 for one in dicts_of(kind.get("attributes"))}  # fmt: skip
        for name in names:
            if name not in codes:
                body = {"product_class": kind["slug"], "name": name, "code": _code(name), "type": "text",
                        "required": False}  # fmt: skip
                self._api.send("POST", _ATTRIBUTES, body, timeout_s=deadline.left_s)
                codes[name] = _code(name)
        return codes

    def _product_class(self, deadline: CallDeadline, slug: str = "") -> dict[str, Any]:
        rows, _ = self._api.rows(_CLASSES, offset=0, limit=100, timeout_s=deadline.left_s)
        chosen = slug or self._api.keys.product_class
        found = next((one for one in rows if one.get("slug") and chosen in ("", one.get("slug"))), None)
        if found is None:
            raise base.Refused("the shop has no such product class")
        return found

    def _body_of(self, changes: Mapping[str, Any], found: ShopProduct, deadline: CallDeadline) -> dict[str, Any]:
        body: dict[str, Any] = {name: changes[name] for name in ("title", "description") if name in changes}
        _require_texts(str(body.get("title", "-")), str(body.get("description", "")))
        if "status" in changes:
            body["is_public"] = _is_public(ProductStatus(changes["status"]))
        if "categories" in changes:
            body["categories"] = list(changes["categories"])
        if "images" in changes:
            body["images"] = self._images(changes["images"], found.images, found.key, deadline)
        return body

    def _images(
        self, images: Sequence[ProductImage], found: Sequence[ProductImage], key: str, deadline: CallDeadline
    ) -> list[dict[str, Any]]:
        """Return images as the shop takes them: it keeps those it has by their own addresses, and fetches others."""
        if len(images) > PICTURES.most:
            raise base.Refused(f"a product has at most {PICTURES.most} images")
        known = {one.id: one for one in found} | {one.digest: one for one in found if one.digest}
        request = []
        for place, image in enumerate(images):
            digest = digest_of(image)
            own = known.get(image.id) or known.get(digest)
            if own is not None:
                one: dict[str, Any] = {"original": own.url}
            elif not digest:
                raise base.Refused("an image has no data and no digest: the shop could not be compared afterwards")
            else:
                one = {"original": self._address_of(image), "code": wire.image_code(digest, key)}
            request.append({**one, "caption": image.alt_text[: PICTURES.alt_text], "display_order": place})
        return request

    def _address_of(self, image: ProductImage) -> str:
        if not is_data_url(image.url):
            return image.url
        return self._media.publish(self._media.fit(read_data_url(image.url), PICTURES))

    def _receipt(self, product_id: str, deadline: CallDeadline) -> Receipt:
        with after_the_write():
            return _receipt_of(self._reader.product(product_id, timeout_s=deadline.left_s), {})


def _record(variant: ShopVariant, partner: str, currency: str) -> dict[str, Any]:
    record: dict[str, Any] = {
        "partner": partner, "partner_sku": variant.sku, "price_currency": currency,
        "num_in_stock": variant.on_hand or 0,
    }  # fmt: skip
    if variant.price is not None:
        record["price"] = price_text(variant.price, currency)
    return record


def _require_valid(wanted: ShopProduct, currency: str) -> None:
    """Raise Refused for a product that the shop would refuse, or store otherwise."""
    _require_texts(wanted.title, wanted.description)
    _is_public(wanted.status)
    if not 0 < len(wanted.key) <= LONGEST_KEY or wanted.key != wanted.key.strip():
        raise base.Refused(f"the key is a UPC here: 1 to {LONGEST_KEY} characters")
    variants, skus = wanted.variants, [require_sku(one.sku) for one in wanted.variants]
    if not 1 <= len(variants) <= MOST_VARIANTS or len(set(skus)) != len(skus):
        raise base.Refused(f"a product needs 1 to {MOST_VARIANTS} variants, each with a SKU of its own")
    if len({frozenset(one.options) for one in variants}) > 1 or (len(variants) > 1 and not variants[0].options):
        raise base.Refused("several variants need the same options")
    if (len(variants) > 1 or variants[0].options) and max(map(len, skus)) > LONGEST_KEY:
        raise base.Refused(f"the SKU of one variant of several is its UPC: at most {LONGEST_KEY} characters")
    for one in variants:
        _require_values(one, currency)


def _require_values(one: ShopVariant, currency: str) -> None:
    if one.price is not None:
        price_text(one.price, currency)
    if one.on_hand is not None and one.on_hand < 0:
        raise base.Refused("the stock is negative")


def _require_texts(title: str, description: str) -> None:
    if not title.strip() or title != title.strip() or len(title) > LONGEST_TITLE:
        raise base.Refused(f"a title has 1 to {LONGEST_TITLE} characters, and no blanks around them")
    if description != description.strip() or len(description) > wire.LONGEST_DESCRIPTION:
        raise base.Refused(
            f"a description has at most {wire.LONGEST_DESCRIPTION} characters, and no blanks around them"
        )


def _is_public(status: ProductStatus) -> bool:
    if status not in _PUBLIC:
        raise base.Refused(f"the shop has no products that are {status}: they are public or not")
    return _PUBLIC[status]


def _receipt_of(found: ShopProduct, more: Mapping[str, Any]) -> Receipt:
    now = [product_state(found), *(variant_state(one, found.id) for one in found.variants)]
    return Receipt(found.id, {**more, "variants": {one.sku: one.id for one in found.variants}, "now": now})


def _slug(key: str) -> str:
    return re.sub(r"[^a-z0-9_-]+", "-", key.lower()).strip("-")[:200] or "product"


def _code(name: str) -> str:
    """Return the code of an option, unique for its name: Oscar takes identifiers alone."""
    plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:60]
    return plain if plain == name.lower() else f"option_{plain}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"
