"""Images of products: each picture is uploaded once for a shop, since Vendure stores every upload as a new asset.

The name of an asset carries the SHA-256 of the picture as Fleet had it, so every process finds it again.
"""

from __future__ import annotations

from collections.abc import Sequence

from fleet.adapters import base
from fleet.adapters.answers import dict_of, dicts_of, text_of
from fleet.adapters.manifest import MediaRule, MediaTools
from fleet.adapters.network import CallDeadline
from fleet.adapters.shops import ProductImage, digest_of
from fleet.adapters.social import is_data_url, read_data_url
from fleet.adapters.vendure import documents, wire
from fleet.adapters.vendure.admin_api import AdminApi

PICTURES = MediaRule(
    most=20, types=("image/jpeg", "image/png", "image/webp", "image/gif"), most_bytes=20_000_000, best_ratio=1.0
)
_ENDINGS = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp", "image/gif": "gif"}


class ImageStore:
    """The assets of one shop."""

    def __init__(self, api: AdminApi, media: MediaTools) -> None:
        self._api = api
        self._media = media

    def asset_ids(self, images: Sequence[ProductImage], deadline: CallDeadline) -> list[str]:
        """Return the ids of the assets of images, in their order; upload those that the shop has not. Raises Refused.

        An image is a data URL, the `id` of an asset, or the `digest` of one that Fleet uploaded.
        """
        if len(images) > PICTURES.most:
            raise base.Refused(f"a product has at most {PICTURES.most} images")
        digests = [digest_of(one) for one in images]
        known = self._known(digests, deadline)
        ids = []
        for image, digest in zip(images, digests, strict=True):
            found = known.get(digest) or image.id
            if not found and digest:
                found = known[digest] = self._upload(image, digest, deadline)
            if not found:
                raise base.Refused("an image has no data, and the shop does not have it: Fleet sends files alone")
            ids.append(found)
        return ids

    def _known(self, digests: Sequence[str], deadline: CallDeadline) -> dict[str, str]:
        names = [f"fleet-{one}.{ending}" for one in dict.fromkeys(digests) if one for ending in _ENDINGS.values()]
        if not names:
            return {}
        data = self._api.read(documents.ASSETS, {"names": names}, timeout_s=deadline.left_s)
        found: dict[str, str] = {}
        for one in dicts_of(dict_of(data.get("assets")).get("items")):
            found.setdefault(wire.digest_of(text_of(one.get("name"), 200)), wire.id_of(one.get("id")))
        return {digest: asset for digest, asset in found.items() if digest and asset}

    def _upload(self, image: ProductImage, digest: str, deadline: CallDeadline) -> str:
        if not is_data_url(image.url):
            return ""
        file = self._media.fit(read_data_url(image.url), PICTURES)
        name = f"fleet-{digest}.{_ENDINGS.get(file.content_type, 'jpg')}"
        found = self._api.upload(documents.CREATE_ASSET, name, file, timeout_s=deadline.left_s)
        asset = wire.id_of(dict_of(found).get("id"))
        if not asset:
            raise base.Uncertain("the shop's answer names no asset")
        return asset
