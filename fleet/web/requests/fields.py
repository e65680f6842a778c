"""Field types of requests and responses: storable texts, bounded numbers, times, and base classes of models."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar, get_args, get_origin

from fastapi import Path, Request
from fastapi.exceptions import RequestValidationError
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from fleet.core.masking import mask, mask_all

_NO_NUL = r"^[^\x00]*$"
_ON_ONE_LINE = r"^[^\x00-\x1f\x7f]*$"
_DEEPEST = 20
_MOST_NAMED = 20
_EARLIEST, _LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)

V = TypeVar("V", bound=BaseModel)


class Body(BaseModel):
    """The body of a request.

    Unknown fields are refused: with a typing error, only half of the request would be done.
    """

    model_config = ConfigDict(extra="forbid")


def taken(model: type[V], source: object, /, **more: object) -> V:
    """Return a view with the fields of the same name from a row or value; `more` are the others."""
    own = {name: getattr(source, name) for name in model.model_fields if name not in more}
    return model(**own, **more)


def prose(most: int, *, least: int = 0) -> StringConstraints:
    """Return the bounds of a text, several lines allowed. Postgres keeps no NUL."""
    return StringConstraints(min_length=least, max_length=most, pattern=_NO_NUL)


def line(most: int, *, least: int = 0) -> StringConstraints:
    """Return the bounds of a text on one line."""
    return StringConstraints(min_length=least, max_length=most, pattern=_ON_ONE_LINE)


def whole(least: int, most: int) -> Any:
    """Return the bounds of a whole number; neither "1" nor true is one."""
    return Field(ge=least, le=most, strict=True)


def _moment(value: object) -> datetime:
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        raise ValueError("is no moment like 2026-01-31T12:00:00Z (in an address, + is written %2B)")
    # Clamped: times before or after all data are equal, and no arithmetic leaves the calendar.
    return max(_EARLIEST, min(_LATEST, datetime.fromisoformat(value.upper()))).astimezone(UTC)


Moment = Annotated[datetime, BeforeValidator(_moment)]
"""A moment as RFC 3339 writes it, with its offset."""


def _storable(value: Any, depth: int = 0) -> Any:
    """Return JSON that Postgres can keep. Raises ValueError."""
    if depth > _DEEPEST:
        raise ValueError(f"is nested more than {_DEEPEST} deep")
    match value:
        case str():
            if "\0" in value or any("\ud800" <= char <= "\udfff" for char in value):
                raise ValueError("holds a character that cannot be kept (NUL, or half of a pair)")
        case float():
            if not math.isfinite(value):
                raise ValueError("holds a number that JSON does not know")
        case Mapping():
            for name, one in value.items():
                _storable(name, depth + 1)
                _storable(one, depth + 1)
        case list():
            for one in value:
                _storable(one, depth + 1)
    return value


Json = Annotated[dict[str, Any], AfterValidator(_storable)]
"""An object that a program sends, of whatever shape."""

Told = Annotated[dict[str, Any], BeforeValidator(lambda value: mask_all(value or {}))]
"""A stored object, with secrets masked."""

Said = Annotated[str, BeforeValidator(lambda value: mask(value) if isinstance(value, str) else value)]
"""A stored text, with secrets masked."""


def once_each(request: Request) -> None:
    """Refuse two values for a parameter that takes one: choosing one would be a guess.

    Raises RequestValidationError.
    """
    lists = set(_lists(request.scope["route"].dependant.query_params))
    # Runs before authentication: each name of a long query is counted only once.
    given = Counter(name for name, _ in request.query_params.multi_items() if name not in lists)
    if twice := sorted(name for name, number in given.items() if number > 1)[:_MOST_NAMED]:
        raise RequestValidationError([{"loc": ("query", name), "msg": "was given twice"} for name in twice])


def _lists(parameters: Iterable[Any]) -> Iterator[str]:
    """Return the names of the parameters that take several values, those within a model included."""
    for one in parameters:
        kind = one.field_info.annotation
        is_model = isinstance(kind, type) and issubclass(kind, BaseModel)
        for name, told in kind.model_fields.items() if is_model else [(one.alias, one.field_info)]:
            if _is_list(told.annotation):
                yield told.alias or name


def _is_list(annotation: object) -> bool:
    return get_origin(annotation) is list or any(_is_list(one) for one in get_args(annotation))


AgentName = Annotated[str, Path(max_length=60, description="username or id", examples=["ada_lovelace"])]
AgentFilter = Annotated[str, line(60), Field(description="username or id")]
IdPrefix = Annotated[str, Path(max_length=60, description="id, or its first 4 or more characters",
                               examples=["5aaa9a23"])]  # fmt: skip
"""An id in a path; `fleet.core.prefixes` finds the row and refuses what is no id."""
Reason = Annotated[str, prose(200)]


class MovedOut(BaseModel):
    """Whether something changed; false if it was so already."""

    changed: bool


class Count(BaseModel):
    """To how many something was done."""

    count: int
