"""Forms of the shop's pages: only from its own pages, fields as texts, amounts and counts read with an error."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from urllib.parse import parse_qs, urlsplit

from starlette.requests import Request

from fleet.sandbox.gallery.errors import ApiError, invalid

_MOST_FIELDS = 1000
_MOST_MINOR = 10**12
_MOST_UNITS = 10**6


async def fields(request: Request) -> dict[str, str]:
    """Return the fields of a form that one of our own pages sent. Raises ApiError 403, 422.

    Browsers say where a request comes from (Sec-Fetch-Site); for older ones the Origin must be ours.
    """
    site = request.headers.get("sec-fetch-site")
    origin = urlsplit(request.headers.get("origin", "")).netloc
    ours = site == "same-origin" if site else bool(origin) and origin == request.headers.get("host")
    if not ours:
        raise ApiError(403, "CROSS_SITE", "This can only be done from the shop's own pages.")
    try:
        text = (await request.body()).decode()
        found = parse_qs(text, max_num_fields=_MOST_FIELDS, keep_blank_values=True, errors="strict")
    except ValueError:
        raise ApiError(422, "VALIDATION_ERROR", "The form cannot be read.") from None
    values = {name: given[0].replace("\r\n", "\n").strip() for name, given in found.items()}
    if any("\x00" in value for value in values.values()):
        raise ApiError(422, "VALIDATION_ERROR", "The text holds a character that cannot be kept.")
    return values


def title(values: dict[str, str]) -> str:
    """Return the title. Raises ApiError 422."""
    found = " ".join(values.get("title", "").split())
    if not 0 < len(found) <= 200:
        raise invalid("title", "A title has 1 to 200 characters.")
    return found


def minor(text: str) -> int:
    """Read an amount such as 27.99 or 27,99. Raises ApiError 422."""
    try:
        amount = Decimal(text.replace(",", ".")).scaleb(2)
        cents = int(amount)
    except (InvalidOperation, ValueError, OverflowError):
        amount, cents = Decimal(0), -1
    if cents != amount or not 0 <= cents <= _MOST_MINOR:
        raise invalid("price", f"{text[:40]!r} is no price; write it like 27.99.")
    return cents


def units(text: str) -> int:
    """Read a count. Raises ApiError 422."""
    if not (text.isascii() and text.isdigit() and int(text[:9]) <= _MOST_UNITS):
        raise invalid("stock", f"{text[:40]!r} is no count of units from 0 to {_MOST_UNITS}.")
    return int(text)
