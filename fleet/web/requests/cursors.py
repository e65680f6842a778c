"""Pagination of lists: limit, cursor, and the next page.

A cursor is the place where the last page ended; clients return it unchanged. It is checked against the list and the
filters that it was made for, so that a wrong one is refused instead of silently leaving rows out. It contains no secret
and grants nothing: the route checks permissions.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from fleet.core.errors import InvalidInput, NotFound

MOST = 200
_CHECK_BYTES = 8
_UNCHECKED = {"limit", "cursor", "since", "until"}
"""May differ from page to page: "since 2 h ago" is another moment a minute later."""
LARGEST_ID = 2**63 - 1

T = TypeVar("T")
Place = TypeVar("Place")


class Page(BaseModel, Generic[T]):
    """Some items of a list, and the cursor of the next page."""

    items: list[T]
    next: str | None = Field(
        description="hand it back as `cursor`, with the same filters, for the page below; null at the end"
    )


class Paging(BaseModel):
    """The query parameters of pagination; filters are the fields of subclasses. Unknown parameters are refused."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=MOST, description="most items of a page")] = 50
    cursor: Annotated[
        str | None, Field(max_length=400, pattern="^[A-Za-z0-9_-]+$", description="`next` of the page above")
    ] = None

    def place(self, read: Callable[[str], Place], *, of: str = "") -> Place | None:
        """Return the place where the page before ended; None for the first page. Raises InvalidInput for an invalid
        cursor.

        `read` parses the place, or raises ValueError; `of` are further parameters that the list depends on.
        """
        if self.cursor is None:
            return None
        try:
            raw = base64.urlsafe_b64decode(self.cursor + "=" * (-len(self.cursor) % 4))
            said = raw[_CHECK_BYTES:].decode()
            if raw[:_CHECK_BYTES] == self._check(said, of):
                return read(said)
        except (ValueError, binascii.Error):
            pass
        raise _broken()

    def page(
        self, found: Sequence[T], place_of: Callable[[T], object], *, of: str = ""
    ) -> tuple[Sequence[T], str | None]:
        """Return the page's items of one more than its length, and the cursor of the next page, if there is one."""
        if len(found) <= self.limit:
            return found, None
        items = found[: self.limit]
        return items, self.cursor_at(place_of(items[-1]), of=of)

    def cursor_at(self, place: object, *, of: str = "") -> str:
        """Return the cursor of the page that begins below a place."""
        said = str(place)
        return base64.urlsafe_b64encode(self._check(said, of) + said.encode()).decode().rstrip("=")

    @property
    def one_more(self) -> int:
        """How many to fetch: one more than shown reveals that there is a next page."""
        return self.limit + 1

    @contextmanager
    def continued(self) -> Iterator[None]:
        """Report a cursor as unusable because the row at which its page ended is gone."""
        try:
            yield
        except NotFound:
            if self.cursor is None:
                raise
            raise _broken() from None

    def _check(self, said: str, of: str) -> bytes:
        about = [type(self).__name__, of, self.model_dump(mode="json", exclude=_UNCHECKED), said]
        return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).digest()[:_CHECK_BYTES]


def row_id(said: str) -> str:
    """Read the place of a row that is named by a UUID."""
    return str(uuid.UUID(said))


def number(said: str) -> int:
    """Read the place of a row that is numbered."""
    if not said.isascii() or not said.isdecimal() or int(said) > LARGEST_ID:
        raise ValueError("no number of a row")
    return int(said)


def word(said: str) -> str:
    """Parse the place of a row whose key is a word."""
    if not said.isascii() or not said.replace("_", "a").isalnum():
        raise ValueError("no word")
    return said


def _broken() -> InvalidInput:
    return InvalidInput(
        "cursor: this is no cursor of this list.", fix="Take `next` of the page above, with the same filters, or begin."
    )
