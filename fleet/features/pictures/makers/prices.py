"""Prices of pictures, in millionths of a US dollar: the vendors' lists of 2026, overridden by the operator's. Pure.

A model without a price is not used, as with words: its budget would be a guess.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from types import MappingProxyType

from fleet.core.errors import InvalidInput

_DEAREST_USD = 1000
_LARGER_PERCENT = 150
"""What a picture that is no square costs at most, compared with a square of the same quality."""


@dataclass(frozen=True, slots=True)
class TokenRates:
    """Microusd for a million tokens."""

    text_in: int
    image_out: int


_SQUARES: Mapping[str, Mapping[str, int]] = MappingProxyType({
    "gpt-image-2": {"low": 6_000, "medium": 53_000, "high": 211_000},
    "gpt-image-1.5": {"low": 9_000, "medium": 34_000, "high": 133_000},
    "gpt-image-1": {"low": 11_000, "medium": 42_000, "high": 167_000},
})  # fmt: skip
_RATES: Mapping[str, TokenRates] = MappingProxyType({
    "gpt-image-2": TokenRates(5_000_000, 30_000_000),
    "gpt-image-1.5": TokenRates(5_000_000, 32_000_000),
    "gpt-image-1": TokenRates(5_000_000, 40_000_000),
})  # fmt: skip
_FLAT: Mapping[str, int] = MappingProxyType({"stable-image-core": 30_000, "stable-image-ultra": 80_000})
"""Stability's credits (3 and 8) at a cent each."""


@dataclass(frozen=True, slots=True)
class PicturePrices:
    """The prices in force. `own` is in microusd for a picture, by model."""

    own: Mapping[str, int]

    def at_most(self, model: str, quality: str, ratio: float, prompt: str) -> int:
        """Return the most that a picture costs. Raises InvalidInput for a model without a price."""
        if model in self.own:
            return self.own[model]
        if model in _FLAT:
            return _FLAT[model]
        if model not in _SQUARES:
            raise InvalidInput(
                f"There is no price for the model {model!r}, so it draws no pictures.",
                fix=f"Set it in dollars for a picture: FLEET_PICTURE_PRICES={model}=0.04 , 0 if it is your own.",
            )
        square = _SQUARES[model].get(quality, max(_SQUARES[model].values()))
        words = len(prompt) * _RATES[model].text_in // 1_000_000  # a character is a token at most
        return (square if abs(ratio - 1) < 0.01 else square * _LARGER_PERCENT // 100) + words

    def cost(self, model: str, quality: str, ratio: float, prompt: str, tokens: tuple[int, int] | None) -> int:
        """Return what a picture cost: by its tokens (in, out) if the server counts them, else the listed price."""
        rates = _RATES.get(model)
        if model in self.own or rates is None or tokens is None:
            return self.at_most(model, quality, ratio, prompt)
        return -(-(tokens[0] * rates.text_in + tokens[1] * rates.image_out) // 1_000_000)


def prices_of(said: Iterable[str]) -> PicturePrices:
    """Return the prices with those of the operator, each `MODEL=DOLLARS`. Raises InvalidInput."""
    return PicturePrices(dict(_own(one) for one in said))


def _own(one: str) -> tuple[str, int]:
    model, _, written = one.rpartition("=")
    try:
        dollars = Decimal(written)
        is_price = bool(model.strip()) and 0 <= dollars <= _DEAREST_USD
    except InvalidOperation:  # no number, or NaN
        is_price = False
    if not is_price:
        raise InvalidInput(
            f"FLEET_PICTURE_PRICES: {one[:60]!r} is no price.",
            fix="Write MODEL=DOLLARS for one picture, several separated by commas.",
        )
    return model.strip(), int(dollars * 1_000_000)
