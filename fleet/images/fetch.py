"""Fetch a file from an untrusted address: a picture, cleaned and ready to be stored, or any file unchanged.

Called by `fleet.features.media`, `fleet.engine.surface_pictures` and the feeds of campaigns. Redirects are
followed by hand and each is checked like a first address; size and time are limited while the bytes arrive. Never
sends a token, a cookie or a referrer, and believes no header about the bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

from fleet import __version__
from fleet.images import addresses, wire
from fleet.images.addresses import Endpoint, Rules
from fleet.images.cleaning import FetchedPicture, clean
from fleet.images.errors import OutOfReach, Unusable
from fleet.images.safety import MAX_BYTES, MAX_PIXELS
from fleet.images.wire import Deadline, Network, Response

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PASSING = frozenset({408, 425, 429})
_LONGEST_WISH_S = 86_400.0


@dataclass(frozen=True, slots=True)
class FileKind:
    """What is fetched: its name in errors, and the media types of the Accept header."""

    noun: str
    accept: str

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Return the headers of the request."""
        return [
            (b"User-Agent", f"Fleet/{__version__}".encode()),
            (b"Accept", self.accept.encode()),
            (b"Accept-Encoding", b"identity"),  # a packed answer could unfold to any size
            (b"Connection", b"close"),
        ]


PICTURE = FileKind("picture", "image/png, image/jpeg, image/webp, image/gif")


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """Limits of one file: bytes on the wire, seconds in all, redirects, pixels; and its size when stored."""

    max_bytes: int = MAX_BYTES
    total_s: float = 20.0
    max_redirects: int = 3
    max_pixels: int = MAX_PIXELS
    max_side_px: int = 2048


@dataclass(frozen=True, slots=True)
class FetchedFile:
    """A file as its server sent it. Nothing of it is checked but its size."""

    data: bytes
    content_type: str = ""


PUBLIC_ONLY, USUAL, SYSTEM = Rules(), FetchLimits(), Network()


def fetch_picture(
    url: str, *, rules: Rules = PUBLIC_ONLY, limits: FetchLimits = USUAL, network: Network = SYSTEM
) -> FetchedPicture:
    """Fetch a picture and return it cleaned.

    Raises ForbiddenAddress for closed addresses, Unusable for a file that is no picture, OutOfReach (retryable) for
    temporary errors.
    """
    file = fetch_file(url, rules=rules, limits=limits, network=network)
    return clean(
        file.data, max_bytes=limits.max_bytes, max_pixels=limits.max_pixels, max_side_px=limits.max_side_px
    )  # fmt: skip


def fetch_file(
    url: str, *, rules: Rules, limits: FetchLimits = USUAL, network: Network = SYSTEM, kind: FileKind = PICTURE
) -> FetchedFile:
    """Fetch a file and return it unchanged.

    Raises ForbiddenAddress for closed addresses, Unusable for a file that is refused or too large, OutOfReach
    (retryable) for temporary errors.
    """
    deadline = Deadline.after(limits.total_s)
    place = addresses.read(url, rules)
    for _ in range(limits.max_redirects + 1):
        answer = _ask(place, limits, network, deadline, kind)
        if isinstance(answer, FetchedFile):
            return answer
        place = addresses.follow(place, answer, rules)
    raise Unusable(f"The {kind.noun}'s address redirects more than {limits.max_redirects} times.")


def _ask(
    place: Endpoint, limits: FetchLimits, network: Network, deadline: Deadline, kind: FileKind
) -> FetchedFile | str:
    """Return the body that a place answers with, or the location to which it redirects."""
    with wire.exchange(place, network, deadline, headers=kind.headers()) as response:
        return _read(place, response, limits.max_bytes, kind.noun)


def _read(place: Endpoint, response: Response, max_bytes: int, noun: str) -> FetchedFile | str:
    headers = {name.lower(): value for name, value in response.headers}
    if response.status in _REDIRECTS:
        return _location(place, headers.get(b"location", b""))
    if response.status != 200:
        raise _refusal(place, response.status, headers.get(b"retry-after", b""), noun)
    if headers.get(b"content-encoding", b"identity").strip().lower() not in (b"identity", b""):
        raise Unusable(f"{place.host} sends the {noun} packed, though it was asked not to.")
    body = bytearray()
    for chunk in response.iter_stream():
        body += chunk
        if len(body) > max_bytes:
            raise Unusable(f"The {noun} of {place.host} has more than {max_bytes:,} bytes.")
    return FetchedFile(bytes(body), headers.get(b"content-type", b"").decode("latin-1")[:200])


def _location(place: Endpoint, location: bytes) -> str:
    try:
        found = location.decode()
    except UnicodeDecodeError:
        found = ""
    if not found:
        raise Unusable(f"{place.host} redirects to nowhere.")
    return found


def _refusal(place: Endpoint, status: int, wish: bytes, noun: str) -> OutOfReach | Unusable:
    """Return the error for a response without the file. Retry-After counts when it is a number of seconds."""
    words = f"{place.host} answers {status} instead of a {noun}."
    if status in _PASSING or status >= 500:
        asked_s = min(float(wish), _LONGEST_WISH_S) if wish.isdigit() and len(wish) < 10 else None
        return OutOfReach(words, retry_after_s=asked_s)
    return Unusable(words)
