"""Create, change and remove products. And their probes.

A product takes several requests: it is created unseen by customers, then gets its options and variants, and is shown at
last. A write that was interrupted goes on where it ended: it finds its own product by its key.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

from fleet.adapters import base
from fleet.adapters.answers import aware, dict_of, dicts_of, missing_variants, moment_of, text_of
from fleet.adapters.base import AnyAction, Receipt
from fleet.adapters.network import ADOPTED, CallDeadline, after_the_write, before_the_write, since_of
from fleet.adapters.shops import (
    AddVariantsPayload,
    CreateProductPayload,
    ProductExists,
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
from fleet.adapters.vendure import documents, wire
from fleet.adapters.vendure.admin_api import AdminApi
from fleet.adapters.vendure.images import ImageStore
from fleet.adapters.vendure.reads import VendureReader

MOST_VARIANTS = 100
LONGEST_NAME, LONGEST_KEY = 255, 200
_KEY = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
"""Slugs that Vendure stores as they are; it rewrites others."""
_WORDS = {"title": "name", "description": "description"}
_SHOWN = {ProductStatus.ACTIVE: True, ProductStatus.DRAFT: False}


class ProductWriter:
    """The writes of products of one shop."""

    def __init__(self, api: AdminApi, reader: VendureReader, images: ImageStore) -> None:
        self._api = api
        self._reader = reader
        self._images = images

    def create(self, action: AnyAction, payload: CreateProductPayload, deadline: CallDeadline) -> Receipt:
        """Create a product, or finish it. Raises ProductExists for one of somebody else."""
        wanted = payload.product
        with before_the_write():
            _require_valid(wanted, self._reader.known_shop(deadline.left_s).currency)
            own = self._own(wanted, since_of(action, aware(action.created_at)), deadline)
            fields = self._fields(wanted.images, wanted.categories, (), deadline)
        if own is None:
            words = {"name": wanted.title, "slug": wanted.key, "description": wanted.description}
            translation = {"languageCode": self._reader.language(), **words}
            request = {"enabled": False, "translations": [translation], **fields}
            made = self._api.write(documents.CREATE_PRODUCT, {"input": request}, timeout_s=deadline.left_s)
            product_id = wire.id_of(dict_of(made).get("id"))
            if not product_id:
                raise base.Uncertain("the shop's answer names no product")
        else:
            product_id = own.id
        there = {one.sku for one in own.variants} if own is not None else set()
        missing = [one for one in wanted.variants if one.sku not in there]
        if missing:
            with self._discarding(product_id, deadline):
                self._add_variants(product_id, wanted, missing, deadline)
        if wanted.status is ProductStatus.ACTIVE and (own is None or own.status is not ProductStatus.ACTIVE):
            request = {"id": product_id, "enabled": True}
            self._api.write(documents.UPDATE_PRODUCT, {"input": request}, timeout_s=deadline.left_s)
        with after_the_write():
            return _receipt_of(self._reader.product(product_id, timeout_s=deadline.left_s), {})

    @contextmanager
    def _discarding(self, product_id: str, deadline: CallDeadline) -> Iterator[None]:
        """Remove the hidden product again if the shop refuses its variants."""
        try:
            yield
        except base.Refused:
            with suppress(base.AdapterError):
                self.remove(product_id, deadline)
            raise

    def probe_creation(
        self, action: AnyAction, payload: CreateProductPayload, since: datetime, known: frozenset[str]
    ) -> Receipt | None:
        """Return a receipt if the product is there and complete."""
        wanted = payload.product
        try:
            found = self._own(wanted, since_of(action, since), None)
        except ProductExists:
            return None  # somebody else's: the write will be refused
        if found is None or found.id in known or not _is_complete(found, wanted):
            return None
        return _receipt_of(found, ADOPTED)

    def add_variants(self, payload: AddVariantsPayload, deadline: CallDeadline) -> Receipt:
        """Add variants to a product. Raises ProductExists for a SKU of another product, Refused, Vanished."""
        with before_the_write():
            currency = self._reader.known_shop(deadline.left_s).currency
            found = self._reader.product(payload.product_id, timeout_s=deadline.left_s)
            missing = missing_variants(found, payload.variants)
            if len(found.variants) + len(missing) > MOST_VARIANTS:
                raise base.Refused(f"a product has at most {MOST_VARIANTS} variants")
            for one in missing:
                _require_variant(one, currency)
            skus = [one.sku for one in payload.variants]
            others = [one.id for one in self._reader.find_products(skus=skus, timeout_s=deadline.left_s)
                      if one.id != found.id]  # fmt: skip
            if others:
                raise ProductExists("another product of the shop has one of these SKUs", product_ids=others)
        if missing:
            self._add_options(found.id, missing, deadline)
            self._add_variants(found.id, replace(found, variants=tuple(missing)), missing, deadline)
        with after_the_write():
            return _receipt_of(self._reader.product(found.id, timeout_s=deadline.left_s), {})

    def probe_variants(self, payload: AddVariantsPayload) -> Receipt | None:
        """Return a receipt if the product has all the SKUs. Raises Vanished."""
        found = self._reader.product(payload.product_id)
        if not {one.sku for one in payload.variants} <= {one.sku for one in found.variants}:
            return None
        return _receipt_of(found, ADOPTED)

    def _add_options(self, product_id: str, variants: Sequence[ShopVariant], deadline: CallDeadline) -> None:
        """Add the values of options that a product's groups have not yet."""
        data = self._api.read(documents.CREATED, {"id": product_id}, timeout_s=deadline.left_s)
        for group in dicts_of(dict_of(data.get("product")).get("optionGroups")):
            there = {text_of(one.get("name"), 200) for one in dicts_of(group.get("options"))}
            wanted = dict.fromkeys(one.options.get(text_of(group.get("name"), 200), "") for one in variants)
            for value in wanted:
                if value and value not in there:
                    words = [{"languageCode": self._reader.language(), "name": value}]
                    request = {"productOptionGroupId": wire.id_of(group.get("id")), "code": _code(value),
                               "translations": words}  # fmt: skip
                    self._api.write(documents.CREATE_OPTION, {"input": request}, timeout_s=deadline.left_s)

    def update(self, payload: UpdateProductPayload, deadline: CallDeadline) -> Receipt:
        """Change fields of a product. Raises Stale if others changed them, Vanished."""
        changes = payload.changes
        with before_the_write():
            found = self._reader.product(payload.product_id, timeout_s=deadline.left_s)
            moved = differences(found, payload.expected)
            if moved:
                raise Stale(f"{', '.join(sorted(moved))} changed since it was compared", found=moved)
            differences(found, changes)  # refuses unknown fields
            others = self._other_facets(found.id, deadline) if "categories" in changes else ()
            request = self._fields(changes.get("images"), changes.get("categories"), others, deadline)
            words = {name: changes[field] for field, name in _WORDS.items() if field in changes}
            if words:
                _require_texts(str(words.get("name", "-")), str(words.get("description", "")))
                request["translations"] = [self._translation(found, words, deadline)]
        if "status" in changes:
            request["enabled"] = _is_shown(ProductStatus(changes["status"]))
        if not request:
            raise base.Refused("the change names no field")
        request = {"id": found.id, **request}
        self._api.write(documents.UPDATE_PRODUCT, {"input": request}, timeout_s=deadline.left_s)
        with after_the_write():
            now = self._reader.product(found.id, timeout_s=deadline.left_s)
        return Receipt(now.id, {"now": [product_state(now)]})

    def probe_update(self, payload: UpdateProductPayload) -> Receipt | None:
        """Return a receipt if the product has exactly the values that were sent. Raises Vanished."""
        found = self._reader.product(payload.product_id)
        if differences(found, payload.changes):
            return None
        return Receipt(found.id, {**ADOPTED, "now": [product_state(found)]})

    def remove(self, product_id: str, deadline: CallDeadline) -> Receipt:
        """Remove a product with its variants."""
        try:
            found = self._api.write(documents.DELETE_PRODUCT, {"id": product_id}, timeout_s=deadline.left_s)
        except base.Vanished:
            return Receipt(product_id, {"was": "gone already"})
        answer = dict_of(found)
        if answer.get("result") != "DELETED":
            raise base.Refused(text_of(answer.get("message"), 300) or "the shop did not delete the product")
        return Receipt(product_id)

    def upload(self, action: AnyAction, deadline: CallDeadline) -> dict[str, Any] | None:
        """Upload the images of a product before it is written; None without any."""
        match action.payload:
            case CreateProductPayload(product):
                images: Sequence[Any] = product.images
            case UpdateProductPayload() as update:
                images = update.changes.get("images", ())
            case _:
                images = ()
        if not images:
            return None
        ids = self._images.asset_ids(images, deadline)
        return {"assets": {digest_of(image): asset for image, asset in zip(images, ids, strict=True)}}

    def _own(self, wanted: ShopProduct, since: datetime, deadline: CallDeadline | None) -> ShopProduct | None:
        """Return what an earlier attempt left of a product. Raises ProductExists for one of somebody else."""
        left_s = None if deadline is None else deadline.left_s
        skus = [one.sku for one in wanted.variants]
        found = self._reader.find_products(skus=skus, key=wanted.key, timeout_s=left_s)
        if not found:
            return None
        own = [one for one in found if one.key == wanted.key]
        if len(found) == len(own) == 1 and self._is_own(own[0], wanted, since, left_s):
            return own[0]
        raise ProductExists("the shop has a product with this key or SKU", product_ids=[one.id for one in found])

    def _is_own(self, found: ShopProduct, wanted: ShopProduct, since: datetime, left_s: float | None) -> bool:
        if found.title != wanted.title or not {one.sku for one in found.variants} <= {
            one.sku for one in wanted.variants
        }:
            return False
        data = self._api.read(documents.CREATED, {"id": found.id}, timeout_s=left_s)
        created = moment_of(dict_of(data.get("product")).get("createdAt"))
        return created is not None and created >= since

    def _fields(
        self, images: Any, categories: Any, other_facets: Sequence[str], deadline: CallDeadline
    ) -> dict[str, Any]:
        """Return the fields of images and categories, where they are given."""
        fields: dict[str, Any] = {}
        if images is not None:
            ids = self._images.asset_ids(images, deadline)
            fields |= {"assetIds": ids, "featuredAssetId": ids[0] if ids else None}
        if categories is not None:
            fields["facetValueIds"] = [*other_facets, *self._categories(categories, deadline)]
        return fields

    def _categories(self, names: Sequence[str], deadline: CallDeadline) -> list[str]:
        """Return the ids of categories; those that the shop has not are added to its facet."""
        wanted = list(dict.fromkeys(names))
        if not wanted:
            return []
        data = self._api.read(documents.FACET, {"code": wire.CATEGORY}, timeout_s=deadline.left_s)
        facet = next((wire.id_of(one.get("id")) for one in dicts_of(dict_of(data.get("facets")).get("items"))), "")
        translation = {"languageCode": self._reader.language()}
        if not facet:
            request = {"code": wire.CATEGORY, "isPrivate": False, "translations": [{**translation, "name": "Category"}]}
            made = self._api.write(documents.CREATE_FACET, {"input": request}, timeout_s=deadline.left_s)
            facet = wire.id_of(dict_of(made).get("id"))
        data = self._api.read(documents.CATEGORIES, {"facet": facet, "names": wanted}, timeout_s=deadline.left_s)
        ids: dict[str, str] = {}
        for one in dicts_of(dict_of(data.get("facetValues")).get("items")):
            ids.setdefault(text_of(one.get("name"), 200), wire.id_of(one.get("id")))
        new = [
            {"facetId": facet, "code": _code(one), "translations": [{**translation, "name": one}]}
            for one in wanted if one not in ids
        ]  # fmt: skip
        if new:
            made = self._api.write(documents.CREATE_CATEGORIES, {"input": new}, timeout_s=deadline.left_s)
            ids |= {text_of(one.get("name"), 200): wire.id_of(one.get("id")) for one in dicts_of(made)}
        return [ids[one] for one in wanted if ids.get(one)]

    def _translation(self, found: ShopProduct, words: dict[str, Any], deadline: CallDeadline) -> dict[str, Any]:
        """Return texts in the channel's language. One that the product has not yet needs all of them, and a slug."""
        language = self._reader.language(deadline.left_s)
        data = self._api.read(documents.LANGUAGES, {"id": found.id}, timeout_s=deadline.left_s)
        languages = dicts_of(dict_of(data.get("product")).get("translations"))
        if all(one.get("languageCode") != language for one in languages):
            words = {"name": found.title, "slug": found.key, "description": found.description, **words}
        return {"languageCode": language, **words}

    def _other_facets(self, product_id: str, deadline: CallDeadline) -> list[str]:
        data = self._api.read(documents.FACET_VALUES, {"id": product_id}, timeout_s=deadline.left_s)
        values = dicts_of(dict_of(data.get("product")).get("facetValues"))
        return [wire.id_of(one.get("id")) for one in values if dict_of(one.get("facet")).get("code") != wire.CATEGORY]

    def _add_variants(
        self, product_id: str, wanted: ShopProduct, variants: Sequence[ShopVariant], deadline: CallDeadline
    ) -> None:
        location = next((one.id for one in self._reader.known_shop().locations), "")
        options = self._options(product_id, wanted, deadline)
        request = [
            {
                "productId": product_id, "sku": one.sku,
                "translations": [{"languageCode": self._reader.language(), "name": one.title or wanted.title}],
                "optionIds": [options[name, value] for name, value in one.options.items()],
                **({"price": one.price.minor} if one.price is not None else {}),
                **({"stockLevels": [{"stockLocationId": location, "stockOnHand": one.on_hand}]}
                   if one.on_hand is not None and location else {}),
            }
            for one in variants
        ]  # fmt: skip
        self._api.write(documents.CREATE_VARIANTS, {"input": request}, timeout_s=deadline.left_s)

    def _options(self, product_id: str, wanted: ShopProduct, deadline: CallDeadline) -> dict[tuple[str, str], str]:
        """Return the ids of options by the names of their group and themselves; the groups are added where missing."""
        names = list(wanted.variants[0].options)
        if not names:
            return {}
        data = self._api.read(documents.CREATED, {"id": product_id}, timeout_s=deadline.left_s)
        groups = {text_of(one.get("name"), 200): one
                  for one in dicts_of(dict_of(data.get("product")).get("optionGroups"))}  # fmt: skip
        for name in names:
            if name not in groups:
                groups[name] = self._add_group(product_id, wanted, name, deadline)
        return {
            (name, text_of(one.get("name"), 200)): wire.id_of(one.get("id"))
            for name in names for one in dicts_of(groups[name].get("options"))
        }  # fmt: skip

    def _add_group(self, product_id: str, wanted: ShopProduct, name: str, deadline: CallDeadline) -> dict[str, Any]:
        language = self._reader.language()
        values = dict.fromkeys(one.options[name] for one in wanted.variants)
        options = [{"code": _code(one), "translations": [{"languageCode": language, "name": one}]} for one in values]
        request = {
            "code": f"{wanted.key}-{_code(name)}", "translations": [{"languageCode": language, "name": name}],
            "options": options,
        }  # fmt: skip
        group = dict_of(self._api.write(documents.CREATE_GROUP, {"input": request}, timeout_s=deadline.left_s))
        variables = {"product": product_id, "group": wire.id_of(group.get("id"))}
        self._api.write(documents.ADD_GROUP, variables, timeout_s=deadline.left_s)
        return group


