"""Prices of models: a table of list prices with dates, the cost of a call, and its maximum cost.

Called by `fleet.llm.writer` to price usage and by budgets. Pure. Prices are integer microusd for a million tokens
($1.25 is 1_250_000), so no cost is ever a float. A model without a price is refused, never free.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal, InvalidOperation

from fleet.core.errors import InvalidInput
from fleet.llm.base import Usage

MILLION = 1_000_000
_DEAREST_USD = 100_000
"""For a million tokens. What costs more is a typing error, and its amounts would be too long for a ledger."""
HOUR_PERCENT = 160
"""Of the price of writing to the cache for five minutes: 2 of the input's price to its 1.25."""
_DATED = re.compile(
    r"-(?:\d{8}|\d{4}-\d{2}-\d{2})$"
)  # a snapshot, such as gpt-6-luna-2026-09-22, costs what its model does


@dataclass(frozen=True, slots=True)
class Price:
    """List prices from a day on, in microusd for a million tokens.

    `cache_write` is for the shortest cache; a cache of an hour costs `HOUR_PERCENT` of it. Requests whose whole prompt
    is longer than `long_above_tokens` cost more in all their tokens: input and cache by `long_input_percent`, output by
    `long_output_percent`.
    """

    since: date
    input: int
    cache_read: int
    cache_write: int
    output: int
    batch_percent: int = 50
    long_above_tokens: int | None = None
    long_input_percent: int = 100
    long_output_percent: int = 100

    def for_prompt_of(self, tokens: int) -> Price:
        """Return the prices for a prompt of so many tokens, cached ones included."""
        if self.long_above_tokens is None or tokens <= self.long_above_tokens:
            return self
        return replace(
            self,
            input=self.input * self.long_input_percent // 100,
            cache_read=self.cache_read * self.long_input_percent // 100,
            cache_write=self.cache_write * self.long_input_percent // 100,
            output=self.output * self.long_output_percent // 100,
        )


def _row(since: str, usd: tuple[str, str, str, str], *, long: tuple[int, int, int] | None = None) -> Price:
    """Build a row from dollars for a million tokens: input, cache read, cache write of the shortest life, output."""
    fresh, read, write, output = (int(Decimal(dollars) * MILLION) for dollars in usd)
    above, input_percent, output_percent = long or (None, 100, 100)
    return Price(
        date.fromisoformat(since), fresh, read, write, output, long_above_tokens=above,
        long_input_percent=input_percent, long_output_percent=output_percent,
    )  # fmt: skip


_LONG_OPENAI = (272_000, 200, 150)

LIST_PRICES: Mapping[str, tuple[Price, ...]] = {
    # The vendors' pages as of November 2026. A batch costs half of everything.
    "claude-haiku-5-5": (_row("2026-10-07", ("0.10", "0.01", "0.125", "0.50"), long=(100_000, 500, 500)),),
    "claude-haiku-4-5": (_row("2025-10-15", ("1", "0.10", "1.25", "5")),),
    "claude-sonnet-5-5": (
        _row("2026-09-28", ("2", "0.20", "2.50", "10")),
        _row("2026-10-07", ("2", "0.10", "2.50", "10")),
    ),
    "claude-sonnet-5": (_row("2026-06-30", ("2", "0.20", "2.50", "10")),),
    "claude-opus-5-5": (_row("2026-09-22", ("4", "0.20", "5", "20")),),
    "claude-opus-5": (_row("2026-07-24", ("5", "0.50", "6.25", "25")),),
    "gpt-6-luna": (_row("2026-09-22", ("0.10", "0.01", "0.125", "0.50"), long=_LONG_OPENAI),),
    "gpt-6.1-terra": (_row("2026-10-26", ("1", "0.05", "1.25", "5"), long=_LONG_OPENAI),),
    "gpt-5.6-luna": (_row("2026-07-09", ("0.20", "0.02", "0.25", "1.20"), long=_LONG_OPENAI),),
}


@dataclass(frozen=True, slots=True)
class Prices:
    """The price list in force: the shipped one, overridden by the owner's."""

    owner: Mapping[str, Price]
    listed: Mapping[str, tuple[Price, ...]]

    def of(self, model: str, on: date) -> Price:
        """Return a model's price on a day; before its first row, the first. Raises InvalidInput when there is none."""
        for name in (model, _DATED.sub("", model)):
            if name in self.owner:
                return self.owner[name]
            if name in self.listed:
                rows = sorted(self.listed[name], key=lambda row: row.since)
                return next((row for row in reversed(rows) if row.since <= on), rows[0])
        raise InvalidInput(
            f"There is no price for the model {model!r}, so it is not used.",
            fix=f"Set it in dollars per million tokens: FLEET_LLM_PRICES={model}=INPUT/OUTPUT , 0/0 if it is your own.",
        )

    def cost(self, usage: Usage, on: date) -> int:
        """Return what a call cost in microusd, rounded up. Raises InvalidInput for a model without a price."""
        prompt = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens
        price = self.of(usage.model, on).for_prompt_of(prompt)
        total = (
            usage.input_tokens * price.input
            + usage.cache_read_tokens * price.cache_read
            + usage.cache_write_tokens * price.cache_write
            + usage.cache_hour_tokens * (price.cache_write * (HOUR_PERCENT - 100) // 100)
            + usage.output_tokens * price.output
        )
        return _round_up(total * (price.batch_percent if usage.batch else 100), MILLION * 100)

    def at_most(self, model: str, on: date, *, input_tokens: int, output_tokens: int, batch: bool = False) -> int:
        """Return the most that a call within these limits can cost in microusd, however its input is cached."""
        worst = 0
        for prompt in {input_tokens, min(input_tokens, self.of(model, on).long_above_tokens or input_tokens)}:
            price = self.of(model, on).for_prompt_of(prompt)
            dearest = max(price.input, price.cache_read, price.cache_write * HOUR_PERCENT // 100)
            total = prompt * dearest + output_tokens * price.output
            worst = max(worst, _round_up(total * (price.batch_percent if batch else 100), MILLION * 100))
        return worst


def _round_up(amount: int, by: int) -> int:
    return -(-amount // by)


def price_list(said: Iterable[str] = ()) -> Prices:
    """Return the shipped prices, overridden by the owner's.

    Each of `said` is `model=input/output` or `model=input/cache read/cache write/output`, in dollars for a million
    tokens. Raises InvalidInput for anything else.
    """
    return Prices(dict(_said(one) for one in said), LIST_PRICES)


def _said(one: str) -> tuple[str, Price]:
    model, _, rates = one.rpartition("=")
    try:
        dollars = [Decimal(rate) for rate in rates.split("/")]
        amounts = [int(amount * MILLION) for amount in dollars if 0 <= amount <= _DEAREST_USD]
    except InvalidOperation:  # no number, or NaN
        dollars, amounts = [], []
    if not model.strip() or len(amounts) not in (2, 4) or len(amounts) < len(dollars):
        raise InvalidInput(
            f"FLEET_LLM_PRICES: {one!r} is no price.",
            fix="Write MODEL=INPUT/OUTPUT in dollars for a million tokens, several separated by commas.",
        )
    if len(amounts) == 2:
        amounts = [amounts[0], amounts[0], amounts[0] * 125 // 100, amounts[1]]
    return model.strip(), Price(date.min, *amounts)
