"""The score of an order: points for each reason, added up. Pure: orders come in the order of their times.

Points are set by hand, so that each score can be explained; `sample` draws orders to measure them, and one kind of
attack of the sample was not looked at while they were chosen. A score says that a person should look, and no more.
"""

from __future__ import annotations

import bisect
from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

HOLD = 50
"""From this score on, a person decides about the order."""
MOST = 100
_HOUR, _DAY, _MONTH = timedelta(hours=1), timedelta(days=1), timedelta(days=30)
_MANY_IN_HOUR, _MANY_IN_DAY = 3, 6
_CUSTOMERS_A_DEVICE, _CUSTOMERS_AN_ADDRESS, _CARDS_A_CUSTOMER = 3, 3, 3
_KNOWN_AFTER = 3
_TIMES_USUAL = 4
_HIGH = 0.98
_LEAST_VALUES = 100
_REFUNDS, _REFUND_SHARE = 3, 0.5


_Seen = OrderedDict[str, datetime]
"""When each key was seen last, the earliest first."""


@dataclass(frozen=True, slots=True)
class FileOrder:
    """An order as far as it matters here. Empty texts are unknown. `value` is in minor units of one currency."""

    id: str
    at: datetime
    customer: str
    value: int
    device: str = ""
    card: str = ""
    address: str = ""
    billing_country: str = ""
    shipping_country: str = ""
    network_country: str = ""
    refunded_at: datetime | None = None
    """When its money was given back; counted for the customer's orders after that."""


@dataclass(frozen=True, slots=True)
class FraudReason:
    """One reason, its points, and a sentence for people."""

    name: str
    points: int
    words: str


@dataclass(frozen=True, slots=True)
class FraudScore:
    """A score of 0 to 100 with its reasons, most points first."""

    value: int
    reasons: tuple[FraudReason, ...]

    def holds(self, bar: int = HOLD) -> bool:
        """Return whether a person should decide about the order."""
        return self.value >= bar


