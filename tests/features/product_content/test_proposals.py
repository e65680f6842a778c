"""Texts of products: written by a job, proposed, and put into the catalogue when people approve them."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from fleet.adapters.shops import ProductImage
from fleet.core.errors import Conflict
from fleet.features.approvals import service as approvals
from fleet.features.approvals.models import RequestRow
from fleet.features.approvals.rules import Person
from fleet.features.product_content import service
from fleet.features.products import service as products
from fleet.llm.base import ProductRequest, ProductWords, Usage
from tests.factories import Words
from tests.features.stores.world import StoreWorld

ANA = Person("ana", frozenset({"owner"}))
GOOD = "A cup of clay in blue."


@pytest.fixture
def cup(stores: StoreWorld) -> uuid.UUID:
    """A product at the store: a clay cup with a picture, and no description."""
    stores.shop.add("cup", on_hand=1)
    stores.sync()
    stores.change_product("Cup", attributes={"Material": "clay", "Colour": "blue"}, description="",
                          images=(ProductImage("http://127.0.0.1:9/cup.png"),))  # fmt: skip
    return stores.products()["Cup"].id


def say(words: Callable[[ProductRequest], ProductWords], monkeypatch: pytest.MonkeyPatch) -> list[ProductRequest]:
    """Let the model say something; return what it is asked."""
    asked: list[ProductRequest] = []

    def describe(_: Words, request: ProductRequest, dice: random.Random) -> tuple[ProductWords, Usage]:
        del dice
        asked.append(request)
        return words(request), Usage("test", "1", input_tokens=10, microusd=3)

    monkeypatch.setattr(Words, "describe", describe)
    return asked


def written(stores: StoreWorld, cup: uuid.UUID) -> RequestRow:
    (job_id,) = service.request(stores.fleet.deps, "shop", [cup], by="tests")
    stores.work()
    assert stores.fleet.job(job_id).state == "done", stores.fleet.job(job_id)
    with stores.fleet.deps.db.transaction() as tx:
        return tx.session.scalars(sa.select(RequestRow).where(RequestRow.resource == "product_content")).one()


def test_approved_texts_change_the_catalogue(
    stores: StoreWorld, cup: uuid.UUID, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    asked = say(lambda _: ProductWords("Cup", GOOD, ("A clay cup",)), monkeypatch)
    request = written(stores, cup)
    assert len(asked) == 1
    assert ("Material", "clay") in asked[0].facts
    assert "unsupported" not in request.payload
    assert stores.products()["Cup"].description == ""  # nothing changes before a decision
    with stores.fleet.deps.db.transaction() as tx:
        (gap,) = service.listed(stores.fleet.deps, tx, "shop", limit=10)
        assert (gap.product_id, gap.request_id) == (cup, request.id)
    (result,) = approvals.approve(stores.fleet.deps, [request.id], ANA)
    assert result.error is None
    changed = stores.products()["Cup"]
    assert GOOD in changed.description
    assert changed.images[0]["alt_text"] == "A clay cup"
    assert changed.origins["description"]["from"].startswith("agent:")


def test_claims_are_marked_and_refused_ones_never_shown(
    stores: StoreWorld, cup: uuid.UUID, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    asked = say(lambda _: ProductWords("Cup", "A cup of steel that cures colds.", ("A cup",)), monkeypatch)
    request = written(stores, cup)
    assert len(asked) == 2  # it was asked again, with what was wrong
    assert set(asked[1].refused) == {"steel", "cures"}
    assert "cures" not in request.payload["description"]
    assert "clay" in request.payload["description"]  # the facts as they are
    assert request.facts["by"] == "offline/grammar-1"


def test_a_claim_that_people_may_know_is_marked(
    stores: StoreWorld, cup: uuid.UUID, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    say(lambda _: ProductWords("Cup", "A cup of steel.", ("A cup",)), monkeypatch)
    request = written(stores, cup)
    assert request.payload["unsupported"] == [{"kind": "material", "words": "steel"}]
    amended = approvals.edit(stores.fleet.deps, request.id, {**request.payload, "description": "A clay cup."}, ANA)
    assert amended is not None
    with stores.fleet.deps.db.transaction() as tx:
        assert "unsupported" not in tx.session.get_one(RequestRow, request.id).payload


def test_texts_that_changed_meanwhile_are_not_overwritten(
    stores: StoreWorld, cup: uuid.UUID, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    say(lambda _: ProductWords("Cup", GOOD, ("A cup",)), monkeypatch)
    request = written(stores, cup)
    with stores.fleet.deps.db.transaction() as tx:
        products.change(tx, cup, {"description": "By hand."}, origin="user:ana")
    (result,) = approvals.approve(stores.fleet.deps, [request.id], ANA)
    assert isinstance(result.error, Conflict)
    assert stores.products()["Cup"].description == "By hand."


def test_a_sync_has_gaps_written_only_where_it_is_switched_on(
    stores: StoreWorld, cup: uuid.UUID, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    asked = say(lambda _: ProductWords("Cup", GOOD, ("A cup",)), monkeypatch)
    stores.sync()
    assert asked == []
    stores.setting("product_content_mode", "propose")
    stores.sync()
    stores.sync()
    assert len(asked) == 1  # once in 30 days
    stores.setting("product_content_mode", "off")
    with pytest.raises(Conflict):
        service.request(stores.fleet.deps, "shop", [cup], by="tests")
