"""How the FloImg gallery's answers are read: bodies, refusals by their codes, times. Called by `floimg` alone."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ValidationError

from fleet.adapters import base
from fleet.adapters.http import Response
from fleet.core import text

LONGEST_NAME_CHARS, LONGEST_TEXT_CHARS = 200, 20_000
"""Limits of other users' texts: they go into decisions, events, jobs and prompts, and are read there again and
again.
"""
MOST = 1_000_000_000

Name = Annotated[str, AfterValidator(lambda name: name[:LONGEST_NAME_CHARS])]
Text = Annotated[str, AfterValidator(lambda text: text[:LONGEST_TEXT_CHARS])]
Count = Annotated[int, AfterValidator(lambda number: max(-MOST, min(number, MOST)))]
"""A number that fits into a column, even as a sum of two."""

_Model = TypeVar("_Model", bound=BaseModel)
_REACTION = re.compile(r"[a-z_]{1,20}")
_ADDRESS = re.compile(r"https?://[!-~]{1,1990}")
_MOST_REACTIONS, _MOST_COUNTED = 10, 10**9


def body_of(response: Response) -> dict[str, Any]:
    """Return an answer's JSON object; nothing for a refusal without one. Raises Uncertain for a success without one."""
    if not response.content:
        return {}
    try:
        body = _storable(response.json())
    except (ValueError, RecursionError):
        if response.is_success:
            raise base.Uncertain("the surface's answer is not JSON") from None
        return {}
    return body if isinstance(body, dict) else {}


def _storable(value: Any) -> Any:
    """Return a part of a response in storable form: surfaces that cut captions short send lone surrogates."""
    match value:
        case str():
            return text.storable(value)
        case list():
            return [_storable(one) for one in value]
        case float():  # Python reads NaN and numbers beyond all bounds, and no database writes them
            return value if math.isfinite(value) else None
        case dict():
            return {text.storable(name): _storable(one) for name, one in value.items()}
        case _:
            return value


def comments_of(body: dict[str, Any]) -> list[Any]:
    """Return the comments in a response. Raises Uncertain if it has no list."""
    found = body.get("comments", body.get("items", []))
    if not isinstance(found, list):
        raise base.Uncertain("the surface's comments are no list")
    return found


def error_of(response: Response, body: dict[str, Any], *, as_agent: bool) -> base.AdapterError:
    """Translate a refusal by its code. Whatever is new to us and not 4xx may have happened."""
    nested = body.get("error")
    detail = {**body, **nested} if isinstance(nested, dict) else body
    code = str(detail.get("code", ""))
    words = str(detail.get("message") or (nested if isinstance(nested, str) else "") or response.reason_phrase)[:300]
    said = f"{response.status_code} {code} {words}".replace("  ", " ")
    status = response.status_code
    if status == 429 and code.endswith(("_BUDGET_EXCEEDED", "_LIMIT_EXCEEDED")):
        return base.SurfaceBudgetSpent(
            said, whole_fleet=code.startswith("FLEET_"), reset_at=moment_of(detail.get("resetAt"))
        )
    if status == 503 and code == "FLEET_PAUSED":
        return base.SurfacePaused(said)
    if status == 429:
        return base.Throttled(said, retry_after_s=_retry_after_s(response))
    if status == 401:
        return base.TokenRefused(said)
    if status == 403:
        return base.AccountMissing(said) if as_agent else base.TokenRefused(said)
    if status in (404, 410):
        return base.Vanished(said)
    if 300 <= status < 500 and status != 408:
        return base.Refused(said)
    return base.Uncertain(said)


def _retry_after_s(response: Response) -> float | None:
    value = response.headers.get("retry-after", "")
    try:
        seconds = float(value) if value else math.nan
    except ValueError:
        return None
    return None if math.isnan(seconds) else max(0.0, min(seconds, 86_400.0))


def moment_of(value: object) -> datetime | None:
    """Return an optional time; None for an invalid one."""
    try:
        return aware(datetime.fromisoformat(str(value))) if value else None
    except ValueError:
        return None


def reactions_of(value: object) -> dict[str, int]:
    """Return the reactions to a post other than likes, by type; invalid counts are left out."""
    found: dict[str, int] = {}
    for one in value if isinstance(value, list) else []:
        kind, count = (one.get("type"), one.get("count")) if isinstance(one, dict) else (None, None)
        if not isinstance(kind, str) or kind == "like" or not _REACTION.fullmatch(kind):
            continue
        if isinstance(count, int) and not isinstance(count, bool) and 0 < count <= _MOST_COUNTED:
            found[kind] = count
    return dict(sorted(found.items())[:_MOST_REACTIONS])


def image_url_of(value: object) -> str:
    """Return the address of a post's picture; empty for an invalid one, such as a data URL."""
    url = value.get("url") if isinstance(value, dict) else value
    return url if isinstance(url, str) and _ADDRESS.fullmatch(url) else ""


def aware(value: datetime | None) -> datetime:
    """Return a time with its zone, by default UTC; without a time the latest possible one."""
    if value is None:
        return datetime.max.replace(tzinfo=UTC)
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def parsed(model: type[_Model], value: object) -> _Model:
    """Parse a part of a response as a model. Raises Uncertain."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        # It was a success: something happened, but not clearly what.
        raise base.Uncertain(f"the surface's answer is not understood ({error.error_count()} problems)") from error
