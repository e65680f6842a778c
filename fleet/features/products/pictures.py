"""The files of pictures of products: shops that take no addresses are sent them, and they tell two pictures apart."""

from __future__ import annotations

import base64
import hashlib
import uuid

import sqlalchemy as sa

from fleet.adapters.shops import ProductImage
from fleet.engine.deps import Deps
from fleet.features.media import service as media
from fleet.features.products.models import ProductRow

_ADDRESSES = ("https://", "http://")


def with_file(deps: Deps, image: ProductImage, *, within_s: float) -> ProductImage:
    """Return an image with its file as a data URL, and its digest; one that is no address as it is.

    Fetches the address once for the fleet. Raises the errors of `media.keep_picture`.
    """
    if not image.url.startswith(_ADDRESSES) or not media.keeps_pictures(deps):
        return image
    kept = media.keep_picture(deps, image.url, within_s=within_s)
    data = media.picture_bytes(deps, kept.key)
    url = f"data:{kept.content_type};base64,{base64.b64encode(data).decode()}"
    return ProductImage(url, image.alt_text, hashlib.sha256(data).hexdigest(), image.id)


def note_digests(deps: Deps, product_id: uuid.UUID, digests: dict[str, str]) -> None:
    """Note the digests of a product's pictures by their addresses. That is no change of the product."""
    with deps.db.transaction() as tx:
        row = tx.session.get(ProductRow, product_id, populate_existing=True, with_for_update=True)
        if row is None:
            return
        images = [{**one, "digest": one["digest"] or digests.get(one["url"], "")} for one in row.images]
        if images != row.images:
            tx.execute(sa.update(ProductRow).where(ProductRow.id == product_id).values(images=images)
                       .execution_options(synchronize_session=False))  # fmt: skip
