"""Simulated customers and staff: they place orders at the tempo of the fleet, pay, cancel, pack and deliver.

One thread; the times and choices come from a seeded generator. Off by default in tests.
"""

from __future__ import annotations

import threading
from random import Random

import sqlalchemy as sa

from fleet.core import logs
from fleet.sandbox.gallery.errors import ApiError
from fleet.sandbox.shop.api import orders as order_api
from fleet.sandbox.shop.api.bodies import OrderStateBody
from fleet.sandbox.shop.state import Shop
from fleet.sandbox.shop.store import orders
from fleet.sandbox.shop.store.tables import products, variants

_HOUR_S = 3600.0
_LONGEST_S = 3600.0
_NAMES = (
    "Ana Sousa", "Bram de Wit", "Chiara Conti", "Dario Novak", "Elin Berg", "Farid Haddad", "Greta Vogel", "Hugo Petit",
    "Ines Prado", "Jonas Lind", "Katya Orlova", "Liam Byrne", "Mira Horvat", "Noor Bakker", "Otto Maly", "Pia Rossi",
)  # fmt: skip
_COUNTRIES = ("PT", "NL", "IT", "HR", "SE", "FR", "DE", "ES", "IE", "CZ")
_NEXT = {"confirmed": "processing", "processing": "shipped", "shipped": "delivered"}
_CANCELLED = 0.06
_REASON = "The customer changed their mind."

log = logs.get(__name__)


class CustomerTraffic:
    """The thread. `step` does what one visit does; tests call it without the thread."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._rng = Random(shop.config.seed)
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, unless the configuration has no customers."""
        if self._shop.config.orders_per_hour > 0:
            self._thread = threading.Thread(target=self._run, name="shop-customers", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Send everybody home."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(5.0)

    def step(self) -> None:
        """Have one customer order, and the staff work on one older order."""
        with self._shop.change() as tx:
            self._order(tx)
        with self._shop.change() as tx:
            self._work(tx)

    def _run(self) -> None:
        config = self._shop.config
        a_second = config.orders_per_hour * config.tempo / _HOUR_S
        while not self._ended.wait(min(_LONGEST_S, self._rng.expovariate(a_second))):
            try:
                self.step()
            except sa.exc.DBAPIError as error:
                log.warning("shop_database_away", error=logs.mask(str(error).split("\n", maxsplit=1)[0]))

    def _order(self, tx: sa.Connection) -> None:
        count = min(1 + int(self._rng.expovariate(1.2)), 4)
        query = (
            sa.select(variants.c.id).join(products, products.c.id == variants.c.product_id)
            .where(products.c.status == "active").order_by(variants.c.id)
        )  # fmt: skip
        for_sale = list(tx.scalars(query))
        if not for_sale:
            return
        chosen = self._rng.sample(for_sale, min(count, len(for_sale)))
        name = self._rng.choice(_NAMES)
        email = f"{name.lower().replace(' ', '.')}@example.com"
        customer = {"name": name, "email": email, "country": self._rng.choice(_COUNTRIES)}
        lines = [(one, 1 + int(self._rng.random() < 0.2)) for one in chosen]
        try:
            with tx.begin_nested():
                order_api.place(tx, self._shop, lines, customer, is_paid=self._rng.random() < 0.85)
        except ApiError as error:  # sold out: the customer leaves
            log.info("shop_customer_left", reason=error.code)

    def _work(self, tx: sa.Connection) -> None:
        waiting = orders.oldest_in(tx, ["pending", *_NEXT], limit=20)
        if len(waiting) < 4:  # young orders stay for a while, for people to look at
            return
        order_id, state = self._rng.choice(waiting[: len(waiting) // 2])
        if state == "pending":
            following = "cancelled" if self._rng.random() < 0.4 else "confirmed"
        else:
            is_cancelled = state != "shipped" and self._rng.random() < _CANCELLED
            following = "cancelled" if is_cancelled else _NEXT[state]
        tracking = f"CS{self._rng.randrange(10**9):09}" if following == "shipped" else ""
        values = {"state": following, "tracking": tracking, "reason": _REASON if following == "cancelled" else ""}
        order_api.move(tx, self._shop, order_id, OrderStateBody.model_validate(values))
