"""What others tell us is stored once, if they can prove to be who they are, and told as an event."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from fleet.access import Via, audit
from fleet.accounts.sealing import new_key
from fleet.core import events
from fleet.core.errors import Conflict, InvalidInput
from fleet.engine import sweep
from fleet.features.webhooks import signatures
from fleet.features.webhooks.inbound import service as receiving
from fleet.features.webhooks.inbound.service import SourceFields
from fleet.features.webhooks.signatures import Scheme
from tests.factories import Fleet, make_fleet
from tests.web_client import Web

BODY = json.dumps({"id": "evt_1", "data": {"n": 1}}).encode()
SHOP = Scheme("plain", "X-Shop-Signature", "hex", "sha256=")


@pytest.fixture
def fleet(database_url: str) -> Iterator[Fleet]:
    made = make_fleet(database_url, secret_keys=new_key())
    yield made
    made.deps.close()


@pytest.fixture
def shop(web: Web) -> TestClient:
    """Somebody who tells us things."""
    return web.anonymous()


def source(web: Web, scheme: Scheme = SHOP, **more: Any) -> str:
    return receiving.create(web.deps, SourceFields("shop", scheme, **{"id_path": "id", **more}), by="test")


def mac(secret: str, text: bytes) -> bytes:
    return hmac.new(secret.encode(), text, hashlib.sha256).digest()


def plain(secret: str, body: bytes = BODY) -> dict[str, str]:
    return {"x-shop-signature": f"sha256={mac(secret, body).hex()}"}


def say(shop: TestClient, headers: dict[str, str], body: bytes = BODY, name: str = "shop") -> int:
    return int(shop.post(f"/hooks/in/{name}", content=body, headers=headers).status_code)


def heard(web: Web) -> list[dict[str, Any]]:
    with web.deps.db.transaction() as tx:
        return [dict(event.payload) for event in events.latest(tx, subjects=("hook.received",))]


def test_a_message_of_a_source_is_stored_once_and_emitted_once(web: Web, shop: TestClient) -> None:
    secret = source(web)
    assert say(shop, plain(secret)) == 202
    assert say(shop, plain(secret)) == 200
    (kept,) = receiving.history(web.deps, "shop")
    (told,) = heard(web)
    assert (kept.external_id, kept.state, kept.size_bytes) == ("evt_1", "received", len(BODY))
    assert (told["source"], told["received"], told["external_id"]) == ("shop", str(kept.id), "evt_1")
    assert receiving.body_of(web.deps, kept.id) == BODY


def test_ten_at_once_are_stored_once(web: Web, shop: TestClient) -> None:
    headers = plain(source(web))
    with ThreadPoolExecutor(10) as pool:
        answers = sorted(pool.map(lambda _: say(web.anonymous(), headers), range(10)))
    assert answers == [200] * 9 + [202]
    assert (len(receiving.history(web.deps, "shop")), len(heard(web))) == (1, 1)


def test_a_caller_without_proof_learns_nothing(web: Web, shop: TestClient) -> None:
    secret = source(web)
    receiving.create(web.deps, SourceFields("asleep", SHOP, secret=secret + "x"), by="test")
    receiving.switch(web.deps, "asleep", on=False, by="test")
    receiving.create(web.deps, SourceFields("lost", SHOP, secret=secret + "y"), by="test")
    web.fleet.sql("UPDATE hook_sources SET secret_key_id = 'gone' WHERE name = 'lost'")
    wrong = mac("another", BODY).hex()
    tries = [
        ("shop", {}), ("shop", {"x-shop-signature": ""}), ("shop", {"x-shop-signature": f"sha256={wrong}"}),
        ("shop", {"x-shop-signature": mac(secret, BODY).hex()}), ("shop", plain(secret, BODY + b" ")),
        ("shop", {"x-shop-signature": "sha256=not hex"}), ("shop", {"x-shop-signature": "sha256="}),
        ("nobody", plain(secret)), ("Shop", plain(secret)), ("asleep", plain(secret + "x")),
        ("lost", plain(secret + "y")), ("lost", {}),
    ]  # fmt: skip
    answers = [shop.post(f"/hooks/in/{name}", content=BODY, headers=headers) for name, headers in tries]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    assert heard(web) == []


def test_without_any_key_every_name_is_answered_alike(web: Web, shop: TestClient, tmp_path: Path) -> None:
    headers = plain(source(web))
    keyless = web.deps.settings.model_copy(update={"secret_keys": SecretStr(""), "home": tmp_path})
    web.app.state.deps = replace(web.deps, given=keyless)
    answers = [shop.post(f"/hooks/in/{name}", content=BODY, headers=headers) for name in ("shop", "nobody")]
    assert [answer.status_code for answer in answers] == [503, 503]


def test_an_old_or_future_stamp_is_refused_and_a_fresh_one_taken(web: Web, shop: TestClient) -> None:
    secret = source(web, Scheme("stamped", "Shop-Signature", tolerance_s=60))
    now_s = int(time.time())
    assert say(shop, {"shop-signature": signatures.signed([secret], now_s - 120, BODY)}) == 401
    assert say(shop, {"shop-signature": signatures.signed([secret], now_s + 120, BODY)}) == 401
    genuine = signatures.signed([secret], now_s, BODY)
    assert say(shop, {"shop-signature": genuine.replace(f"t={now_s}", f"t={now_s + 1}")}) == 401
    assert say(shop, {"shop-signature": genuine.partition(",")[2]}) == 401
    assert say(shop, {"shop-signature": signatures.signed(["another", secret], now_s, BODY)}) == 202
    assert say(shop, {"shop-signature": genuine}) == 200


def test_a_stamp_in_a_header_of_its_own_is_part_of_what_is_signed(web: Web, shop: TestClient) -> None:
    secret = source(web, Scheme("plain", "X-Sign", "base64", "", "X-Time", 60))
    now = str(int(time.time()))
    genuine = base64.b64encode(mac(secret, f"{now}.".encode() + BODY)).decode()
    assert say(shop, {"x-sign": genuine, "x-time": str(int(now) - 1)}) == 401
    assert say(shop, {"x-sign": genuine}) == 401
    assert say(shop, {"x-sign": base64.b64encode(mac(secret, BODY)).decode()}) == 401
    assert say(shop, {"x-sign": genuine, "x-time": now}) == 202


def test_a_huge_body_is_not_read_to_its_end(web: Web, shop: TestClient) -> None:
    secret = source(web)
    huge = b"x" * (receiving.MOST_BYTES + 1)
    assert say(shop, plain(secret, huge), huge) == 413
    full = b"x" * receiving.MOST_BYTES
    assert say(shop, plain(secret, full), full) == 202


@pytest.mark.parametrize(
    ("more", "headers", "body", "wanted"),
    [
        ({"id_header": "X-Id", "id_path": ""}, {"x-id": "abc"}, b"{}", "abc"),
        ({"id_header": "X-Id", "id_path": ""}, {}, b"{}", f"sha256:{hashlib.sha256(b'{}').hexdigest()}"),
        ({"id_path": "data.0.id"}, {}, b'{"data": [{"id": 7}]}', "7"),
        ({"id_path": "data.id"}, {}, b'{"data": {"id": true}}', None),
        ({"id_path": "id"}, {}, b"not json", None),
        ({"id_path": "id"}, {}, b"[" * 100_000, None),
        ({"id_path": "id"}, {}, b'{"id": "a\\u0000b"}', "id-"),
        ({"id_path": "id"}, {}, b'{"id": "\\ud800"}', "id-"),
        ({"id_path": "id"}, {}, json.dumps({"id": "x" * 500}).encode(), "id-"),
    ],
)
def test_the_senders_id_is_found_where_the_source_says(
    web: Web, shop: TestClient, more: dict[str, str], headers: dict[str, str], body: bytes, wanted: str | None
) -> None:
    secret = source(web, **more)
    assert say(shop, {**headers, **plain(secret, body)}, body) == 202
    (kept,) = receiving.history(web.deps, "shop")
    assert kept.external_id.startswith(wanted or "sha256:")


def test_a_page_of_another_site_cannot_speak_for_a_source(web: Web, shop: TestClient) -> None:
    headers = plain(source(web))
    assert say(shop, {**headers, "origin": "https://evil.example"}) == 403


@pytest.mark.parametrize(
    "wanted",
    [
        SourceFields("Shop", SHOP),
        SourceFields("", SHOP),
        SourceFields("a/b", SHOP),
        SourceFields("shop", Scheme("plain", "")),
        SourceFields("shop", Scheme("plain", "a b")),
        SourceFields("shop", Scheme("stamped", "X", "base64")),
        SourceFields("shop", Scheme("plain", "X", tolerance_s=0)),
        SourceFields("shop", SHOP, id_header="X", id_path="id"),
        SourceFields("shop", SHOP, id_path="a..b"),
        SourceFields("shop", SHOP, secret="short"),
        SourceFields("shop", SHOP, secret="two\nlines of it"),
    ],
    ids=repr,
)
def test_a_source_that_cannot_work_is_refused(web: Web, wanted: SourceFields) -> None:
    with pytest.raises(InvalidInput):
        receiving.create(web.deps, wanted, by="test")


def test_no_secret_is_shown_and_changes_are_audited(
    web: Web, shop: TestClient, capsys: pytest.CaptureFixture[str]
) -> None:
    with audit.acting(audit.Actor("ana", "owner", Via.SESSION)):
        first = source(web)
        second = receiving.change_secret(web.deps, "shop", by="web:ana")
        with pytest.raises(Conflict):
            source(web)
        assert say(shop, plain(first)) == 401
        assert say(shop, plain(second)) == 202
        receiving.remove(web.deps, "shop", by="web:ana")
    dump = str(web.fleet.sql("SELECT jsonb_agg(e)::text FROM events e").scalar())
    dump += str(web.fleet.sql("SELECT jsonb_agg(a)::text FROM audit a").scalar()) + "".join(capsys.readouterr())
    assert first not in dump
    assert second not in dump
    assert "hook.source.rotated" in dump
    assert "hook.source.removed" in dump


def test_what_was_received_long_ago_is_deleted(web: Web, shop: TestClient) -> None:
    secret = source(web)
    assert say(shop, plain(secret)) == 202
    web.fleet.sql("UPDATE hook_received SET received_at = received_at - interval '31 days'")
    sweep.prune(web.deps)
    assert receiving.history(web.deps, "shop") == []
    with pytest.raises(receiving.NotFound):
        receiving.body_of(web.deps, uuid.uuid4())
