"""The check at the end: three catalogues, read by the shops' own APIs, and everything that people saw succeed."""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from fleet.core.db import Tx
from fleet.features.stores.kinds import WRITES
from tests.stores import catalogue
from tests.stores.catalogue import Order, sku
from tests.stores.chaos import ledger, oversold
from tests.stores.chaos.hands import FLEET, Edit, Hands, is_contested
from tests.stores.chaos.shops import Shown
from tests.stores.chaos.world import StoresWorld

_CATALOGUE = """
SELECT variant.sku, variant.id, product.title, product.status, variant.price_minor AS price,
    coalesce(sum(level.on_hand), 0)::int AS on_hand
FROM product_variants variant JOIN products product ON product.id = variant.product_id
LEFT JOIN stock_levels level ON level.variant_id = variant.id
WHERE variant.removed_at IS NULL GROUP BY variant.id, product.id"""
_ORDERS = """
SELECT orders.id, orders.external_id, orders.number, orders.state, line.sku, line.external_id AS line_id,
    line.variant_id, line.quantity
FROM orders LEFT JOIN order_lines line ON line.order_id = orders.id WHERE orders.account_id = :account_id"""
_LEFT = """
SELECT external_event, variant_id, sum(delta)::int AS delta, count(*) AS times FROM stock_movements
WHERE account_id = :account_id AND external_event IS NOT NULL GROUP BY external_event, variant_id"""
NEVER_TAKEN = "units that a shop sold twice, shipped, and did not take from its own stock"
_ENDS = {
    "PaymentSettled": "confirmed", "PaymentAuthorized": "confirmed", "Shipped": "shipped", "Delivered": "delivered",
    "Cancelled": "cancelled", "Pending": "pending", "Complete": "shipped",
}  # fmt: skip


@dataclass(slots=True)
class StoresVerdict:
    """What the check found. `findings` by promise; all empty is good."""

    findings: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    counts: dict[str, int] = field(default_factory=dict)
    stock: dict[str, Any] = field(default_factory=dict)

    @property
    def is_clean(self) -> bool:
        """Whether every promise was kept."""
        return not any(self.findings.values())

    def add(self, promise: str, what: str) -> None:
        """Note that a promise was broken."""
        self.findings[promise].append(what)


@dataclass(frozen=True, slots=True)
class _Here:
    """A product as the catalogue has it."""

    id: uuid.UUID
    title: str
    price: int
    status: str
    on_hand: int


def judge(world: StoresWorld, hands: Hands, products: int) -> StoresVerdict:
    """Read everything and compare it."""
    verdict = StoresVerdict()
    sites = world.shops.sites
    shown = {name: site.shop.shown() for name, site in sites.items()}
    orders = {name: site.shop.orders() for name, site in sites.items()}
    with world.deps.db.transaction() as tx:
        accounts = dict(tx.execute(sa.text("SELECT name, id FROM accounts")).tuples().all())
        rows = tx.execute(sa.text(_CATALOGUE)).all()
        twice = [one for one, times in Counter(row.sku for row in rows).items() if times > 1]
        for one in twice:
            verdict.add("nothing doubled", f"the catalogue has the SKU {one} more than once")
        here = {row.sku: _Here(row.id, row.title, row.price, row.status, row.on_hand) for row in rows}
        there = {name: _once(verdict, name, found) for name, found in shown.items()}
        _presence(verdict, here, there, hands)
        _equality(verdict, here, there)
        _edits(verdict, here, hands.edits)
        sold = {name: _orders(tx, verdict, name, accounts[name], orders[name]) for name in sites}
        shops = [site.shop for site in sites.values()]
        _conservation(verdict, shops, {name: one.on_hand for name, one in here.items()}, hands.edits, sold, products)
        _told(tx, verdict, world, accounts, here)
        verdict.stock |= oversold.classify(tx, accounts, orders, hands, {name: one.id for name, one in here.items()})
        _open_ends(tx, verdict)
    verdict.counts |= {
        "products in the catalogue": len(here), **{f"products at {name}": len(found) for name, found in there.items()},
        **{f"orders at {name}": len(found) for name, found in orders.items()},
        **{f"edits by hand: {field}": number for field, number in Counter(e.field for e in hands.edits).items()},
        **{f"edits by hand at {name}": number for name, number in Counter(e.where for e in hands.edits).items()},
    }  # fmt: skip
    return verdict


def _once(verdict: StoresVerdict, name: str, found: Sequence[tuple[str, Shown]]) -> dict[str, Shown]:
    for one, times in Counter(which for which, _ in found).items():
        if times > 1:
            verdict.add("nothing doubled", f"{name} has the SKU {one} {times} times")
    return dict(found)


