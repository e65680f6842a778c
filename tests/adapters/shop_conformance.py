"""What every shop's adapter must do, against a real shop that people and customers change meanwhile.

A file of tests inherits from `ShopConformance` and gives the fixtures `opponent` (the running shop) and `adapter`.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fleet.adapters import base, registry, shops
from fleet.adapters.base import Account, Action, AnyAction, Receipt, Resolution
from fleet.adapters.http import HttpClient
from fleet.adapters.shops import (
    ADD_VARIANTS,
    CREATE_PRODUCT,
    REMOVE_PRODUCT,
    SET_STOCK,
    UPDATE_PRODUCT,
    UPDATE_VARIANTS,
    Money,
    OrderState,
    ProductExists,
    ProductImage,
    ProductStatus,
    ShopProduct,
    ShopTraits,
    ShopVariant,
    Stale,
    StockChange,
    VariantChange,
)
from fleet.features.adapters.conformance import shop_promises, suite
from fleet.images.placeholder import data_url, render_jpeg
from tests.stores import catalogue
from tests.stores.hook_inbox import HookInbox
from tests.stores.servers import Shop

NOBODY: frozenset[str] = frozenset()
TIMEOUT_S = 30.0
ACCOUNT = Account(str(uuid.uuid4()), "shop", "Shop", None)
HOSTILE = 'Lampe <b onmouseover=alert(1)>画</b> & "Söhne" \'); DROP TABLE--'


def act(kind: base.ActionType[Any], *content: Any, **payload: Any) -> AnyAction:
    """Return an action of a job that was added now."""
    return Action(kind, ACCOUNT, str(uuid.uuid4()), kind.payload(*content, **payload), datetime.now(UTC))


def is_write(method: str, options: dict[str, Any]) -> bool:
    """Say whether a request changes something at a shop: by its method, or by its GraphQL document."""
    body = options.get("json") or json.loads((options.get("form") or {}).get("operations", "{}"))
    document = body.get("query", "") if isinstance(body, dict) else ""
    if document:
        return bool(document.startswith("mutation") and not document.startswith("mutation Login"))
    return method != "GET"


@contextmanager
def losing(patch: pytest.MonkeyPatch, number: int, *, is_sent: bool = True) -> Iterator[list[str]]:
    """Lose the reply of the write with this number, from 1; or the request itself. Yields the writes that were tried.

    Every later request fails too: the process is dead.
    """
    sent: list[str] = []
    request = HttpClient.request

    def lossy(client: HttpClient, method: str, path: str, **options: Any) -> Any:
        if len(sent) >= number:
            raise base.Uncertain("the process is dead")
        if is_write(method, options):
            sent.append(f"{method} {path}")
            if len(sent) == number and not is_sent:
                raise base.Uncertain("the request was lost")
        answer = request(client, method, path, **options)
        if len(sent) == number:
            raise base.Uncertain("the reply was lost")
        return answer

    with patch.context() as local:
        local.setattr(HttpClient, "request", lossy)
        yield sent


def resolved(adapter: Any, action: AnyAction, since: datetime, *, writes: int = 3) -> Receipt:
    """Resolve a write of unknown outcome as the engine does: as the adapter declares."""
    for _ in range(writes):
        if adapter.actions[action.type.name] is Resolution.PROBE:
            found: Receipt | None = adapter.probe(action, since=since, known=NOBODY)
            if found is not None:
                return found
        receipt: Receipt = adapter.write(action, timeout_s=TIMEOUT_S)
        return receipt
    raise AssertionError("the write has no end")


def swept(adapter: Any, *, page: int = 100, between: Callable[[int], None] = lambda _: None) -> list[ShopProduct]:
    """Return all products of a sweep; `between` is called after each page."""
    found, cursor, pages = [], None, 0
    while True:
        got = adapter.products(cursor=cursor, limit=page)
        found += got.items
        cursor, pages = got.cursor, pages + 1
        if cursor is None:
            return found
        assert pages < 100
        between(pages)


def changed(adapter: Any, since: datetime) -> dict[str, ShopProduct]:
    """Return all products that changed since a time, by id."""
    found, cursor = {}, None
    while True:
        got = adapter.changed_products(since=since, cursor=cursor, limit=50)
        found |= {one.id: one for one in got.items}
        cursor = got.cursor
        if cursor is None:
            return found


def product(number: int, **changes: Any) -> ShopProduct:
    """Return a product to create, with one variant."""
    sku = f"NEW-{number}"
    variant = ShopVariant(sku=sku, price=Money(1999, "EUR"), on_hand=7)
    return replace(
        ShopProduct(key=f"new-{number}", title=f"New {number}", description="<p>Warm light.</p>", variants=(variant,)),
        **changes,
    )


def only(adapter: Any, sku: str) -> ShopProduct:
    """Return the one product with a SKU."""
    (found,) = adapter.find_products(sku=sku)
    return replace(found)


class ShopConformance:
    """The checks."""

    credentials = ""
    """Of the opponent's administrator."""

    @pytest.fixture
    def traits(self, adapter: Any) -> ShopTraits:
        """What the adapter's manifest says."""
        found = registry.get(adapter.name).shop
        assert found is not None
        return found

    # Reads

    def test_it_is_a_shop_and_its_manifest_names_its_writes(self, adapter: Any) -> None:
        assert isinstance(adapter, shops.ShopAdapter)
        assert isinstance(adapter, shops.OrderingAdapter)
        assert registry.get(adapter.name).writes == adapter.actions
        account, shop = adapter.check(timeout_s=TIMEOUT_S), adapter.shop()
        assert account.id and account.username
        assert shop.currency == "EUR" and shop.name

    def test_a_sweep_has_everything_once_as_the_shop_has_it(self, adapter: Any, opponent: Shop) -> None:
        found = swept(adapter, page=60)
        rows = {(one.id, variant.sku, one.title, variant.price, variant.on_hand)
                for one in found for variant in one.variants}  # fmt: skip
        assert rows == {(one.product_id, one.sku, one.title, Money(one.price, "EUR"), one.on_hand)
                        for one in opponent.catalogue()}  # fmt: skip
        assert len(found) == 200
        assert {one.status for one in found} == {ProductStatus.ACTIVE}
        assert all(one.updated_at is not None and one.updated_at.tzinfo is not None for one in found)

    def test_a_sweep_misses_nothing_while_products_are_added_and_removed(self, adapter: Any, opponent: Shop) -> None:
        gone = {catalogue.sku(n) for n in (*range(1, 7), *range(195, 201))}  # among the first that are read
        stays = {one.sku for one in opponent.catalogue()} - gone

        def change(pages: int) -> None:
            opponent.add_product(f"ADDED-{pages}", f"Added {pages}", 100, 1)
            for sku in gone if pages == 1 else ():
                opponent.delete_product(sku)

        found = swept(adapter, page=40, between=change)
        assert stays <= {variant.sku for one in found for variant in one.variants}

    def test_a_product_is_read_by_id_sku_and_key(self, adapter: Any, opponent: Shop) -> None:
        item = opponent.item(catalogue.sku(17))
        assert item is not None
        by_id = adapter.product(item.product_id)
        assert (by_id.title, by_id.variants[0].sku, by_id.description) == (
            item.title, item.sku, f"Description of {item.title}"
        )  # fmt: skip
        assert _timeless(only(adapter, item.sku)) == _timeless(by_id)
        (by_key,) = adapter.find_products(key=by_id.key)
        assert by_key.id == by_id.id
        assert list(adapter.find_products(sku="NO-SUCH")) == list(adapter.find_products(key="no-such")) == []

    @pytest.mark.parametrize("product_id", ["999999", "0", "-1", "x", "../1", "1/../2", "1?x=2", "", "é" * 300])
    def test_a_product_that_is_not_there_is_vanished(self, adapter: Any, product_id: str) -> None:
        with pytest.raises(base.Vanished):
            adapter.product(product_id)
        assert not adapter.stock_of([product_id])

    def test_stock_is_read_by_itself_with_what_orders_allocated(self, adapter: Any, opponent: Shop) -> None:
        opponent.set_stock(catalogue.sku(3), 9)
        opponent.place_order({catalogue.sku(3): 2})
        levels, cursor = [], None
        while True:
            page = adapter.stock(cursor=cursor, limit=90)
            levels += page.items
            cursor = page.cursor
            if cursor is None:
                break
        variants = {only(adapter, item.sku).variants[0].id: item for item in (opponent.item(catalogue.sku(3)),) if item}
        ((variant, item),) = variants.items()
        (level,) = [one for one in levels if one.variant_id == variant]
        assert (level.on_hand, level.allocated, level.available) == (item.on_hand, item.allocated, 7) == (9, 2, 7)
        assert len({one.variant_id for one in levels}) == 200
        assert [*adapter.stock_of([variant])] == [level]

    def test_orders_are_read(self, adapter: Any, opponent: Shop) -> None:
        before = datetime.now(UTC) - timedelta(minutes=2)
        opponent.set_stock(catalogue.sku(5), 10)
        placed = [opponent.place_order({catalogue.sku(5): n}) for n in (1, 2, 3)]
        found, cursor = [], None
        while True:
            page = adapter.orders(since=before, cursor=cursor, limit=2)
            found += page.items
            cursor = page.cursor
            if cursor is None:
                break
        assert {one.number for one in found} == {one.code for one in placed}
        by_number = {one.number: one for one in found}
        order = by_number[placed[2].code]
        (line,) = order.lines
        assert (line.sku, line.quantity) == (catalogue.sku(5), 3)
        assert line.variant_id == only(adapter, catalogue.sku(5)).variants[0].id
        assert order.total.currency == "EUR" and order.total.minor >= 3 * line.unit_price.minor > 0
        assert order.state in (OrderState.PENDING, OrderState.CONFIRMED)
        assert (order.customer.email, order.customer.country) == ("ada@example.org", "DE")
        assert adapter.order(order.id) == order
        assert not adapter.orders(since=datetime.now(UTC) + timedelta(hours=1), cursor=None, limit=10).items
        with pytest.raises(base.Vanished):
            adapter.order("999999")

    def test_changes_of_the_same_second_are_seen(self, adapter: Any, opponent: Shop, traits: ShopTraits) -> None:
        if not isinstance(adapter, shops.ChangesAdapter):
            pytest.skip("it tells no changes")
        for n in range(2):
            since = datetime.now(UTC)
            before = changed(adapter, since)  # by other tests, in the seconds by which a cursor overlaps
            opponent.add_product(f"NOW-{n}", f"Now {n}", 100, 1)
            sku = catalogue.sku(10 + n)
            opponent.set_title(sku, f"Edited {n}")
            opponent.set_price(catalogue.sku(20 + n), 4242 + n)
            after = changed(adapter, since)
            found = {variant.sku: one for one in after.values() for variant in one.variants}
            assert {f"NOW-{n}", sku, catalogue.sku(20 + n)} <= set(found)
            assert found[sku].title == f"Edited {n}"
            assert found[catalogue.sku(20 + n)].variants[0].price == Money(4242 + n, "EUR")
            assert len(after.keys() - before.keys()) <= 3

    # Writes

    def test_stock_is_set_and_read_back(self, adapter: Any, opponent: Shop, traits: ShopTraits) -> None:
        numbers = (30, 31)[: traits.batch]
        products = [only(adapter, catalogue.sku(n)) for n in numbers]
        action = act(SET_STOCK, tuple(_stock(one, 40 + n) for n, one in zip(numbers, products, strict=True)))
        for _ in range(2):
            receipt = adapter.write(action, timeout_s=TIMEOUT_S)
            assert [one["on_hand"] for one in receipt.detail["now"]] == [40 + n for n in numbers]
        assert {one.on_hand for one in opponent.catalogue() if one.sku in map(catalogue.sku, numbers)} == {
            40 + n for n in numbers
        }
        now = {one["variant_id"]: one for one in receipt.detail["now"]}
        for (variant,) in (adapter.product(one.id).variants for one in products):
            assert variant.updated_at.isoformat() == now[variant.id]["updated_at"], "its own echo is told apart"
        assert adapter.probe(action, since=datetime.now(UTC), known=NOBODY) is not None
        opponent.set_stock(catalogue.sku(numbers[-1]), 5)
        assert adapter.probe(action, since=datetime.now(UTC), known=NOBODY) is None

    def test_a_write_is_refused_if_the_value_changed_since(self, adapter: Any, opponent: Shop) -> None:
        found = only(adapter, catalogue.sku(33))
        variant = found.variants[0]
        opponent.set_stock(catalogue.sku(33), 3)
        opponent.set_price(catalogue.sku(33), 333)
        opponent.set_title(catalogue.sku(33), "By hand")
        stock = replace(_stock(found, 50), expected=variant.on_hand)
        price = VariantChange(variant_id=variant.id, product_id=found.id, price=Money(1, "EUR"),
                              expected_price=variant.price)  # fmt: skip
        title = {"product_id": found.id, "changes": {"title": "Ours"}, "expected": {"title": found.title}}
        for action, value in (
            (act(SET_STOCK, (stock,)), {variant.id: 3}),
            (act(UPDATE_VARIANTS, (price,)), {variant.id: Money(333, "EUR")}),
            (act(UPDATE_PRODUCT, **title), {"title": "By hand"}),
        ):
            with pytest.raises(Stale) as raised:
                adapter.write(action, timeout_s=TIMEOUT_S)
            assert raised.value.found == value
        item = opponent.item(catalogue.sku(33))
        assert item is not None and (item.on_hand, item.price, item.title) == (3, 333, "By hand")
        adapter.write(act(SET_STOCK, (replace(stock, expected=3),)), timeout_s=TIMEOUT_S)
        assert adapter.product(found.id).variants[0].on_hand == 50

    def test_prices_are_written_exactly(self, adapter: Any, opponent: Shop) -> None:
        found = only(adapter, catalogue.sku(40))
        for minor in (1, 10, 1999, 1_234_567):
            change = VariantChange(variant_id=found.variants[0].id, product_id=found.id, price=Money(minor, "EUR"))
            action = act(UPDATE_VARIANTS, (change,))
            (now,) = adapter.write(action, timeout_s=TIMEOUT_S).detail["now"]
            assert (now["price"], now["currency"]) == (minor, "EUR")
            item = opponent.item(catalogue.sku(40))
            assert item is not None and item.price == minor
            assert adapter.probe(action, since=datetime.now(UTC), known=NOBODY) is not None
        for price in (Money(5, "USD"), Money(-5, "EUR")):
            with pytest.raises(base.Refused):
                adapter.write(act(UPDATE_VARIANTS, (replace(change, price=price),)), timeout_s=TIMEOUT_S)

    def test_a_batch_with_a_variant_that_is_gone(self, adapter: Any, opponent: Shop, traits: ShopTraits) -> None:
        products = [only(adapter, catalogue.sku(n)) for n in range(50, 50 + min(4, traits.batch))]
        gone = StockChange(variant_id="999999", product_id="999999", quantity=1, stock_item_id="999999")
        changes = [*(_stock(one, 7777) for one in products), gone][-traits.batch :]
        with pytest.raises((base.Vanished, base.Refused)):
            adapter.write(act(SET_STOCK, tuple(changes)), timeout_s=TIMEOUT_S)
        if traits.is_batch_atomic:
            assert all(one.on_hand != 7777 for one in opponent.catalogue())
        with pytest.raises(base.Refused):
            adapter.write(act(SET_STOCK, (changes[-1],) * (traits.batch + 1)), timeout_s=TIMEOUT_S)

    def test_fields_of_a_product_are_changed_and_others_stay(
        self, adapter: Any, opponent: Shop, traits: ShopTraits
    ) -> None:
        before = only(adapter, catalogue.sku(60))
        changes: dict[str, Any] = {"title": HOSTILE, "description": f"<p>{HOSTILE}</p>", "status": ProductStatus.DRAFT,
                                   "categories": ("Lamps", "Küche")}  # fmt: skip
        changes = {name: value for name, value in changes.items() if name in traits.fields}
        for name, value in changes.items():
            action = act(UPDATE_PRODUCT, before.id, {name: value}, {name: getattr(before, name)})
            (now,) = adapter.write(action, timeout_s=TIMEOUT_S).detail["now"]
            after = adapter.product(before.id)
            assert _timeless(after) == _timeless(replace(before, **{name: _sorted(value)}))
            assert now == shops.product_state(after)
            assert adapter.probe(action, since=datetime.now(UTC), known=NOBODY) is not None
            before = after
        item = opponent.item(catalogue.sku(60))
        assert item is not None and item.title == HOSTILE
        with pytest.raises(base.Refused):
            adapter.write(act(UPDATE_PRODUCT, before.id, {"colour": "red"}), timeout_s=TIMEOUT_S)
        with pytest.raises(base.Vanished):
            adapter.write(act(UPDATE_PRODUCT, "999999", {"title": "x"}), timeout_s=TIMEOUT_S)

    def test_a_product_is_created_with_options(self, adapter: Any, traits: ShopTraits) -> None:
        sizes = tuple(
            ShopVariant(sku=f"SHIRT-{size}", title=f"Shirt {size}", options={"Size": size, "Colour": "Blue"},
                        price=Money(2500 + n, "EUR"), on_hand=n)
            for n, size in enumerate(("S", "M", "L"))
        )  # fmt: skip
        wanted = product(1, title=HOSTILE, variants=sizes, categories=("Clothes",))
        action = act(CREATE_PRODUCT, wanted)
        receipt = adapter.write(action, timeout_s=TIMEOUT_S)
        found = adapter.product(receipt.remote_id)
        assert (found.key, found.title, found.description, found.status, found.categories) == (
            wanted.key, wanted.title, wanted.description, wanted.status, wanted.categories
        )  # fmt: skip
        assert [(one.sku, one.options, one.price, one.on_hand) for one in found.variants] == [
            (one.sku, one.options, one.price, one.on_hand) for one in sizes
        ]
        assert receipt.detail["variants"] == {one.sku: one.id for one in found.variants}
        again = adapter.probe(action, since=datetime.now(UTC), known=NOBODY)
        assert again is not None and again.remote_id == receipt.remote_id
        assert adapter.probe(action, since=datetime.now(UTC), known=frozenset({receipt.remote_id})) is None
        assert _timeless(only(adapter, "SHIRT-M")) == _timeless(found)

    def test_a_product_of_somebody_else_is_not_doubled(self, adapter: Any, opponent: Shop) -> None:
        before = opponent.catalogue()
        other = only(adapter, catalogue.sku(70))
        taken = replace(product(2).variants[0], sku=catalogue.sku(70))
        several = tuple(replace(taken, sku=sku, options={"Size": sku}) for sku in ("FREE", taken.sku))
        for wanted in (product(2, variants=(taken,)), product(2, key=other.key), product(2, variants=several)):
            action = act(CREATE_PRODUCT, wanted)
            assert adapter.probe(action, since=datetime.now(UTC), known=NOBODY) is None
            with pytest.raises(ProductExists) as raised:
                adapter.write(action, timeout_s=TIMEOUT_S)
            assert raised.value.product_ids == (other.id,)
        assert opponent.catalogue() == before

    def test_variants_are_added_once_to_a_product_with_options(
        self, adapter: Any, monkeypatch: pytest.MonkeyPatch, opponent: Shop
    ) -> None:  # fmt: skip
        if ADD_VARIANTS.name not in adapter.actions:
            pytest.skip("its shop takes no new variants")
        first = ShopVariant(sku="NEW-S", options={"Size": "S"}, price=Money(1999, "EUR"), on_hand=7)
        made = adapter.write(act(CREATE_PRODUCT, product(1, variants=(first,))), timeout_s=TIMEOUT_S)
        others = tuple(replace(first, sku=f"NEW-{size}", options={"Size": size}, on_hand=number)
                       for number, size in enumerate(("M", "L"), 1))  # fmt: skip
        action = act(ADD_VARIANTS, made.remote_id, others)
        since = datetime.now(UTC)
        assert adapter.probe(action, since=since, known=NOBODY) is None
        for number in (1, 2):  # the reply of each request is lost once; then it is there, and is not doubled
            with losing(monkeypatch, number), suppress(base.AdapterError):
                adapter.write(action, timeout_s=TIMEOUT_S)
            receipt = resolved(adapter, action, since)
        assert receipt.remote_id == made.remote_id and set(receipt.detail["variants"]) == {"NEW-S", "NEW-M", "NEW-L"}
        found = adapter.product(made.remote_id)
        assert {one.sku: (dict(one.options), one.price, one.on_hand) for one in found.variants} == {
            "NEW-S": ({"Size": "S"}, Money(1999, "EUR"), 7), "NEW-M": ({"Size": "M"}, Money(1999, "EUR"), 1),
            "NEW-L": ({"Size": "L"}, Money(1999, "EUR"), 2),
        }  # fmt: skip
        taken = replace(first, sku=catalogue.sku(3), options={"Size": "XL"})
        for variant in (taken, replace(first, sku="NEW-X"), replace(first, sku="NEW-Y", options={"Colour": "red"})):
            with pytest.raises(base.Refused):
                adapter.write(act(ADD_VARIANTS, made.remote_id, (variant,)), timeout_s=TIMEOUT_S)
        plain = only(adapter, catalogue.sku(1))
        with pytest.raises(base.Refused):
            adapter.write(act(ADD_VARIANTS, plain.id, (replace(first, sku="NEW-Z"),)), timeout_s=TIMEOUT_S)
        with pytest.raises(base.Vanished):
            adapter.write(act(ADD_VARIANTS, "999999", (replace(first, sku="NEW-Z"),)), timeout_s=TIMEOUT_S)
        assert len(adapter.product(made.remote_id).variants) == 3

    @pytest.mark.parametrize("is_sent", [True, False])
    def test_a_creation_that_is_cut_off_anywhere_makes_one_product(
        self, adapter: Any, traits: ShopTraits, monkeypatch: pytest.MonkeyPatch, is_sent: bool
    ) -> None:
        for number in range(1, 20):
            options = {"Size": "M"} if number % 2 else {}
            variant = ShopVariant(sku=f"CUT-{number}", price=Money(500, "EUR"), on_hand=2, options=options)
            wanted = product(number, key=f"cut-{number}", variants=(variant,), categories=(f"Cut {number}",))
            action = act(CREATE_PRODUCT, wanted)
            since = datetime.now(UTC)
            lost = suppress(base.Uncertain, base.Unreachable)
            with lost, losing(monkeypatch, number, is_sent=is_sent) as sent:
                adapter.write(action, timeout_s=TIMEOUT_S)
            receipt = resolved(adapter, action, since)
            found = only(adapter, f"CUT-{number}")
            assert found.id == receipt.remote_id
            assert (found.status, found.key, found.variants[0].on_hand) == (ProductStatus.ACTIVE, wanted.key, 2)
            assert [one.id for one in adapter.find_products(key=wanted.key)] == [found.id]
            if len(sent) < number:
                return
        raise AssertionError("a creation takes too many requests")

    def test_a_lost_reply_of_a_change_is_found(
        self, adapter: Any, opponent: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        found = only(adapter, catalogue.sku(80))
        change = VariantChange(variant_id=found.variants[0].id, product_id=found.id, price=Money(8080, "EUR"))
        for action in (
            act(SET_STOCK, (_stock(found, 88),)),
            act(UPDATE_VARIANTS, (change,)),
            act(UPDATE_PRODUCT, found.id, {"title": "Lost and found"}),
            act(REMOVE_PRODUCT, found.id),
        ):
            since = datetime.now(UTC)
            if adapter.actions[action.type.name] is Resolution.PROBE:
                assert adapter.probe(action, since=since, known=NOBODY) is None
            with losing(monkeypatch, 1) as sent, pytest.raises(base.Uncertain):
                adapter.write(action, timeout_s=TIMEOUT_S)
            assert len(sent) == 1
            assert resolved(adapter, action, since).remote_id in (found.id, found.variants[0].id)
        assert opponent.item(catalogue.sku(80)) is None

    def test_a_removed_product_is_vanished(self, adapter: Any, opponent: Shop) -> None:
        found = only(adapter, catalogue.sku(90))
        for _ in range(2):
            assert adapter.write(act(REMOVE_PRODUCT, found.id), timeout_s=TIMEOUT_S).remote_id == found.id
        assert opponent.item(catalogue.sku(90)) is None
        for call in (
            lambda: adapter.product(found.id),
            lambda: adapter.write(act(SET_STOCK, (_stock(found, 1),)), timeout_s=TIMEOUT_S),
            lambda: adapter.write(act(UPDATE_PRODUCT, found.id, {"title": "x"}), timeout_s=TIMEOUT_S),
        ):
            with pytest.raises(base.Vanished):
                call()
        assert not adapter.find_products(sku=catalogue.sku(90))
        assert len({one.id for one in swept(adapter)}) == 199

    def test_it_keeps_the_promises_of_the_suite_for_strangers(
        self, adapter: Any, opponent: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        opponent.reset(0)
        monkeypatch.setattr(shop_promises, "SLOWEST_S", 0.3)
        results = list(suite.run(registry.get(adapter.name), opponent.url, self.credentials))
        assert {one.promise: one.why for one in results if one.verdict is not suite.PromiseVerdict.PASSED} == {}
        assert not opponent.catalogue(), "it leaves nothing behind"

    # Webhooks

    def test_webhooks_are_verified_and_read(self, adapter: Any, opponent: Shop, traits: ShopTraits) -> None:
        rules = traits.webhooks
        assert rules is not None
        found = only(adapter, catalogue.sku(95))
        with HookInbox() as inbox:
            opponent.set_hooks(inbox.url, inbox.secret)
            opponent.set_stock(catalogue.sku(95), 55)
            opponent.set_title(catalogue.sku(95), "Hooked")
            order = opponent.place_order({catalogue.sku(95): 1})
            opponent.delete_product(catalogue.sku(95))
            events = [inbox.wait_for(kind) for kind in (
                "stock.changed", "product.updated", "order.placed", "product.deleted"
            )]  # fmt: skip
            opponent.set_hooks(None)
        read = [rules.read({}, json.dumps(one).encode())[0] for one in events]
        assert [one.kind.value for one in read] == ["stock", "product", "order", "product_deleted"]
        assert read[0].variant_id == found.variants[0].id or read[0].product_id == found.id
        assert read[1].product_id == read[3].product_id == found.id
        assert adapter.order(read[2].order_id).number == order.code
        body = json.dumps(events[0]).encode()
        good = {"x-shop-signature": hashlib.sha256(body).hexdigest()}
        assert not rules.is_genuine(inbox.secret, good, body, 0.0)
        for wrong in (b"", b"[]", b"{}", b'{"id": 1, "type": "stock.changed"}', b"[" * 100_000, b"\xff"):
            with pytest.raises(ValueError):
                rules.read({}, wrong)


def picture(text: str) -> ProductImage:
    """Return a picture to upload."""
    url = data_url(render_jpeg(text, "ai_artist"))
    return ProductImage(url=url)


def _stock(found: ShopProduct, quantity: int) -> StockChange:
    variant = found.variants[0]
    return StockChange(variant_id=variant.id, product_id=found.id, quantity=quantity,
                       stock_item_id=variant.stock_item_id)  # fmt: skip


def _timeless(found: ShopProduct) -> ShopProduct:
    variants = tuple(replace(one, updated_at=None) for one in found.variants)
    return replace(found, updated_at=None, variants=variants)


def _sorted(value: Any) -> Any:
    return tuple(sorted(value)) if isinstance(value, tuple) else value
