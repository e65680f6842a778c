"""Made-up orders with known fraud, drawn from a seed, to measure the scores. Pure; knows nothing of `scoring`'s points.

Customers have habits: how often they order, for how much, with which device, card and address. Some move, get a new
device, send presents abroad, travel, order several times in an hour, or share a home or a device, so that honest orders
have what fraud has. About 1.5 % of orders are attacks; in 2 % of labels people were wrong about honest orders that look
like fraud, or about fraud. Nobody tuned the points by `takeover`, the attack that is held out.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from fleet.features.fraud.scoring import FileOrder

SEED = 20261124
CUSTOMERS, DAYS = 3_000, 180
ATTACKS = 160
HELD_OUT = "takeover"
LABEL_NOISE = 0.02
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_COUNTRIES = ("DE", "FR", "US", "GB", "PL", "IT")


@dataclass(frozen=True, slots=True)
class LabelledOrder:
    """An order, what it is, and what people said about it later. `attack` is empty for honest ones."""

    order: FileOrder
    attack: str
    is_called_fraud: bool


@dataclass(frozen=True, slots=True)
class _Customer:
    name: str
    country: str
    value: float
    device: str
    card: str
    address: str


def draw(seed: int = SEED, customers: int = CUSTOMERS, attacks: int = ATTACKS) -> list[LabelledOrder]:
    """Return orders by time."""
    dice = random.Random(seed)
    people = [_person(dice, number) for number in range(customers)]
    found = [(order, "") for one in people for order in _honest(dice, one)]
    kinds = list(_ATTACKS)
    for number in range(attacks):
        kind = kinds[number % len(kinds)]
        found += [(order, kind) for order in _ATTACKS[kind](dice, number, people)]
    found.sort(key=lambda one: (one[0].at, one[0].customer))
    return [
        LabelledOrder(replace(order, id=f"{place:06}"), attack, bool(attack) ^ _is_mislabelled(dice, order, attack))
        for place, (order, attack) in enumerate(found)
    ]


def _is_mislabelled(dice: random.Random, order: FileOrder, attack: str) -> bool:
    looks_strange = bool(attack) or order.billing_country != order.shipping_country
    return looks_strange and dice.random() < LABEL_NOISE


def _person(dice: random.Random, number: int) -> _Customer:
    home = number - 1 if number % 20 == 0 and number else number  # some share a home, and a device
    shares_device = home != number and dice.random() < 0.5
    return _Customer(
        f"c{number}", dice.choices(_COUNTRIES, (40, 15, 15, 10, 10, 10))[0], dice.lognormvariate(8.3, 0.6),
        f"d{home if shares_device else number}", f"k{number}", f"a{home}",
    )  # fmt: skip


def _honest(dice: random.Random, one: _Customer) -> Iterator[FileOrder]:
    at = _BEGIN + timedelta(days=dice.uniform(0, 60))
    pause = dice.lognormvariate(3.2, 0.7)
    refunds = 0.25 if dice.random() < 0.03 else 0.03
    while at < _BEGIN + timedelta(days=DAYS):
        for again in range(dice.choices((1, 2, 3), (95, 4, 1))[0]):
            order = _order(dice, one, at + timedelta(minutes=again * dice.uniform(3, 40)))
            if dice.random() < 0.04:
                order = replace(order, device=f"{one.device}-{dice.randrange(10**6)}")
            if dice.random() < 0.03:
                order = replace(order, address=f"present-{dice.randrange(10**9)}", shipping_country=_abroad(dice, one))
            if dice.random() < 0.03:
                order = replace(order, network_country=_abroad(dice, one))
            yield _perhaps_refunded(dice, order, refunds)
        at += timedelta(days=dice.expovariate(1 / pause))


def _order(dice: random.Random, one: _Customer, at: datetime, times: float = 1.0) -> FileOrder:
    value = round(one.value * times * dice.lognormvariate(0, 0.5))
    return FileOrder("", at, one.name, value, one.device, one.card, one.address, one.country, one.country, one.country)


def _perhaps_refunded(dice: random.Random, order: FileOrder, chance: float) -> FileOrder:
    """Return an order whose money is given back some days later, by a chance."""
    is_refunded, days = dice.random() < chance, dice.uniform(2, 14)
    return replace(order, refunded_at=order.at + timedelta(days=days)) if is_refunded else order


def _abroad(dice: random.Random, one: _Customer) -> str:
    return dice.choice([country for country in _COUNTRIES if country != one.country])


def _moment(dice: random.Random) -> datetime:
    return _BEGIN + timedelta(days=dice.uniform(70, DAYS - 10))


def _stranger(dice: random.Random, name: str) -> _Customer:
    value = dice.lognormvariate(8.6, 0.5)
    return _Customer(name, dice.choice(_COUNTRIES), value, f"d-{name}", f"k-{name}", f"a-{name}")


def _card_test(dice: random.Random, number: int, _: list[_Customer]) -> Iterator[FileOrder]:
    """Many stolen cards are tried within minutes, for small amounts."""
    one, at = _stranger(dice, f"tester{number}"), _moment(dice)
    for turn in range(dice.randint(4, 12)):
        at += timedelta(minutes=dice.uniform(0.5, 9))
        yield replace(_order(dice, one, at, 0.2), card=f"stolen{number}-{turn}")


def _stolen_card(dice: random.Random, number: int, people: list[_Customer]) -> Iterator[FileOrder]:
    """The card of a customer pays large orders that go elsewhere."""
    victim, thief = dice.choice(people), _stranger(dice, f"thief{number}")
    at = _moment(dice)
    for _ in range(dice.randint(1, 3)):
        at += timedelta(hours=dice.uniform(0.1, 12))
        yield replace(
            _order(dice, thief, at, 3), card=victim.card, billing_country=victim.country,
            shipping_country=_abroad(dice, victim) if dice.random() < 0.7 else victim.country,
            network_country=_abroad(dice, victim) if dice.random() < 0.6 else victim.country,
        )  # fmt: skip


def _farm(dice: random.Random, number: int, _: list[_Customer]) -> Iterator[FileOrder]:
    """One device makes accounts for the price of a first order."""
    at = _moment(dice)
    for turn in range(dice.randint(4, 9)):
        at += timedelta(hours=dice.uniform(0.2, 20))
        yield replace(_order(dice, _stranger(dice, f"farm{number}-{turn}"), at, 0.7), device=f"farm{number}",
                      address=f"farm{number}" if dice.random() < 0.5 else f"farm{number}-{turn}")  # fmt: skip


def _refunds(dice: random.Random, number: int, _: list[_Customer]) -> Iterator[FileOrder]:
    """A customer orders, claims that nothing arrived, and gets the money back, again and again."""
    one, at = _stranger(dice, f"claimer{number}"), _moment(dice) - timedelta(days=60)
    for _turn in range(dice.randint(5, 8)):
        at += timedelta(days=dice.uniform(3, 12))
        yield _perhaps_refunded(dice, _order(dice, one, at), 0.85)


def _takeover(dice: random.Random, _: int, people: list[_Customer]) -> Iterator[FileOrder]:
    """Somebody has the password of a customer, and orders much to another address."""
    victim, at = dice.choice(people), _moment(dice)
    for turn in range(dice.randint(1, 3)):
        at += timedelta(minutes=dice.uniform(2, 50))
        yield replace(_order(dice, victim, at, 5), device=f"other-{victim.name}", address=f"drop-{victim.name}-{turn}",
                      network_country=_abroad(dice, victim) if dice.random() < 0.5 else victim.country)  # fmt: skip


_ATTACKS: dict[str, Callable[[random.Random, int, list[_Customer]], Iterator[FileOrder]]] = {
    "card test": _card_test, "stolen card": _stolen_card, "device farm": _farm, "refunds": _refunds,
    HELD_OUT: _takeover,
}  # fmt: skip
