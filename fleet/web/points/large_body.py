"""The extension point `web.large_bodies`: addresses that take larger requests than all others, such as files."""

from __future__ import annotations

from dataclasses import dataclass

POINT = "web.large_bodies"


@dataclass(frozen=True, slots=True)
class LargeBody:
    """An address, without parameters, and how many bytes a request to it has at most."""

    path: str
    most_bytes: int