def _presence(
    verdict: StoresVerdict, here: Mapping[str, _Here], there: Mapping[str, Mapping[str, Shown]], hands: Hands
) -> None:  # fmt: skip
    """Every product is everywhere, except where a person deleted it; a draft is created nowhere."""
    deleted = {(one.where, one.sku) for one in hands.edits if one.field == "delete"}
    drafts = {one.sku for one in hands.edits if one.field == "status"}
    for name, found in there.items():
        for which, row in here.items():
            if (name, which) in deleted:
                if which in found:
                    verdict.add("nothing doubled", f"{which} was deleted at {name} by hand, and is there again")
            elif which not in found and not (which in drafts and row.status != "active"):
                verdict.add("nothing lost", f"{which} is not at {name}")
        for which in found:
            if which not in here:
                verdict.add("nothing lost", f"{which} of {name} is not in the catalogue")
    for one in hands.edits:
        if one.field == "create" and one.sku not in here:
            verdict.add("nothing lost", f"{one.sku}, created by hand at {one.where}, is not in the catalogue")


def _equality(
    verdict: StoresVerdict, here: Mapping[str, _Here], there: Mapping[str, Mapping[str, Shown]]
) -> None:  # fmt: skip
    for name, found in there.items():
        for which, row in found.items():
            own = here.get(which)
            if own is None:
                continue
            for field_name, mine, its in (
                ("title", own.title, row.title),
                ("price", own.price, row.price),
                ("status", own.status, row.status),
                ("stock", max(0, own.on_hand), max(0, row.on_hand)),
            ):
                if mine != its:
                    verdict.add("the catalogues agree", f"{which} {field_name}: {mine!r} here, {its!r} at {name}")
            if row.allocated:
                verdict.add("the catalogues agree", f"{which} has {row.allocated} units allocated at {name}")


def _edits(verdict: StoresVerdict, here: Mapping[str, _Here], edits: Sequence[Edit]) -> None:
    """What one side alone edits has the newest value; what all sides edit has the newest value of one of them."""
    newest: dict[tuple[str, str], dict[str, Edit]] = defaultdict(dict)
    for one in edits:
        if one.field in ("title", "price", "status"):
            newest[one.sku, one.field][one.where] = one
    for (which, name), by_side in newest.items():
        if which not in here:
            continue
        value, possible = getattr(here[which], name), [one.value for one in by_side.values()]
        if value not in possible:
            verdict.add("no edit lost", f"{which} {name}: {value!r}, people wrote {possible!r}")
        if len(by_side) > 1 and not is_contested(int(which.rpartition("-")[2])):
            verdict.add("no edit lost", f"{which} {name} was edited by {sorted(by_side)}: the harness is wrong")


def _orders(
    tx: Tx, verdict: StoresVerdict, name: str, account_id: uuid.UUID, orders: Sequence[Order]
) -> Counter[str]:  # fmt: skip
    """Compare orders, and return the units that left by SKU."""
    known: dict[str, list[Any]] = defaultdict(list)
    for row in tx.execute(sa.text(_ORDERS), {"account_id": account_id}):
        known[row.number].append(row)
    events = {(one.external_event, one.variant_id): one for one in tx.execute(sa.text(_LEFT),
                                                                              {"account_id": account_id})}  # fmt: skip
    sold: Counter[str] = Counter()
    expected = set()
    for order in orders:
        rows = known.pop(order.code, [])
        if not rows:
            verdict.add("every order recorded", f"order {order.code} of {name} ({order.state}) is not here")
            continue
        if len({row.id for row in rows}) > 1:
            verdict.add("nothing doubled", f"order {order.code} of {name} is here more than once")
        if rows[0].state != _ENDS.get(order.state):
            verdict.add("every order recorded",
                        f"order {order.code} of {name} is {order.state} there, {rows[0].state} here")  # fmt: skip
        lines = Counter[str]()
        for row in rows:
            lines[row.sku] += row.quantity or 0
        if dict(lines) != order.lines and order.state != "Cancelled":  # Vendure shows 0 of what was cancelled
            both = f"{order.lines}, here {dict(lines)}"
            verdict.add("every order recorded", f"lines of {order.code} of {name}: {both}")
        if order.state in ("Shipped", "Complete", "Delivered"):
            sold.update(order.lines)
            for row in rows:
                event = f"order:{row.external_id}:{row.line_id}:{row.quantity}"
                expected.add((event, row.variant_id))
                found = events.get((event, row.variant_id))
                if found is None or found.delta != -row.quantity or found.times != 1:
                    moved = "nothing" if found is None else f"{found.delta} in {found.times}"
                    what = f"{order.code} of {name}, {row.sku}: {row.quantity} shipped, moved {moved}"
                    verdict.add("stock moved once for each shipped line", what)
    for number in known:
        verdict.add("nothing doubled", f"order {number} is here and not at {name}")
    for event, _ in set(events) - expected:
        verdict.add("stock moved once for each shipped line", f"{name}: stock moved for {event}, which did not ship")
    return sold


