"""Signatures: how Fleet signs, and how it checks those of sources. HMAC-SHA256 everywhere. Pure.

Comparisons take constant time, and a wrong signature gets the same response as a missing or late one.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

OURS = "Fleet-Signature"
_MOST_SIGNATURES = 10
_SECONDS = re.compile(r"[0-9]{1,12}", re.A)


def signed(secrets: Iterable[str], timestamp_s: int, body: bytes) -> str:
    """Return the value of Fleet-Signature: the time, and a signature for each secret that is valid now."""
    return ",".join([f"t={timestamp_s}", *(f"v1={_mac(one, _stamped(timestamp_s, body)).hex()}" for one in secrets)])


@dataclass(frozen=True, slots=True)
class Scheme:
    """The signature scheme of a source.

    `plain`: the header holds a prefix and the signature of the body, or of `timestamp.body` where another header holds
    the time. `stamped`: the header holds `t=<seconds>,v1=<signature>`, as Fleet's does and as payment companies use.
    """

    form: Literal["plain", "stamped"]
    header: str
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = ""
    timestamp_header: str = ""
    tolerance_s: int = 300


def is_genuine(scheme: Scheme, secret: str, headers: Mapping[str, str], body: bytes, *, now_s: float) -> bool:
    """Return whether a source with this secret sent the body, recently where the scheme includes the time.

    `headers` have names in lower case.
    """
    stamp, given = _parts(scheme, headers)
    is_late = stamp is not None and not abs(now_s - stamp) <= scheme.tolerance_s
    wanted = _mac(secret, body if stamp is None else _stamped(stamp, body))
    # Each is compared, and the time is checked at the end, so that the duration of a refusal reveals nothing.
    found = [hmac.compare_digest(wanted, one) for one in given]
    needs_stamp = scheme.form == "stamped" or bool(scheme.timestamp_header)
    return any(found) and not is_late and not (needs_stamp and stamp is None)


def _parts(scheme: Scheme, headers: Mapping[str, str]) -> tuple[int | None, Sequence[bytes]]:
    """Return the time and the signatures in the headers; empty if they cannot be parsed."""
    value = headers.get(scheme.header.lower(), "")
    if scheme.form == "stamped":
        pairs = [part.strip().partition("=") for part in value.split(",")[: _MOST_SIGNATURES + 1]]
        stamps = [one for name, _, one in pairs if name == "t"]
        return _seconds(stamps[0] if stamps else ""), [_read(scheme, one) for name, _, one in pairs if name == "v1"]
    stamp = _seconds(headers.get(scheme.timestamp_header.lower(), "")) if scheme.timestamp_header else None
    if not value.startswith(scheme.prefix):
        return stamp, ()
    return stamp, (_read(scheme, value.removeprefix(scheme.prefix).strip()),)


def _seconds(text: str) -> int | None:
    return int(text) if _SECONDS.fullmatch(text) else None


def _read(scheme: Scheme, text: str) -> bytes:
    try:
        if scheme.encoding == "hex":
            return bytes.fromhex(text)
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return b""


def _stamped(timestamp_s: int, body: bytes) -> bytes:
    return b"%d." % timestamp_s + body


def _mac(secret: str, text: bytes) -> bytes:
    return hmac.new(secret.encode(), text, hashlib.sha256).digest()
