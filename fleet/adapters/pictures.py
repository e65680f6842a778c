"""Picture makers: outside systems that make pictures for money, apart from the platforms that show them.

An account whose adapter has a maker can make the pictures of posts on any platform. Pure values; a maker raises the
errors of `fleet.adapters.base`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from fleet.adapters.base import Account, OutsideSystem


@dataclass(frozen=True, slots=True)
class PictureOrder:
    """An order of one picture. With `key` the maker makes, and charges, it once if it honours keys.

    `workflow_type` is one of the persona's, or empty. `is_guest`: the agent acts through another account, so the
    maker's system may not know it yet.
    """

    account: Account
    prompt: str
    key: str
    workflow_type: str = ""
    is_guest: bool = False


@dataclass(frozen=True, slots=True)
class PictureFile:
    """A fetched picture. `content_type` is the server's claim; believe the bytes."""

    data: bytes
    content_type: str = ""


class PictureMaker(OutsideSystem, Protocol):
    """A system that makes pictures. `make` returns the address of one; Fleet fetches it from there."""

    def make(self, order: PictureOrder, *, timeout_s: float) -> str: ...
