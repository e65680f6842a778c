"""How the FloImg gallery's answers are read: refusals by their codes, comments, reactions. Called by `floimg` alone."""

from __future__ import annotations

import re
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ValidationError

from fleet.adapters import base
from fleet.adapters.answers import LONGEST_NAME_CHARS, LONGEST_TEXT_CHARS, MOST, moment_of, retry_after_s
from fleet.adapters.http import Response

Name = Annotated[str, AfterValidator(lambda name: name[:LONGEST_NAME_CHARS])]
Text = Annotated[str, AfterValidator(lambda text: text[:LONGEST_TEXT_CHARS])]
Count = Annotated[int, AfterValidator(lambda number: max(-MOST, min(number, MOST)))]
"""A number that fits into a column, even as a sum of two."""

_Model = TypeVar("_Model", bound=BaseModel)
_REACTION = re.compile(r"[a-z_]{1,20}")
_ADDRESS = re.compile(r"https?://[!-~]{1,1990}")
_MOST_REACTIONS, _MOST_COUNTED = 10, 10**9


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
        return base.Throttled(said, retry_after_s=retry_after_s(response))
    if status == 401:
        return base.TokenRefused(said)
    if status == 403:
        return base.AccountMissing(said) if as_agent else base.TokenRefused(said)
    if status in (404, 410):
        return base.Vanished(said)
    if 300 <= status < 500 and status != 408:
        return base.Refused(said)
    return base.Uncertain(said)


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


def parsed(model: type[_Model], value: object) -> _Model:
    """Parse a part of a response as a model. Raises Uncertain."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        # It was a success: something happened, but not clearly what.
        raise base.Uncertain(f"the surface's answer is not understood ({error.error_count()} problems)") from error
