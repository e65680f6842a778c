"""The parts of one running gallery. Built by `app`, passed to every endpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from fleet.sandbox.gallery.auth import ServiceTokens
from fleet.sandbox.gallery.config import GalleryConfig
from fleet.sandbox.gallery.faults import Faults
from fleet.sandbox.gallery.limits import VisitorLimits
from fleet.sandbox.gallery.live import ChangeHub
from fleet.sandbox.gallery.pictures import Pictures
from fleet.sandbox.gallery.store.database import Storage


@dataclass(frozen=True, slots=True)
class Gallery:
    """The parts of one gallery."""

    config: GalleryConfig
    storage: Storage
    pictures: Pictures
    tokens: ServiceTokens
    faults: Faults
    hub: ChangeHub
    limits: VisitorLimits


def of_request(request: Request) -> Gallery:
    """Return the gallery that serves a request."""
    gallery: Gallery = request.app.state.gallery
    return gallery


GalleryDep = Annotated[Gallery, Depends(of_request)]
