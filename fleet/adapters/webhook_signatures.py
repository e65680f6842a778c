"""Webhooks of networks: their handshakes and signatures, as each network's documentation says (read 2026-11-22). Pure.

Signatures are of the raw body and compared in constant time. Header names come in lower case. A network sends an event
again until it is answered, so a receiver adds a job, tells repeats apart by their bodies, and works later. Handshakes
of X and LinkedIn sign texts for everybody who asks: a body that is no JSON object may be such a text.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from fleet.adapters.base import ActionType, Payload
from fleet.adapters.shops import ShopEvent, ShopEventKind, ShopHookRules

TOLERANCE_S = 300
_STAMP = re.compile(r"[0-9]{1,12}", re.A)
_LONGEST = 500
_TOKEN = re.compile(r"[A-Za-z0-9._=+/-]{1,200}", re.A)
"""What handshakes sign. Signing anything else would sign a body that somebody made up, as an answer to a handshake."""
_LONGEST_ID, _MOST_VARIANTS = 100, 1000
_SHOP_KINDS = {
    "order.": ShopEventKind.ORDER, "stock.": ShopEventKind.STOCK, "product.deleted": ShopEventKind.PRODUCT_DELETED,
    "product.": ShopEventKind.PRODUCT, "variant.": ShopEventKind.PRODUCT,
}  # fmt: skip
"""By the beginning of `type`."""
Headers = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Handshake:
    """What a network is answered when it checks that an address is ours: JSON, or a text."""

    json: Mapping[str, str] | None = None
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookRules:
    """The webhooks of a network."""

    is_genuine: Callable[[str, Headers, bytes, float], bool]
    """Returns whether the network sent a body: secret, headers, body, the time now in seconds."""
    shake: Callable[[str, Mapping[str, str]], Handshake | None]
    """Returns the answer to a handshake: secret, query. None: it is none, or not ours."""
    by_word: bool = False
    """Whether `shake` takes a word that a person entered at the network, in place of the app's secret."""


def secret_of(credentials: str) -> str:
    """Return the secret by which a network signs deliveries: `webhook_secret` of an account's credentials, else their
    `client_secret`; empty if they have neither.
    """
    try:
        found = json.loads(credentials)
    except ValueError:
        return ""
    named = (found.get(name) for name in ("webhook_secret", "client_secret")) if isinstance(found, dict) else ()
    return next((one for one in named if isinstance(one, str) and one), "")


def _mac(secret: str, text: bytes) -> bytes:
    return hmac.new(secret.encode(), text, hashlib.sha256).digest()


def _same(expected: str, given: str) -> bool:
    return hmac.compare_digest(expected.encode(), given.encode())


def _meta_genuine(secret: str, headers: Headers, body: bytes, _: float) -> bool:
    return _same(f"sha256={_mac(secret, body).hex()}", headers.get("x-hub-signature-256", ""))


def meta_shake(verify_token: str, query: Mapping[str, str]) -> Handshake | None:
    """Return the challenge of Meta; it proves itself by the word that was agreed upon, not by the app's secret."""
    is_ours = bool(verify_token) and _same(verify_token, query.get("hub.verify_token", ""))
    challenge = query.get("hub.challenge", "")[:_LONGEST]
    return Handshake(text=challenge) if is_ours and query.get("hub.mode") == "subscribe" and challenge else None


def _x_genuine(secret: str, headers: Headers, body: bytes, _: float) -> bool:
    expected = base64.b64encode(_mac(secret, body)).decode()
    return _same(f"sha256={expected}", headers.get("x-twitter-webhooks-signature", ""))


def _x_shake(secret: str, query: Mapping[str, str]) -> Handshake | None:
    token = query.get("crc_token", "")
    answer = base64.b64encode(_mac(secret, token.encode())).decode()
    return Handshake(json={"response_token": f"sha256={answer}"}) if _TOKEN.fullmatch(token) else None


def _linkedin_genuine(secret: str, headers: Headers, body: bytes, _: float) -> bool:
    return _same(_mac(secret, b"hmacsha256=" + body).hex(), headers.get("x-li-signature", ""))


def _linkedin_shake(secret: str, query: Mapping[str, str]) -> Handshake | None:
    code = query.get("challengeCode", "")
    answer = {"challengeCode": code, "challengeResponse": _mac(secret, code.encode()).hex()}
    return Handshake(json=answer) if _TOKEN.fullmatch(code) else None


def _tiktok_genuine(secret: str, headers: Headers, body: bytes, now_s: float) -> bool:
    pairs = dict(part.strip().partition("=")[::2] for part in headers.get("tiktok-signature", "")[:_LONGEST].split(","))
    stamp = pairs.get("t", "")
    if not _STAMP.fullmatch(stamp):
        return False
    is_same = _same(_mac(secret, f"{stamp}.".encode() + body).hex(), pairs.get("s", ""))
    return is_same and abs(now_s - int(stamp)) <= TOLERANCE_S


META = WebhookRules(is_genuine=_meta_genuine, shake=meta_shake, by_word=True)
X_ACTIVITY = WebhookRules(is_genuine=_x_genuine, shake=_x_shake)
LINKEDIN = WebhookRules(is_genuine=_linkedin_genuine, shake=_linkedin_shake)
TIKTOK = WebhookRules(is_genuine=_tiktok_genuine, shake=lambda _secret, _query: None)


def _shop_genuine(secret: str, headers: Headers, body: bytes, _: float) -> bool:
    return bool(secret) and _same(_mac(secret, body).hex(), headers.get("x-shop-signature", ""))


def _shop_events(_: Headers, body: bytes) -> Sequence[ShopEvent]:
    try:
        found = json.loads(body)
    except RecursionError as error:
        raise ValueError("the body is too deep") from error
    kinds = [kind for start, kind in _SHOP_KINDS.items() if str(_named(found, "type")).startswith(start)]
    if not kinds or not _named(found, "id"):
        raise ValueError("the body names no event of a shop")
    event, product, order = (_named(found, name) for name in ("id", "product", "order"))
    variants = found.get("variants")
    ids = [one for one in variants[:_MOST_VARIANTS] if isinstance(one, str)] if isinstance(variants, list) else []
    if not ids:
        return [ShopEvent(id=event, kind=kinds[0], product_id=product, order_id=order)]
    return [ShopEvent(id=f"{event}:{one[:_LONGEST_ID]}", kind=kinds[0], product_id=product,
                      variant_id=one[:_LONGEST_ID]) for one in ids]  # fmt: skip


def _named(found: object, name: str) -> str:
    value = found.get(name) if isinstance(found, dict) else None
    return value[:_LONGEST_ID] if isinstance(value, str) else ""


SHOP_PLUGIN = ShopHookRules(is_genuine=_shop_genuine, read=_shop_events)
"""Shops that send no webhooks by themselves: a plugin posts JSON (`id`, `type`, and `product`, `variants` or `order`)
with the HMAC-SHA256 of the body in hex as `x-shop-signature`. docs/shops/ has such plugins."""


@dataclass(frozen=True, slots=True)
class SubscribeHooksPayload(Payload):
    """The address at which a shop is to deliver its events. What is subscribed there already stays."""

    url: str


SUBSCRIBE_HOOKS = ActionType(
    name="subscribe_hooks", noun="subscription of webhooks", payload=SubscribeHooksPayload, is_counted=False
)
"""Of shops that take subscriptions by their API. Adapters of others do not name the operation."""
