"""Error responses of the gallery API.

Raised anywhere below the API, turned into a response by `app`. Bodies are flat: error, code and details.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class ApiError(Exception):
    """An error response. `extra` is added to the body."""

    status: int
    code: str
    message: str
    extra: Mapping[str, Any] = field(default_factory=dict)
    retry_after_s: int | None = None

    def body(self) -> dict[str, Any]:
        """Return the body of the response."""
        return {"error": self.message, "code": self.code, **self.extra}


def not_found(what: str) -> ApiError:
    """Return the error for a missing or deleted object."""
    return ApiError(404, "NOT_FOUND", f"{what} not found.")


def id_of(text: str, what: str) -> uuid.UUID:
    """Parse an id in a URL. Raises ApiError 404 for an invalid one."""
    try:
        return uuid.UUID(text)
    except ValueError:
        raise not_found(what) from None


def invalid(path: str, message: str) -> ApiError:
    """Return the error for one invalid field."""
    return ApiError(422, "VALIDATION_ERROR", f"{path}: {message}", {"errors": [{"path": path, "message": message}]})


def problems(found: list[dict[str, str]]) -> ApiError:
    """Return the error for several invalid fields, each with path and message."""
    first = found[0] if found else {"path": "", "message": "The body is wrong."}
    return ApiError(422, "VALIDATION_ERROR", f"{first['path'] or 'body'}: {first['message']}", {"errors": found})
