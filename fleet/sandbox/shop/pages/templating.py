"""HTML from templates: everything escaped. Called by `pages` alone."""

from __future__ import annotations

import functools
import hashlib
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from fleet.sandbox.gallery.pages.templating import ago

_HERE = Path(__file__).parent
_SIGNS = {"EUR": "€", "USD": "$", "GBP": "£"}


def render(template: str, values: dict[str, Any]) -> str:
    """Return a page."""
    return _environment().get_template(template).render(values)


def money(minor: int, currency: str) -> str:
    """Return an amount: "€14.90"."""
    amount = f"{Decimal(minor).scaleb(-2):,.2f}"
    return f"{_SIGNS[currency]}{amount}" if currency in _SIGNS else f"{amount} {currency}"


def picture(product: dict[str, Any]) -> str:
    """Return the address of a product's picture. Pictures of other servers are not shown: they would see visitors."""
    own = next((one["url"] for one in product["images"] if one["url"].startswith("/art/")), "")
    return own or f"/art/{product['key'][:80]}.webp"


def _asset(name: str) -> str:
    """Return a static file's address with its digest, so that a new version is never mistaken for the old."""
    digest = hashlib.sha256((_HERE / "static" / name).read_bytes()).hexdigest()[:10]
    return f"/static/{name}?v={digest}"


@functools.cache
def _environment() -> Environment:
    found = Environment(loader=FileSystemLoader(_HERE / "templates"), autoescape=True, undefined=StrictUndefined,
                        trim_blocks=True, lstrip_blocks=True)  # fmt: skip
    found.filters.update(ago=ago, money=money, picture=picture, moment=datetime.fromisoformat)
    found.globals["asset"] = functools.cache(_asset)
    return found
