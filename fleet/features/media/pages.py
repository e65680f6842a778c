"""Stored pictures for the dashboard's own pages, by key. A key names its bytes, so browsers keep them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import Response

from fleet.access import Permission
from fleet.features.media import api
from fleet.web.auth import TheDeps, needs

router = APIRouter()


@router.get("/media/{shelf}/{file}", dependencies=[needs(Permission.DRAFTS_VIEW)])
def picture(deps: TheDeps, *, shelf: Annotated[str, Path(pattern="^[0-9a-f]{2}$")],
            file: Annotated[str, Path(pattern="^[0-9a-f]{64}[.](png|jpg|webp|gif)$")]) -> Response:  # fmt: skip
    """Return a picture; `shelf/file` is its key."""
    found = api.picture(deps, shelf=shelf, file=file)
    found.headers["cache-control"] = "private, max-age=31536000, immutable"
    return found
