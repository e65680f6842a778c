"""The API of stored pictures: those of drafts, by the key that a draft names."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import Response

from fleet.access import Permission
from fleet.features.media import service as media
from fleet.images.objects import ENDINGS
from fleet.web.auth import TheDeps, needs

router = APIRouter(prefix="/media", tags=["media"])

_TYPES = {ending: media_type for media_type, ending in ENDINGS.items()}
_FILE: dict[str, object] = {"schema": {"type": "string", "format": "binary"}}


@router.get(
    "/{shelf}/{file}", dependencies=[needs(Permission.DRAFTS_VIEW)], response_class=Response,
    responses={200: {"description": "the picture", "content": dict.fromkeys(ENDINGS, _FILE)}},
)  # fmt: skip
def picture(deps: TheDeps, *, shelf: Annotated[str, Path(pattern="^[0-9a-f]{2}$")],
            file: Annotated[str, Path(pattern="^[0-9a-f]{64}[.](png|jpg|webp|gif)$")]) -> Response:  # fmt: skip
    """Return a picture; `shelf/file` is its key."""
    data = media.picture_bytes(deps, f"{shelf}/{file}")
    return Response(data, media_type=_TYPES[file.rpartition(".")[2]])