class OrderHistory:
    """What is known of earlier orders. `score` looks at an order before `add` makes it history."""

    def __init__(self) -> None:
        self._lately: dict[tuple[str, str], deque[datetime]] = defaultdict(deque)
        self._customers: dict[tuple[str, str], _Seen] = defaultdict(OrderedDict)
        self._cards: dict[str, _Seen] = defaultdict(OrderedDict)
        self._own: dict[str, list[int]] = defaultdict(list)
        self._devices: dict[str, set[str]] = defaultdict(set)
        self._addresses: dict[str, set[str]] = defaultdict(set)
        self._refunds: dict[str, list[datetime]] = defaultdict(list)
        self._values: list[int] = []

    def score(self, order: FileOrder) -> FraudScore:
        """Return the score of an order by the orders before it."""
        rules = (self._velocity, self._repeats, self._countries, self._worth, self._habits, self._given_back)
        found = sorted((one for rule in rules for one in rule(order)), key=lambda one: (-one.points, one.name))
        return FraudScore(min(MOST, sum(one.points for one in found)), tuple(found))

    def add(self, order: FileOrder) -> None:
        """Make an order part of the history."""
        for key in _keys(order):
            times = self._lately[key]
            times.append(order.at)
            while times[0] < order.at - _DAY:
                times.popleft()
        for kind, place in (("device", order.device), ("address", order.address), ("card", order.card)):
            if place:
                _see(self._customers[kind, place], order.customer, order.at)
        if order.card:
            _see(self._cards[order.customer], order.card, order.at)
        bisect.insort(self._own[order.customer], order.value)
        bisect.insort(self._values, order.value)
        self._devices[order.customer].add(order.device)
        self._addresses[order.customer].add(order.address)
        if order.refunded_at is not None:
            self._refunds[order.customer].append(order.refunded_at)

    def _velocity(self, order: FileOrder) -> Iterator[FraudReason]:
        for kind, key in _keys(order):
            times = self._lately.get((kind, key), ())
            hour = 1 + sum(order.at - _HOUR <= one for one in times)
            day = 1 + sum(order.at - _DAY <= one for one in times)
            if hour >= _MANY_IN_HOUR:
                yield FraudReason("velocity", 30, f"{hour} orders of the same {kind} in an hour")
                return
            if day >= _MANY_IN_DAY:
                yield FraudReason("velocity", 20, f"{day} orders of the same {kind} in a day")
                return

    def _repeats(self, order: FileOrder) -> Iterator[FraudReason]:
        since = order.at - _MONTH
        device, address, card = (
            _count(self._customers.get((kind, key), OrderedDict()), order.customer, since) if key else 0
            for kind, key in (("device", order.device), ("address", order.address), ("card", order.card))
        )
        if device >= _CUSTOMERS_A_DEVICE:
            points = 40 if device == _CUSTOMERS_A_DEVICE else 55
            yield FraudReason("device", points, f"{device} customers with the same device in 30 days")
        if address >= _CUSTOMERS_AN_ADDRESS:
            yield FraudReason("address", 25, f"{address} customers with the same address in 30 days")
        if card > 1:
            yield FraudReason("card", 35, f"{card} customers with the same card in 30 days")
        cards = self._cards.get(order.customer, OrderedDict())
        own = _count(cards, order.card, order.at - _DAY) - (not order.card)  # an unknown card is no further one
        if own >= _CARDS_A_CUSTOMER:
            yield FraudReason("cards", 40, f"{own} cards of one customer in a day")

    def _countries(self, order: FileOrder) -> Iterator[FraudReason]:
        billing = order.billing_country
        if billing and order.shipping_country and billing != order.shipping_country:
            yield FraudReason("shipping", 20, f"billed in {billing}, sent to {order.shipping_country}")
        if billing and order.network_country and billing != order.network_country:
            yield FraudReason("network", 20, f"billed in {billing}, ordered from {order.network_country}")

    def _worth(self, order: FileOrder) -> Iterator[FraudReason]:
        own = self._own.get(order.customer, [])
        if len(own) >= _KNOWN_AFTER:
            usual = own[len(own) // 2]
            if order.value > _TIMES_USUAL * usual:
                yield FraudReason(
                    "value", 20, f"{order.value / max(usual, 1):.0f} times what this customer usually spends"
                )
        elif len(self._values) >= _LEAST_VALUES and order.value > self._values[int(_HIGH * len(self._values))]:
            yield FraudReason("value", 20, f"a new customer, and more than {_HIGH:.0%} of orders")

    def _habits(self, order: FileOrder) -> Iterator[FraudReason]:
        if len(self._own.get(order.customer, ())) < _KNOWN_AFTER:
            return
        is_device = bool(order.device) and order.device not in self._devices[order.customer]
        is_address = bool(order.address) and order.address not in self._addresses[order.customer]
        if is_device and is_address:
            yield FraudReason("habits", 20, "a known customer with a new device and a new address")

    def _given_back(self, order: FileOrder) -> Iterator[FraudReason]:
        count = len(self._own.get(order.customer, ()))
        given_back = sum(one <= order.at for one in self._refunds.get(order.customer, ()))
        if given_back >= _REFUNDS and given_back >= _REFUND_SHARE * count:
            yield FraudReason("refunds", 50, f"{given_back} of {count} orders of this customer were refunded")


def score_all(orders: Iterable[FileOrder]) -> Iterator[tuple[FileOrder, FraudScore]]:
    """Yield orders by time with their scores, each by the orders before it alone."""
    history = OrderHistory()
    for one in sorted(orders, key=lambda one: (one.at, one.id)):
        yield one, history.score(one)
        history.add(one)


def _keys(order: FileOrder) -> Iterator[tuple[str, str]]:
    for kind, key in (("customer", order.customer), ("card", order.card), ("device", order.device)):
        if key:
            yield kind, key


def _see(seen: _Seen, key: str, at: datetime) -> None:
    seen[key] = at
    seen.move_to_end(key)


def _count(seen: _Seen, key: str, since: datetime) -> int:
    """Return how many keys were seen since a moment, this one too. Forgets earlier ones: orders come by time."""
    while seen and seen[next(iter(seen))] < since:
        seen.popitem(last=False)
    return len(seen) + (key not in seen)