def _require_valid(wanted: ShopProduct, currency: str) -> None:
    """Raise Refused for a product that the shop would refuse, or store otherwise."""
    _require_texts(wanted.title, wanted.description)
    if not _KEY.fullmatch(wanted.key) or len(wanted.key) > LONGEST_KEY:
        raise base.Refused("the key must be of lower-case letters, digits and single hyphens: the shop rewrites others")
    _is_shown(wanted.status)
    variants, skus = wanted.variants, [one.sku for one in wanted.variants]
    if not 1 <= len(variants) <= MOST_VARIANTS or len(set(skus)) != len(skus) or not all(skus):
        raise base.Refused(f"a product needs 1 to {MOST_VARIANTS} variants, each with a SKU of its own")
    combinations = {tuple(sorted(one.options.items())) for one in variants}
    if len(combinations) != len(variants) or len({frozenset(one.options) for one in variants}) > 1:
        raise base.Refused("the variants need the same options, in different combinations")
    for one in variants:
        _require_variant(one, currency)


def _require_variant(one: ShopVariant, currency: str) -> None:
    if one.price is not None and (one.price.currency != currency or one.price.minor < 0):
        raise base.Refused(f"the shop's prices are in {currency}, and not negative")
    if one.on_hand is not None and one.on_hand < 0:
        raise base.Refused("the stock is negative")


def _require_texts(title: str, description: str) -> None:
    if not title.strip() or len(title) > LONGEST_NAME or len(description) > wire.LONGEST_DESCRIPTION:
        raise base.Refused(
            f"a title has 1 to {LONGEST_NAME} characters, a description at most {wire.LONGEST_DESCRIPTION}"
        )


def _is_shown(status: ProductStatus) -> bool:
    if status not in _SHOWN:
        raise base.Refused(f"the shop has no products that are {status}: it shows or hides them")
    return _SHOWN[status]


def _is_complete(found: ShopProduct, wanted: ShopProduct) -> bool:
    return found.status is wanted.status and {one.sku for one in found.variants} == {one.sku for one in wanted.variants}


def _receipt_of(found: ShopProduct, more: Any) -> Receipt:
    now = [product_state(found), *(variant_state(one, found.id) for one in found.variants)]
    return Receipt(found.id, {**more, "variants": {one.sku: one.id for one in found.variants}, "now": now})


def _code(name: str) -> str:
    """Return a code that is unique for a name: letters of other scripts fall out of it."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40]
    return f"{plain or 'x'}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
