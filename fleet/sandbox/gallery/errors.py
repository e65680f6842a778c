"""What the gallery's API says when it says no: codes, bodies and the one class that carries them.

Raised anywhere below the API, turned into an answer by `app`. Bodies are flat: error, code, and what helps.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class ApiError(Exception):
    """A refusal. `extra` is added to the body."""

    status: int
    code: str
    message: str
    extra: Mapping[str, Any] = field(default_factory=dict)
    retry_after_s: int | None = None

    def body(self) -> dict[str, Any]:
        """Return the answer's body."""
        return {"error": self.message, "code": self.code, **self.extra}


def not_found(what: str) -> ApiError:
    """Return the answer for something that is not here (any more)."""
    return ApiError(404, "NOT_FOUND", f"{what} not found.")


def id_of(text: str, what: str) -> uuid.UUID:
    """Return an id that stands in an address; what has none that could be is not here either. Raises ApiError."""
    try:
        return uuid.UUID(text)
    except ValueError:
        raise not_found(what) from None


def invalid(path: str, message: str) -> ApiError:
    """Return the answer for one field that is wrong."""
    return ApiError(422, "VALIDATION_ERROR", f"{path}: {message}", {"errors": [{"path": path, "message": message}]})


def problems(found: list[dict[str, str]]) -> ApiError:
    """Return the answer for several wrong fields, each with path and message."""
    first = found[0] if found else {"path": "", "message": "The body is wrong."}
    return ApiError(422, "VALIDATION_ERROR", f"{first['path'] or 'body'}: {first['message']}", {"errors": found})
