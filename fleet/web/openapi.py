"""Parts of the OpenAPI document that are common to routes: permissions, errors, tags and operation ids.

Called by `app`. They are derived here from the routes; a route describes only what is specific to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import BaseModel, Field

from fleet.access import Permission
from fleet.web.auth import SAFE, Needs
from fleet.web.middleware import idempotency

_API = "/api/v1/"
_SCHEME = "token"
_PREAMBLE = (
    "All that the dashboard does. Send `Authorization: Bearer flt_...`. Lists come in pages (`limit`, `cursor`), "
    "errors are problem+json (RFC 9457); writes may carry an `Idempotency-Key`; answers carry an `ETag`."
)
_REFUSALS = {
    400: "the request cannot be read", 401: "no valid session or token", 403: "the role or the token does not allow it",
    404: "there is no such thing", 409: "its state does not allow it", 412: "it was changed meanwhile",
    413: "the request is too large", 422: "a value is wrong; `errors` says which", 429: "too many requests",
    503: "a server that the fleet needs is away",
}  # fmt: skip
_ALWAYS, _OF_WRITES = (400, 401, 403, 404, 422, 429, 503), (409, 413)
_SECONDS = {"description": "when to ask again", "required": True, "schema": {"type": "string", "pattern": "^[0-9]+$"}}


class Wrong(BaseModel):
    """One value that is wrong."""

    path: str = Field(description="path of the value, e.g. `body.username`")
    message: str


class Problem(BaseModel):
    """Why something was refused (RFC 9457)."""

    type: str = Field("about:blank", examples=["about:blank"])
    title: str = Field(examples=["Conflict"])
    status: int = Field(ge=400, le=599, examples=[409])
    detail: str = Field(description="for the person who reads it", examples=["ada is paused (by web:ana)."])
    fix: str | None = Field(None, description="what to do next, where there is something", examples=["Resume it."])
    errors: list[Wrong] | None = Field(None, description="each value that is wrong")


class DescribedApp(FastAPI):
    """An app whose OpenAPI document has the common parts of each route."""

    def openapi(self) -> dict[str, Any]:
        """Return the document."""
        if self.openapi_schema is None:
            document = super().openapi()
            document["info"]["description"] = _PREAMBLE
            document["paths"] = dict(sorted(document["paths"].items()))  # whatever the order of the features is
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            for name in ("HTTPValidationError", "ValidationError"):
                schemas.pop(name, None)
            problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas |= problem.pop("$defs") | {"Problem": problem}
            document["components"]["securitySchemes"] = {_SCHEME: {"type": "http", "scheme": "bearer"}}
            for path, method, permission in guarded(self):
                _describe(document["paths"].get(path, {}).get(method.lower()), path, method, permission)
        assert self.openapi_schema is not None
        return self.openapi_schema


def operation_id(route: APIRoute) -> str:
    """Return the name of a route in generated clients: `agents_pause`, `agents_list`, `status`."""
    if not route.tags:
        return route.name
    noun = str(route.tags[0]).replace(" ", "_")
    name = "list" if route.name == f"list_{noun}" else route.name
    return noun if name == noun else f"{noun}_{name}"


def guarded(app: FastAPI) -> Iterator[tuple[str, str, Permission | None]]:
    """Return each route's path, method and permission; no permission for open routes."""
    for route in iter_route_contexts(app.routes):
        if isinstance(route.original_route, APIRoute):
            needed = [one.call.permission for one in route.dependant.dependencies if isinstance(one.call, Needs)]
            for method in sorted(route.methods or ()):
                yield str(route.path), method, needed[0] if needed else None


def _describe(operation: dict[str, Any] | None, path: str, method: str, permission: Permission | None) -> None:
    if operation is None:  # a page
        return
    operation["security"] = [] if permission is None else [{_SCHEME: []}]
    if permission is not None:
        said = operation.get("description", "").strip()
        operation["description"] = f"{said}\n\nPermission: `{permission}`.".strip()
    if not path.startswith(_API):
        for status, told in operation["responses"].items():
            if int(status) in _REFUSALS and (status == "422" or not told.get("content")):
                operation["responses"][status] = _refusal(int(status))
        return
    writes = method not in SAFE
    parameters = operation.setdefault("parameters", [])
    names = {one["name"].lower() for one in parameters}
    parameters.append(_KEY if writes else _IF_NONE_MATCH)
    if "if-match" in names:
        operation["responses"]["412"] = {}
    for status in (*_ALWAYS, *(_OF_WRITES if writes else ()), *map(int, operation["responses"])):
        if status in _REFUSALS:
            operation["responses"][str(status)] = _refusal(status)
    if not writes:
        operation["responses"]["304"] = {"description": "nothing has changed", "headers": _TAG}
        operation["responses"]["200"]["headers"] = _TAG


def _refusal(status: int) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    headers = {"headers": {"Retry-After": _SECONDS}} if status in (429, 503) else {}
    return {"description": _REFUSALS[status], "content": content, **headers}


ASKED: dict[int | str, dict[str, Any]] = {
    202: {
        "description": "nothing is done yet: it waits for an approval; the request, as GET /approvals/{request_id}",
        "headers": {"Location": {"description": "its address", "schema": {"type": "string"}}},
        "content": {"application/json": {"schema": {"type": "object"}}},
    }
}
"""The answer of a route whose verb people may have to approve: `@router.delete(..., responses=ASKED)`."""

_TAG = {"ETag": {"description": "its entity tag", "required": True, "schema": {"type": "string"}}}
_KEY = {
    "name": "Idempotency-Key", "in": "header", "required": False,
    "schema": {"type": "string", "pattern": idempotency.PATTERN, "minLength": 1, "maxLength": 255},
    "description": "a key of your own for this write: sent again within a day, it is answered as before",
}  # fmt: skip
_IF_NONE_MATCH = {
    "name": "If-None-Match", "in": "header", "required": False, "schema": {"type": "string"},
    "description": "the `ETag` of the answer that you have: 304 if it is still the same",
}  # fmt: skip
