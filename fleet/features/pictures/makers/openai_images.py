"""OpenAI's images API, and any server that speaks it. The only file that knows its form.

OpenAI's models answer with base64; other servers also with an address, which is fetched from their own origin.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from fleet.core.clock import monotonic_s
from fleet.features.pictures.makers.base import LONGEST_PROMPT_CHARS, MadePicture, PictureRequest, nearest
from fleet.features.pictures.makers.calling import PictureAnswer, ProviderClient
from fleet.features.pictures.makers.prices import PicturePrices
from fleet.llm.base import MOST_TOKENS, Usage
from fleet.llm.errors import Malformed, RefusedByModel, Rejected, Transient

_SHAPES = {"1024x1024": 1.0, "1536x1024": 1.5, "1024x1536": 2 / 3}
_REFUSED = ("moderation_blocked", "content_policy_violation", "safety system")


class OpenAIImages:
    """One model at OpenAI, or at a server with its API. `is_own`: such a server, which may lack OpenAI's options."""

    def __init__(self, client: ProviderClient, prices: PicturePrices, *, quality: str, is_own: bool = False) -> None:
        self.name, self.model = client.provider, client.model
        self._client, self._prices, self._quality, self._is_own = client, prices, quality, is_own

    def estimate(self, request: PictureRequest) -> int:
        """Return the maximum cost of a picture. Raises InvalidInput for a model without a price."""
        return self._prices.at_most(self.model, self._quality, _SHAPES[_size(request)], request.prompt)

    def make(self, request: PictureRequest) -> MadePicture:
        """Have a picture drawn. Raises ModelError."""
        began_s = monotonic_s()
        try:
            answer = self._ask(request, ["quality", "response_format"] if self._is_own else ["quality"])
        except Rejected as error:
            if any(sign in error.message.casefold() for sign in _REFUSED):
                raise RefusedByModel(error.message, error.usage) from error
            if not self._is_own or "400" not in error.message[:4]:
                raise
            answer = self._ask(request, [])  # a refused option cost nothing
        body = answer.json()
        usage = self._usage(request, body.get("usage"), monotonic_s() - began_s)
        found = body.get("data")
        first = found[0] if isinstance(found, list) and found and isinstance(found[0], dict) else {}
        if isinstance(first.get("b64_json"), str):
            try:
                return MadePicture(base64.b64decode(first["b64_json"], validate=True), usage)
            except (binascii.Error, ValueError) as error:
                raise Malformed("the picture in the answer is no base64", usage) from error
        if isinstance(first.get("url"), str):
            try:
                return MadePicture(self._client.fetch(first["url"], frozenset(), within_s=request.within_s), usage)
            except Transient as error:
                raise Transient(error.message, usage, unmetered=True) from error
        raise Malformed("the answer has no picture", usage)

    def _ask(self, request: PictureRequest, options: list[str]) -> PictureAnswer:
        known = {"quality": self._quality, "response_format": "b64_json"}
        wanted: dict[str, Any] = {
            "model": self.model, "prompt": request.prompt[:LONGEST_PROMPT_CHARS], "n": 1, "size": _size(request),
            **{name: known[name] for name in options if known[name]},
        }  # fmt: skip
        return self._client.post(
            "/images/generations", json.dumps(wanted).encode(), "application/json", within_s=request.within_s,
            accept="application/json",
        )  # fmt: skip

    def _usage(self, request: PictureRequest, counted: object, took_s: float) -> Usage:
        counts = counted if isinstance(counted, dict) else {}
        taken = [counts.get("input_tokens"), counts.get("output_tokens")]
        tokens = [one for one in taken if type(one) is int and 0 <= one <= MOST_TOKENS]
        told = (tokens[0], tokens[1]) if len(tokens) == 2 else None
        cost = self._prices.cost(self.model, self._quality, _SHAPES[_size(request)], request.prompt, told)
        spent = {"input_tokens": told[0], "output_tokens": told[1]} if told else {}
        return self._client.usage(took_s, microusd=cost, **spent)


def _size(request: PictureRequest) -> str:
    return nearest(request.ratio, _SHAPES)
