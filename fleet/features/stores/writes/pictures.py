"""The pictures that a write sends: as files where the shop takes files, with digests by which they are found again."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from fleet.adapters import registry as adapters
from fleet.adapters.base import Refused
from fleet.adapters.shops import ProductImage
from fleet.core.errors import FleetError
from fleet.engine.attempts.work import Work
from fleet.features.products import pictures
from fleet.features.products import service as catalogue
from fleet.images.errors import OutOfReach

_FETCH_S = 20.0


def for_shop(
    work: Work, product_id: uuid.UUID, images: Sequence[ProductImage], there: Sequence[Mapping[str, Any]] = ()
) -> tuple[ProductImage, ...]:  # fmt: skip
    """Return images as the adapter takes them; `there` has those that the shop had when it was read.

    Raises OutOfReach, and Refused for a picture that a shop needs as a file and that cannot be fetched.
    """
    rule = adapters.get(work.gateway.adapter.name).pictures
    if rule is None:
        return tuple(images)
    ids = {str(one.get("url")): str(one.get("id", "")) for one in there}
    found, digests = [], dict[str, str]()
    for image in images:
        if known := ids.get(image.url):
            found.append(replace(image, id=known))
            continue
        try:
            one = pictures.with_file(work.deps, image, within_s=min(_FETCH_S, work.lease.left_s() / 2))
        except FleetError as error:
            if rule.by_url:
                one = image  # the shop fetches it itself
            elif isinstance(error, OutOfReach):
                raise
            else:
                raise Refused(f"a picture cannot be sent as a file: {error}") from error
        if one.digest:
            digests[image.url] = one.digest
        found.append(replace(image, digest=one.digest) if rule.by_url else one)
    if digests:
        pictures.note_digests(work.deps, product_id, digests)
    return tuple(found)


def note_digests(work: Work, product_id: uuid.UUID) -> None:
    """Note the digests of a product's pictures before they are sent: by these they are found when they are read back.

    A picture that cannot be fetched has none; the job that sends it tells why.
    """
    if adapters.get(work.gateway.adapter.name).pictures is None:
        return
    with work.deps.db.transaction() as tx:
        images = catalogue.images_of(catalogue.get(tx, product_id))
    digests = dict[str, str]()
    for image in images:
        if not image.digest:
            with suppress(FleetError):
                within_s = min(_FETCH_S, work.lease.left_s() / 2)
                digests[image.url] = pictures.with_file(work.deps, image, within_s=within_s).digest
    if digests:
        pictures.note_digests(work.deps, product_id, digests)
