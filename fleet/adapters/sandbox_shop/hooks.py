"""The webhooks of the sandbox shop: signatures and events. Pure."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence

from fleet.adapters.shops import ShopEvent, ShopEventKind, ShopHookRules

TOLERANCE_S = 300
_STAMP = re.compile(r"[0-9]{1,12}", re.A)
_LONGEST_ID = 200


def is_genuine(secret: str, headers: Mapping[str, str], body: bytes, now_s: float) -> bool:
    """Tell whether the shop signed a body, at most five minutes ago."""
    stamp = headers.get("x-shop-timestamp", "")
    if not secret or not _STAMP.fullmatch(stamp) or abs(now_s - int(stamp)) > TOLERANCE_S:
        return False
    expected = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(f"sha256={expected}".encode(), headers.get("x-shop-signature", "").encode())


def read(_headers: Mapping[str, str], body: bytes) -> Sequence[ShopEvent]:
    """Return the event of a delivery. Raises ValueError."""
    found = json.loads(body)
    if not isinstance(found, dict) or not isinstance(found.get("id"), str) or not found["id"]:
        raise ValueError("the delivery has no id")
    named = {name: found.get(name) or "" for name in ("id", "productId", "variantId", "orderId")}
    if not all(isinstance(value, str) and len(value) <= _LONGEST_ID for value in named.values()):
        raise ValueError("an id of the delivery is no short text")
    return [
        ShopEvent(
            id=named["id"],
            kind=ShopEventKind(str(found.get("kind"))),
            product_id=named["productId"],
            variant_id=named["variantId"],
            order_id=named["orderId"],
        )
    ]


RULES = ShopHookRules(is_genuine=is_genuine, read=read)
