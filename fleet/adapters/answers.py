"""How adapters read answers: JSON bodies, waits, times and texts, whatever a server sends. Used by adapters alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fleet.adapters import base
from fleet.adapters.http import Response
from fleet.adapters.shops import ShopProduct, ShopVariant
from fleet.core import text
from fleet.core.errors import InvalidInput

LONGEST_NAME_CHARS, LONGEST_TEXT_CHARS = 200, 20_000
"""Limits of other users' texts: they go into decisions, events, jobs and prompts, and are read there again and
again.
"""
MOST = 1_000_000_000
_LONGEST_WAIT_S = 86_400.0


def body_of(response: Response) -> dict[str, Any]:
    """Return an answer's JSON object; nothing for a refusal without one. Raises Uncertain for a success without one."""
    if not response.content:
        return {}
    try:
        body = storable(response.json())
    except (ValueError, RecursionError):
        if response.is_success:
            raise base.Uncertain("the surface's answer is not JSON") from None
        return {}
    return body if isinstance(body, dict) else {}


@dataclass(frozen=True, slots=True)
class GraphQLProblem:
    """One of the top-level errors of a GraphQL answer, which comes with status 200."""

    code: str
    """`extensions.code`, as servers of Apollo and of Shopify have it; empty without one."""
    message: str
    path: tuple[str, ...] = ()
    """The field that it is about."""


def graphql_problems(body: dict[str, Any]) -> list[GraphQLProblem]:
    """Return the top-level errors of a GraphQL answer. Some servers send a text in place of the list."""
    errors = body.get("errors")
    if isinstance(errors, str) and errors:
        return [GraphQLProblem("", text_of(errors, 200))]
    return [
        GraphQLProblem(
            text_of(dict_of(one.get("extensions")).get("code"), 100), text_of(one.get("message"), 200),
            tuple(str(step)[:100] for step in found) if isinstance(found := one.get("path"), list) else (),
        )
        for one in dicts_of(errors)
    ]  # fmt: skip


def storable(value: Any) -> Any:
    """Return a part of a response in storable form: surfaces that cut captions short send lone surrogates."""
    match value:
        case str():
            return text.storable(value)
        case list():
            return [storable(one) for one in value]
        case float():  # Python reads NaN and numbers beyond all bounds, and no database writes them
            return value if math.isfinite(value) else None
        case dict():
            return {text.storable(name): storable(one) for name, one in value.items()}
        case _:
            return value


def retry_after_s(response: Response) -> float | None:
    """Return the wait that the header Retry-After names in seconds, at most a day; None without one."""
    return bounded_s(response.headers.get("retry-after", ""))


def bounded_s(value: object) -> float | None:
    """Return a wait in seconds, between nothing and a day; None for anything that is no number."""
    try:
        seconds = float(str(value)) if value not in ("", None) else math.nan
    except ValueError:
        return None
    return None if math.isnan(seconds) else max(0.0, min(seconds, _LONGEST_WAIT_S))


def moment_of(value: object) -> datetime | None:
    """Return an optional time; None for an invalid one."""
    try:
        return aware(datetime.fromisoformat(str(value))) if value else None
    except ValueError:
        return None


def epoch_of(value: object) -> datetime | None:
    """Return a time given in seconds since 1970; None for an invalid one."""
    try:
        return datetime.fromtimestamp(float(str(value)), UTC) if value not in ("", None) else None
    except (ValueError, OverflowError, OSError):
        return None


def aware(value: datetime | None) -> datetime:
    """Return a time with its zone, by default UTC; without a time the latest possible one."""
    if value is None:
        return datetime.max.replace(tzinfo=UTC)
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def text_of(value: object, most: int = LONGEST_TEXT_CHARS) -> str:
    """Return a text of somebody else; empty for anything that is none."""
    return value[:most] if isinstance(value, str) else ""


def texts_of(value: object, most: int = LONGEST_NAME_CHARS) -> tuple[str, ...]:
    """Return the texts in a JSON list; none for anything else."""
    return tuple(one[:most] for one in value if isinstance(one, str)) if isinstance(value, list) else ()


def count_of(value: object) -> int | None:
    """Return a count that fits into a column; None for anything that is none."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        value = int(value)
    return max(0, min(value, MOST)) if isinstance(value, int) and not isinstance(value, bool) else None


def dict_of(value: object) -> dict[str, Any]:
    """Return a JSON object; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def dicts_of(value: object) -> list[dict[str, Any]]:
    """Return the objects in a JSON list; none for anything else."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def number_of_cursor(cursor: str | None) -> int:
    """Return the number that an adapter gave as a cursor; 0 for the first page. Raises InvalidInput."""
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 20):
        raise InvalidInput("This cursor is not one that the shop's adapter gave.", fix="Begin at the first page.")
    return int(cursor)


def missing_variants(product: ShopProduct, wanted: Sequence[ShopVariant]) -> list[ShopVariant]:
    """Return the variants that a product lacks, by SKU. Raises Refused for variants that do not fit those it has."""
    skus = [one.sku for one in wanted]
    if not skus or not all(skus) or len(set(skus)) != len(skus):
        raise base.Refused("each new variant needs a SKU of its own")
    there = {one.sku for one in product.variants}
    missing = [one for one in wanted if one.sku not in there]
    if len({frozenset(one.options) for one in (*product.variants, *missing)}) > 1:
        raise base.Refused("the new variants need the same options as those that the product has")
    values = [tuple(sorted(one.options.items())) for one in (*product.variants, *missing)]
    if missing and (not missing[0].options or len(set(values)) < len(values)):
        raise base.Refused("each variant needs its own combination of options: the product has this one already")
    return missing