def _conservation(
    verdict: StoresVerdict, shops: Sequence[Any], here: Mapping[str, int], edits: Sequence[Edit],
    sold: Mapping[str, Counter[str]], products: int,
) -> None:  # fmt: skip
    """The units that were there, plus what people counted, minus what left the shops, are there (`here`: by SKU).

    Units that a shop shipped and did not take from its own stock, since it had sold them twice, are still there, unless
    a number that Fleet wrote since covered them.
    """
    units: Counter[str] = Counter({sku(one): catalogue.stock(one) for one in range(1, products + 1)})
    for one in edits:
        if one.field == "stock":
            units[one.sku] += one.value
    for found in sold.values():
        units.subtract(found)
    verdict.stock[NEVER_TAKEN] = 0
    for which, on_hand in here.items():
        if which.startswith("NEW-") or on_hand == units[which]:
            continue
        never_taken = sum(shop.never_taken(which) for shop in shops)
        verdict.stock[NEVER_TAKEN] += never_taken
        if not units[which] <= on_hand <= units[which] + never_taken:
            what = f"{which}: {on_hand} here, {units[which]} by all that was done, {never_taken} never taken by a shop"
            verdict.add("no unit lost or made up", what)


def _told(
    tx: Tx, verdict: StoresVerdict, world: StoresWorld, accounts: Mapping[str, uuid.UUID], here: Mapping[str, _Here]
) -> None:  # fmt: skip
    known = ledger.histories(tx)
    for name, site in world.shops.sites.items():
        assert site.proxy is not None
        refs = tx.execute(sa.text(
            "SELECT local_id, external_id, details->>'stock_item' AS stock_item FROM external_refs"
            " WHERE account_id = :id AND kind = 'variant'"), {"id": accounts[name]}).all()  # fmt: skip
        places = {str(one.stock_item if name == "oscar" else one.external_id): one.local_id for one in refs}
        places |= {f"sku {which}": row.id for which, row in here.items()}
        found = ledger.told(tx, accounts[name], list(site.proxy.stock), places, known)
        verdict.stock[f"writes of stock to {name}"] = found.writes
        verdict.stock[f"of them accepted by {name}"] = found.accepted
        verdict.stock[f"of them overtaken while under way to {name}"] = found.in_flight
        for one in found.above:
            verdict.add("no shop told more than there was", f"{name}: {one}")


def _open_ends(tx: Tx, verdict: StoresVerdict) -> None:
    live = (
        "SELECT kind, count(*) FROM jobs WHERE state IN ('ready', 'running', 'sending', 'unknown')"
        " AND kind = ANY(:kinds) GROUP BY kind"
    )
    for kind, what in tx.execute(sa.text(live), {"kinds": list(WRITES)}):
        verdict.add("every job ended", f"{what} jobs {kind} have not ended")
    for one in tx.execute(sa.text("SELECT kind, field, about, remote FROM sync_conflicts WHERE state <> 'settled'")):
        verdict.add("no conflict left open", f"{one.kind} {one.field} {one.about}: {one.remote!r}"[:200])
    dead = tx.execute(sa.text("SELECT kind, count(*) FROM jobs WHERE state = 'dead' GROUP BY kind")).tuples().all()
    verdict.counts |= {f"dead letters: {kind}": number for kind, number in dead}
    states = tx.execute(sa.text("SELECT kind, state, count(*) FROM jobs GROUP BY 1, 2 ORDER BY 1, 2")).tuples().all()
    verdict.counts |= {f"jobs {kind} {state}": number for kind, state, number in states}
    runs = tx.execute(sa.text("SELECT strategy, state, count(*) FROM sync_runs GROUP BY 1, 2")).tuples().all()
    verdict.counts |= {f"syncs {strategy} {state}": number for strategy, state, number in runs}
    verdict.counts["attempts"] = int(tx.scalar(sa.text("SELECT count(*) FROM job_attempts")) or 0)
    verdict.counts["effects that a probe found"] = int(tx.scalar(sa.text(
        "SELECT count(*) FROM jobs WHERE result->>'adopted' IS NOT NULL OR result ? 'was'")) or 0)  # fmt: skip


__all__ = ["FLEET", "StoresVerdict", "judge"]
