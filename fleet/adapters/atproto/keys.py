"""Record keys and addresses of the AT Protocol: TIDs from jobs and subjects, at:// URIs. Pure.

A write is done once because its record has the same key in every attempt: `putRecord` with `swapRecord: null` creates
it or changes nothing.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from fleet.adapters import base

POST, LIKE, REPOST = "app.bsky.feed.post", "app.bsky.feed.like", "app.bsky.feed.repost"
FOLLOW, PROFILE = "app.bsky.graph.follow", "app.bsky.actor.profile"
_ALPHABET = "234567abcdefghijklmnopqrstuvwxyz"
_TID_CHARS = 13
_SINCE_US = 1_577_836_800_000_000  # 2020: keys of subjects look like times, since these collections want TIDs
_SPAN_US = 100_000_000_000_000
_DID = r"did:[a-z]+:[a-zA-Z0-9._:%-]{1,150}"
_URI = re.compile(
    rf"at://(?P<repo>{_DID})/(?P<collection>[a-zA-Z][a-zA-Z0-9.-]{{2,100}})/(?P<key>[A-Za-z0-9._:~-]{{1,100}})"
)
_ANY_DID = re.compile(_DID)
HANDLE = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.){1,10}[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Uri:
    """The address of one record."""

    repo: str
    collection: str
    key: str

    def __str__(self) -> str:
        return f"at://{self.repo}/{self.collection}/{self.key}"


def parse(uri: str) -> Uri:
    """Read the address of a record. Raises Refused for anything else."""
    found = _URI.fullmatch(uri)
    if found is None:
        raise base.Refused("this is no id of the AT Protocol: expected at://did/collection/key")
    return Uri(found["repo"], found["collection"], found["key"])


def is_did(name: str) -> bool:
    """Return whether a name is the permanent id of an account."""
    return _ANY_DID.fullmatch(name) is not None


def of_job(key: str, created_at: datetime) -> str:
    """Return the TID of a job's record: its time to the millisecond, the rest from its id."""
    number = _hash(key)
    milliseconds = int(created_at.astimezone(UTC).timestamp() * 1000)
    return _tid(milliseconds * 1000 + number % 1000, (number >> 16) % 1024)


def of_subject(verb: str, subject: str) -> str:
    """Return the TID of a like, repost or follow: the same for the same subject, whatever job asks for it."""
    number = _hash(f"{verb} {subject}")
    return _tid(_SINCE_US + (number >> 10) % _SPAN_US, number % 1024)


def time_of(tid: str) -> datetime | None:
    """Return the time in a TID, such as the revision of a repository; None for anything else."""
    if len(tid) != _TID_CHARS or not set(tid) <= set(_ALPHABET):
        return None
    number = 0
    for char in tid:
        number = number << 5 | _ALPHABET.index(char)
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=number >> 10)
    except OverflowError:
        return None


def moment(when: datetime) -> str:
    """Return a time as records have it."""
    return when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _tid(microseconds: int, clock_id: int) -> str:
    number = (microseconds << 10 | clock_id) & (2**63 - 1)
    return "".join(_ALPHABET[number >> 5 * place & 31] for place in reversed(range(_TID_CHARS)))


def _hash(words: str) -> int:
    return int.from_bytes(hashlib.sha256(words.encode()).digest()[:8])
