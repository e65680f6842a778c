"""`fleet up --faults SPEC`: have the sandbox gallery misbehave, to see that nothing is lost or done twice.

A spec is a list of RATE by kind, such as `error=0.05,drop=0.02,latency=0.3:500`, and optionally `match=/api/*`,
`limit=20`, `seed=3`. The gallery's control endpoint carries it out.
"""

from __future__ import annotations

import json
import urllib.error
from collections.abc import Callable
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

from fleet.core.errors import InvalidInput, Unavailable

_FIX = "Write for example error=0.05,drop=0.02,too_many=0.1,duplicate=0.02,latency=0.3:500."


Rule = dict[str, Any]
"""A rule in the gallery's own terms, see `fleet.sandbox.gallery.faults.FaultRule`."""


def parse(spec: str) -> Rule | None:
    """Return the rule that a spec describes; None for an empty one. Raises InvalidInput."""
    values: Rule = {}
    for part in filter(None, (piece.strip() for piece in spec.split(","))):
        name, _, value = part.partition("=")
        read = _READ.get(name)
        if read is None:
            raise InvalidInput(f"There is no fault {name!r}.", fix=f"Known: {', '.join(_READ)}. {_FIX}")
        try:
            values |= read(value)
        except ValueError:
            raise InvalidInput(f"{part!r} is no fault with its rate from 0 to 1.", fix=_FIX) from None
    rates = sum(values.get(f"{kind}_rate", 0.0) for kind in ("error", "drop", "too_many", "duplicate"))
    if rates > 1:
        raise InvalidInput(f"The rates add up to {rates:g}; 1 is the most.", fix=_FIX)
    return values or None


def play(gallery_url: str, token: str, rule: Rule) -> None:
    """Switch the rule on in a running gallery. Raises Unavailable, InvalidInput when it refuses the rule."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    asked = Request(  # noqa: S310 - the address of our own gallery
        f"{gallery_url}/api/sandbox/faults", json.dumps([rule]).encode(), headers, method="PUT"
    )
    try:
        build_opener(ProxyHandler({})).open(asked, timeout=10).close()
    except urllib.error.HTTPError as error:
        words = error.read(200).decode(errors="replace")
        raise InvalidInput(f"The gallery refuses these faults ({error.code} {words}).", fix=_FIX) from error
    except OSError as error:
        raise Unavailable(f"The gallery does not accept faults ({error}).") from error


def _rate(kind: str) -> Callable[[str], Rule]:
    return lambda value: {f"{kind}_rate": _between_0_and_1(value)}


def _between_0_and_1(value: str) -> float:
    rate = float(value)
    if not 0 <= rate <= 1:
        raise ValueError(value)
    return rate


def _latency(value: str) -> Rule:
    rate, _, milliseconds = value.partition(":")
    return {"latency_rate": _between_0_and_1(rate), "latency_ms": int(milliseconds or "500")}


_READ: dict[str, Callable[[str], Rule]] = {
    **{kind: _rate(kind) for kind in ("error", "drop", "too_many", "duplicate")},
    "latency": _latency,
    "match": lambda value: {"match": value},
    "limit": lambda value: {"limit": int(value)},
    "seed": lambda value: {"seed": int(value)},
}
