"""Stability AI's Stable Image API (v2beta): Core and Ultra. The only file that knows its form."""

from __future__ import annotations

import secrets

from fleet.core.clock import monotonic_s
from fleet.features.pictures.makers.base import LONGEST_PROMPT_CHARS, MadePicture, PictureRequest, nearest
from fleet.features.pictures.makers.calling import ProviderClient, form_data
from fleet.features.pictures.makers.prices import PicturePrices
from fleet.llm.errors import Malformed, RefusedByModel

_SHAPES = {
    "1:1": 1.0,
    "16:9": 16 / 9,
    "9:16": 9 / 16,
    "3:2": 1.5,
    "2:3": 2 / 3,
    "5:4": 1.25,
    "4:5": 0.8,
    "21:9": 21 / 9,
}
_SEEDS = 4_294_967_294


class StabilityImages:
    """One of Stability's models."""

    def __init__(self, client: ProviderClient, prices: PicturePrices) -> None:
        self.name, self.model = client.provider, client.model
        self._client, self._prices = client, prices

    def estimate(self, request: PictureRequest) -> int:
        """Return the cost of a picture. Raises InvalidInput for a model without a price."""
        return self._prices.at_most(self.model, "", request.ratio, request.prompt)

    def make(self, request: PictureRequest) -> MadePicture:
        """Have a picture drawn. Raises ModelError. A filtered one is refused and costs nothing."""
        began_s = monotonic_s()
        fields = {
            "prompt": request.prompt[:LONGEST_PROMPT_CHARS], "output_format": "png",
            "aspect_ratio": nearest(request.ratio, _SHAPES), "seed": str(request.seed % _SEEDS),
        }  # fmt: skip
        body, kind = form_data(fields, f"fleet{secrets.token_hex(16)}")
        path = f"/v2beta/stable-image/generate/{self.model.removeprefix('stable-image-')}"
        answer = self._client.post(path, body, kind, within_s=request.within_s, accept="image/*")
        reason = answer.headers.get("finish-reason", "SUCCESS")
        took_s = monotonic_s() - began_s
        if reason != "SUCCESS":
            raise RefusedByModel(f"Stability filtered the picture ({reason[:40]})", self._client.usage(took_s))
        usage = self._client.usage(took_s, microusd=self.estimate(request))
        if not answer.body:
            raise Malformed("the answer has no picture", usage)
        return MadePicture(answer.body, usage)
