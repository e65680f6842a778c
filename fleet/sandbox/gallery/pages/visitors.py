"""Visitors: identified by a cookie, and protected from cross-site requests.

A visitor gets an account with the first like or comment, not for looking.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from starlette.requests import Request
from starlette.responses import Response

from fleet.sandbox.gallery.errors import ApiError
from fleet.sandbox.gallery.store import guests

COOKIE = "gallery_guest"
_VALUE = re.compile(r"[A-Za-z0-9_-]{32,64}")
_KEPT_S = guests.KEPT_DAYS * 24 * 3600
_MOST_FIELDS = 10


@dataclass(frozen=True, slots=True)
class Visitor:
    """One browser. `new` until its cookie has come back."""

    cookie: str
    new: bool


def of_request(request: Request) -> Visitor:
    """Return the visitor; a new one without a valid cookie."""
    value = request.cookies.get(COOKIE, "")
    if _VALUE.fullmatch(value):
        return Visitor(value, new=False)
    return Visitor(secrets.token_urlsafe(32), new=True)


def doing_something(request: Request) -> Visitor:
    """Return the visitor who acts. Raises ApiError 403 unless one of our own pages made the request.

    Browsers say where a request comes from (Sec-Fetch-Site); for older ones the Origin must be ours.
    """
    site = request.headers.get("sec-fetch-site")
    origin = urlsplit(request.headers.get("origin", "")).netloc
    ours = site == "same-origin" if site else bool(origin) and origin == request.headers.get("host")
    if not ours:
        raise ApiError(403, "CROSS_SITE", "This can only be done from the gallery's own pages.")
    return of_request(request)


async def form(request: Request) -> dict[str, str]:
    """Return the fields of a plain form. Raises ApiError 422 for another body."""
    try:
        text = (await request.body()).decode()
        fields = parse_qs(text, max_num_fields=_MOST_FIELDS, keep_blank_values=True, errors="strict")
    except ValueError:
        raise ApiError(422, "VALIDATION_ERROR", "The form cannot be read.") from None
    values = {name: found[0].replace("\r\n", "\n") for name, found in fields.items()}
    if any("\x00" in value for value in values.values()):
        raise ApiError(422, "VALIDATION_ERROR", "The text holds a character that cannot be kept.")
    return values


def remember(response: Response, visitor: Visitor) -> None:
    """Set the cookie of a new visitor."""
    if visitor.new:
        response.set_cookie(COOKIE, visitor.cookie, max_age=_KEPT_S, httponly=True, samesite="lax", path="/")


def wants_json(request: Request) -> bool:
    """Tell whether the request comes from the page's script and expects JSON."""
    return "application/json" in request.headers.get("accept", "")
