"""The redirect of short links: open to everybody. It follows stored targets alone, and stores nothing of a visitor."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import RedirectResponse, Response

from fleet.features.links import rules, service
from fleet.web.auth import Open, TheDeps
from fleet.web.problems import problem

router = APIRouter(tags=["links"])
_HEADERS = {"cache-control": "no-store", "referrer-policy": "no-referrer", "x-robots-tag": "noindex"}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    302: {"description": "the target of the link"},
    404: {"description": "no such link"},
}


@router.get("/l/{code}", dependencies=[Open], status_code=302, response_class=Response, responses=_ANSWERS)
def follow(request: Request, deps: TheDeps, code: Annotated[str, Path(max_length=20)]) -> Response:
    """Lead to the target of a short link, and count the visit."""
    return _led(deps, code, is_counted=rules.is_counted(request.headers))


@router.head("/l/{code}", dependencies=[Open], status_code=302, response_class=Response, responses=_ANSWERS)
def look(deps: TheDeps, code: Annotated[str, Path(max_length=20)]) -> Response:
    """Return where a short link leads, without counting."""
    return _led(deps, code, is_counted=False)


def _led(deps: TheDeps, code: str, *, is_counted: bool) -> Response:
    target = service.follow(deps, code, is_counted=is_counted)
    if target is None:
        return problem(404, "There is no such link.")
    return RedirectResponse(target, 302, headers=_HEADERS)
