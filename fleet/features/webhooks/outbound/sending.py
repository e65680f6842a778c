"""One call to a receiver: to a public address that is resolved once, within seconds, without redirects.

Called by `fleet.features.webhooks.handlers`. Never shows a whole address: receivers put tokens into theirs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fleet import __version__
from fleet.core import clock, masking, text
from fleet.images import addresses, wire
from fleet.images.addresses import Rules
from fleet.images.errors import OutOfReach
from fleet.images.wire import Deadline, Headers, Network, Response

SYSTEM = Network()
TOTAL_S = 10.0
_LOOK_UP_S = 3.0
_MOST_ANSWER_BYTES = 16_384
_SHOWN_CHARS = 500
_ALWAYS: Headers = (
    (b"User-Agent", f"Fleet/{__version__} (webhooks)".encode()),
    (b"Content-Type", b"application/json"),
    (b"Accept-Encoding", b"identity"),  # a packed answer could unfold to any size
    (b"Connection", b"close"),
)


@dataclass(frozen=True, slots=True)
class ReceiverAnswer:
    """A receiver's response: its status, the beginning of its body without secrets, its Retry-After."""

    status: int
    words: str
    wish: str
    took_ms: int


def rules(allowed: Iterable[str]) -> Rules:
    """Return the allowed addresses of receivers: public ones by https, and those that the owner opened."""
    return Rules.of(allowed)


def check(url: str, rules: Rules, network: Network | None = None) -> None:
    """Raise ForbiddenAddress for an address that must not be called, as far as is known now."""
    place = addresses.read(url, rules)
    try:
        wire.admitted(place, network or SYSTEM, Deadline.after(_LOOK_UP_S))
    except OutOfReach:
        return  # a receiver that is not up yet; every delivery checks again


def post(
    url: str, body: bytes, headers: Headers, *, rules: Rules, within_s: float, network: Network | None = None
) -> ReceiverAnswer:
    """Send a body and return the answer. Raises ForbiddenAddress, OutOfReach."""
    place = addresses.read(url, rules)
    started_s = clock.monotonic_s()
    deadline = Deadline.after(within_s)
    told = (*_ALWAYS, *headers)
    with wire.exchange(place, network or SYSTEM, deadline, method="POST", headers=told, body=body) as response:
        words = _beginning(response)
        wish = next((value for name, value in response.headers if name.lower() == b"retry-after"), b"")
    took_ms = round((clock.monotonic_s() - started_s) * 1000)
    return ReceiverAnswer(response.status, words, wish.decode("latin-1")[:60], took_ms)


def _beginning(response: Response) -> str:
    """Return the beginning of a response; beyond some kilobytes it is not read."""
    said = bytearray()
    for chunk in response.iter_stream():
        said += chunk
        if len(said) >= _MOST_ANSWER_BYTES:
            break
    words = text.clean(said[:_MOST_ANSWER_BYTES].decode("utf-8", "replace"))
    return masking.mask(words)[:_SHOWN_CHARS]
