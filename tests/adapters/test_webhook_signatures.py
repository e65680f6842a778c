"""Webhooks of networks: genuine bodies and handshakes, against values that openssl computed."""

from __future__ import annotations

import pytest

from fleet.adapters import registry
from fleet.adapters.webhook_signatures import Handshake, meta_shake

WEBHOOKS = {name: rules for name in registry.names() if (rules := registry.get(name).webhooks) is not None}
SECRET, NOW = "secret-of-the-app", 1_795_000_000
BODY = b'{"id":"1","text":"lamp"}'
HEADERS = {
    "facebook": ("x-hub-signature-256", "sha256=f42cb18aded016b3c6af037120aec42a93da46a5949ed12d26afc665243fce22"),
    "instagram": ("x-hub-signature-256", "sha256=f42cb18aded016b3c6af037120aec42a93da46a5949ed12d26afc665243fce22"),
    "x": ("x-twitter-webhooks-signature", "sha256=9Cyxit7QFrPGrwNxIK7EKpPaRqWUntEtJq/GZSQ/ziI="),
    "linkedin": ("x-li-signature", "d52bdbfb51931b985d954133631119bdd7a8690eeceb8333192ca3e4e953a133"),
    "tiktok": ("tiktok-signature",
               "t=1795000000,s=0daf4fd2d499948a54a840cbd2397e60c6a3e5bf7466072fa8acdfe5392e11f3"),
}  # fmt: skip


@pytest.mark.parametrize("network", WEBHOOKS)
def test_only_an_unchanged_body_with_the_right_signature_is_genuine(network: str) -> None:
    is_genuine = WEBHOOKS[network].is_genuine
    header, value = HEADERS[network]
    assert is_genuine(SECRET, {header: value}, BODY, NOW + 10)
    assert not is_genuine(SECRET, {header: value}, BODY + b" ", NOW)
    assert not is_genuine("another secret", {header: value}, BODY, NOW)
    for wrong in ("", "sha256=", value.upper(), value[:-1], "é" * 40, "t=,s=", "t=1795000000"):
        assert not is_genuine(SECRET, {header: wrong}, BODY, NOW)
    assert not is_genuine(SECRET, {}, BODY, NOW)


def test_an_old_event_of_tiktok_is_not_genuine() -> None:
    header, value = HEADERS["tiktok"]
    assert not WEBHOOKS["tiktok"].is_genuine(SECRET, {header: value}, BODY, NOW + 301)


def test_handshakes_are_answered_and_nothing_else_is_signed() -> None:
    asked = {"hub.mode": "subscribe", "hub.verify_token": "our-word", "hub.challenge": "1158201444"}
    assert meta_shake("our-word", asked) == Handshake(text="1158201444")
    assert meta_shake("", {**asked, "hub.verify_token": ""}) is None
    assert meta_shake("other", asked) is None
    answer = WEBHOOKS["x"].shake(SECRET, {"crc_token": "crc-1"})
    assert answer == Handshake(json={"response_token": "sha256=yGlYJMZPaErojYBgFQjNK/du3HZzoH0O3MYonS7Hc/8="})
    answer = WEBHOOKS["linkedin"].shake(SECRET, {"challengeCode": "code-1"})
    response = "696a4acebdb0d8adb5a23923ead5b2f9330d66664f0d74e6af08b49483a95d01"
    assert answer == Handshake(json={"challengeCode": "code-1", "challengeResponse": response})
    for network, name in (("x", "crc_token"), ("linkedin", "challengeCode")):
        assert WEBHOOKS[network].shake(SECRET, {name: BODY.decode()}) is None  # else the answer would sign a body
        assert WEBHOOKS[network].shake(SECRET, {}) is None
    assert WEBHOOKS["tiktok"].shake(SECRET, {}) is None
