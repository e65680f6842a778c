"""A fleet in which something of everything has happened, by the engine's own verbs: what its pages are looked at with.

`lived` makes agents act, fail, propose and pay. `say_everywhere` then copies their rows for each of many sayings, with
the saying in every place where strangers, agents, models or people put words.
"""

from __future__ import annotations

import copy
import hmac
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from pydantic import SecretStr

from fleet.access import Actor, Permission, Principal, Role, Via, audit, secret, sessions, users
from fleet.access.models import DEFAULT_ORGANISATION, InvitationRow
from fleet.access.sessions import Visit
from fleet.accounts.models import SETTINGS_ACCOUNT, AccountRow
from fleet.accounts.sealing import Keyring, new_key
from fleet.adapters import base
from fleet.adapters.shops import (
    Fulfilment,
    Money,
    OrderCustomer,
    OrderLine,
    OrderState,
    ProductStatus,
    ShopOrder,
)
from fleet.core import events
from fleet.core.character import Character
from fleet.core.db import Base
from fleet.core.errors import FleetError
from fleet.engine import registry
from fleet.engine.agents import commands as agent_rows
from fleet.engine.agents import lookup
from fleet.engine.agents.commands import NewAgent
from fleet.engine.attempts.perform import perform
from fleet.engine.jobs.ticks import TickKey
from fleet.engine.system_agents import staff
from fleet.engine.tick import tick
from fleet.features.agents import commands as agent_commands
from fleet.features.approvals.rules import Person
from fleet.features.campaigns import items as content_items
from fleet.features.campaigns.brand_rules import store as brands
from fleet.features.campaigns.models import CampaignRow, ContentItemRow
from fleet.features.competitors import service as competitors
from fleet.features.controls import commands as fleetwide
from fleet.features.costs import commands as money
from fleet.features.drafts import commands as drafting
from fleet.features.experiments.service import experiments_of
from fleet.features.forecast.runs.models import ForecastRunRow, ForecastSeriesRow, ReorderProposalRow
from fleet.features.leader import service as team
from fleet.features.leader.kinds import MessageType
from fleet.features.leader.models import TeamRoundRow, TeamScoreRow
from fleet.features.leader.scores import NetworkFigures, score
from fleet.features.leader.strategies.models import TeamStrategyRow
from fleet.features.links import service as links
from fleet.features.listings.models import ListingHistoryRow, ListingRow, StoreBudgetRow
from fleet.features.orders import service as orders
from fleet.features.pictures.makers.base import PictureCredit
from fleet.features.pictures.models import PictureOrderRow
from fleet.features.platforms import service
from fleet.features.platforms.inbox.models import InboxItemRow
from fleet.features.platforms.networks import NETWORKS
from fleet.features.pricing.models import PriceElasticityRow, PriceProposalRow, PricingRunRow
from fleet.features.products import commands as catalogue
from fleet.features.products import service as products
from fleet.features.products import stock
from fleet.features.products.csvfile import importing
from fleet.features.products.schema import ImageIn, ProductIn, VariantIn
from fleet.features.reconciliation.models import DiscrepancyRow, ReconciliationRow
from fleet.features.reports import service as reports
from fleet.features.reports.rules import Cadence
from fleet.features.settings import commands as settings
from fleet.features.settings.queries import Target
from fleet.features.stores.models import ExternalRefRow, StoreRow, SyncConflictRow, SyncCursorRow, SyncRunRow
from fleet.features.tuning.models import TuningProposalRow, TuningRunRow
from fleet.features.users import service as accounts
from fleet.features.webhooks import commands as hooks
from fleet.features.webhooks.inbound import service as receiving
from fleet.features.webhooks.outbound.subscriptions import SubscriptionFields
from fleet.features.webhooks.signatures import Scheme
from fleet.spending.budgets import Period, Scope
from tests.factories import Fleet, InMemory, raises
from tests.features.drafts.test_drafts import proposed
from tests.features.drafts.test_scan import ASK, COMMENT, LOVE, POST, post, supervised

PASSWORD = "correct horse battery"
WEIGHTS = {"post": 1.0, "comment": 1.0, "like": 1.0, "browse": 1.0}
ANN = Person("ann", frozenset({"owner"}))


@dataclass
class Inhabited:
    """What to look at: one name or id of each kind of thing that pages are about."""

    fleet: Fleet
    names: dict[str, str] = field(default_factory=dict)
    echoes: list[dict[str, str]] = field(default_factory=list)
    """The same of each copy that `say_everywhere` has made, in the order of the sayings."""


def lived(fleet: Fleet) -> Inhabited:
    """Let agents live for a little while, with the features that this process has."""
    deps = fleet.deps
    for role in Role:
        accounts.create_user(deps, str(role), role, PASSWORD)
    accounts.issue_token(deps, "owner", "nightly report", (Permission.JOBS_VIEW,), None)
    fleet.surface.posts = [post("p1"), post("p2", author="ben", comments=2)]
    ada = new_agent(deps, "Ada Bright", "ada_1", "ai_artist")
    done = [act(fleet, ada, action) for action in ("post", "comment", "like", "browse")]
    fleet.surface.faults = [raises(base.Refused("The surface said no: 422."))]
    dead = act(fleet, new_agent(deps, "Ben Still", "ben_2", None), "post")
    new_agent(deps, "Cleo Late", "cleo_3", "ai_artist")
    agent_commands.pause(deps, "cleo_3", by="web:owner", reason="too eager")
    money.set_budget(deps, Scope.FLEET, None, Period.DAY, 5_000_000, by="ann")
    fleetwide.pause(deps, "kind", "browse", by="web:owner", reason="quiet evening")
    with audit.acting(Actor("owner", "owner", Via.SESSION, "127.0.0.1", "r-1")):
        with deps.db.transaction() as tx:
            audit.note(tx, "agent.paused", "agent:cleo_3", before={"status": "running"}, after={"status": "paused"})
        settings.put(deps, "ai_comment_lead", 4, Target(), by="web:owner", reason="a quiet week")
        settings.put(deps, "ai_comment_lead", 2, Target("ada_1"), by="web:owner", reason="she talks a lot")
    with deps.db.transaction() as tx:
        key = secret.new_key()
        tx.execute(sa.insert(InvitationRow).values(
            id=uuid.uuid4(), key_hash=secret.digest(key), role="viewer", invited_by="owner",
            expires_at=sa.func.clock_timestamp() + sa.text("interval '1 h'"),
        ))  # fmt: skip
    names = {"agent": "ada_1", "job": str(done[0]), "dead": str(dead), "persona": "ai_artist", "user": "viewer",
             "tick": "1", "invitation": key, "account": "gallery", "setting": "ai_comment_lead",
             "organisation": "default"}  # fmt: skip
    features = registry.current()
    if "experiments" in features:
        names["experiment"] = next((one.name for one in experiments_of(deps)), "none")
    if "platforms" in features:
        names["notification"] = _told(fleet)
    if "leader" in features:
        names["message"] = _led(fleet)
    if "campaigns" in features:
        names |= _planned(fleet)
    if "pictures" in features:
        _drawn(fleet, done[0])
    if "drafts" in features:
        names |= _drafted(fleet)
    if "webhooks" in features:
        names |= _hooked(fleet)
    if "reports" in features:
        made = reports.build(fleet.deps, Cadence.DAILY, organisation=None, by="web:owner", reason="")
        names["report"] = str(made)
    if "links" in features:
        link = links.create(deps, "https://example.com/lamp", campaign="Lamps", agent="ada_1", by="web:owner")
        links.follow(deps, link.code, is_counted=True)
        names["link"] = link.code
    if "engagement" in features:
        _measured(fleet, done[0])
    if "competitors" in features:
        lines = "\n".join(f"{name},floimg,{datetime.now(UTC):%Y-%m-%d},1200,3,40" for name in ("Acme Lamps", "Lux"))
        head = "competitor,network,date,followers,posts,interactions"
        competitors.import_csv(deps, f"{head}\n{lines}", by="web:owner")
    if "products" in features:
        names |= _stocked(fleet)
    if "stores" in features:
        names |= _at_a_store(fleet, uuid.UUID(names["product"]))
    if "listings" in features:
        names["listing"] = _listed(fleet, uuid.UUID(names["product"]))
    if "pricing" in features:
        names |= _priced(fleet, uuid.UUID(names["variant"]))
    if "tuning" in features:
        names["tuning"] = _tuned(fleet)
    return Inhabited(fleet, names)


def _measured(fleet: Fleet, job: uuid.UUID) -> None:
    """Have the post of a job be measured, and its account have followers and enough posts for its best hours."""
    agent, account = fleet.job(job).agent_id, SETTINGS_ACCOUNT
    fleet.sql(
        """INSERT INTO post_metrics (post_job, agent_id, account_id, surface, remote_id, posted_at, measured_at, likes,
                                     comments, reposts, interactions, audience)
           VALUES (:job, :agent, :account, 'floimg', 'p1', clock_timestamp() - interval '2 h', clock_timestamp(), 20,
                   4, 1, 25, 400)""", job=job, agent=agent, account=account,
    )  # fmt: skip
    fleet.sql(
        """INSERT INTO engagement_hours (agent_id, account_id, hour, surface, posts, measured, likes, interactions,
                                         rated, audience, day_posts, day_log, day_log_squares)
           SELECT :agent, :account, date_trunc('hour', clock_timestamp()) - n * interval '7 h', 'floimg', 1, 1, n % 9,
                  n % 9, n % 9, 400, 1, ln(1 + n % 9), ln(1 + n % 9) ^ 2 FROM generate_series(1, 80) AS n""",
        agent=agent, account=account,
    )  # fmt: skip
    fleet.sql(
        """INSERT INTO account_days (account_id, day, surface, followers, measured_at)
           SELECT :account, current_date - n, 'floimg', 400 - 3 * n, clock_timestamp() - n * interval '1 day'
           FROM generate_series(0, 20) AS n""", account=account,
    )  # fmt: skip
    fleet.sql(
        """INSERT INTO measured_accounts (account_id, since, failures, problem)
           VALUES (:account, clock_timestamp(), 2, 'the network answered 503')""", account=account,
    )  # fmt: skip


def _stocked(fleet: Fleet) -> dict[str, str]:
    """Have a catalogue, a file that was looked at, and orders of a store: one held, one with parcels."""
    who = Principal(uuid.uuid4(), "owner", Role.OWNER, Via.SESSION, uuid.uuid4())
    variants = [VariantIn(sku=f"LAMP-{n}", currency="EUR", price=f"{n}9.90", floor="9", on_hand=7 * n,
                          options={"Colour": colour}) for n, colour in enumerate(("black", "white"), 1)]  # fmt: skip
    new = ProductIn(title="Desk lamp of oak and brass", description="A lamp.\nIt stands on desks.", brand="Lumen",
                    categories=["Lamps"], attributes={"Material": "oak"}, variants=variants,
                    images=[ImageIn(url="http://127.0.0.1:9/lamp.png", alt_text="A lamp")])  # fmt: skip
    lamp = catalogue.create(fleet.deps, new, who)
    chair = [VariantIn(sku="", currency="JPY")]
    catalogue.create(fleet.deps, ProductIn(title="Chair", status=ProductStatus.DRAFT, variants=chair), who)
    file = b"sku,title,currency,price\nLAMP-1,Desk lamp of oak,EUR,21\nNEW-1,Wall lamp,EUR,dear\n"
    looked = importing.look(fleet.deps, "lamps.csv", file, organisation="", who=who)
    with fleet.deps.db.transaction() as tx:
        variant = products.variants_of(tx, [lamp])[lamp][0].id
        names = {"product": str(lamp), "variant": str(variant), "import": str(looked.id)}
        if "orders" not in registry.current():
            return names
        keys, now = Keyring.of([new_key()], where="tests"), tx.now()
        for number, state in enumerate((OrderState.CONFIRMED, OrderState.SHIPPED)):
            line = OrderLine(id="1", variant_id="v", sku="LAMP-1", title="Desk lamp", quantity=9,
                             unit_price=Money(1990, "EUR"))  # fmt: skip
            order = ShopOrder(
                id=f"{number}", number=f"A-101{number}", state=state, placed_at=now, total=Money(17_910, "EUR"),
                lines=(line,), customer=OrderCustomer(id="c", name="Ann", email="ann@example.com", country="CH"),
                fulfilments=(Fulfilment(id="P-1", quantities={"1": 9}, tracking="AB 123", at=now),) if number else (),
            )  # fmt: skip
            made = orders.record(tx, keys, SETTINGS_ACCOUNT, DEFAULT_ORGANISATION, order, now=now,
                                 variant_of=lambda _: variant)  # fmt: skip
            if not number:
                orders.hold(tx, made.id, "five orders in an hour", by="fraud", points=80, reasons=["velocity"])
                names["order"] = str(made.id)
    return names


def _at_a_store(fleet: Fleet, product_id: uuid.UUID) -> dict[str, str]:
    """Have a store with a product, a sync that runs, one that failed, and a title that both sides changed."""
    account_id = uuid.uuid4()
    if isinstance(fleet.deps.outside, InMemory):
        fleet.deps.outside.systems["corner-shop"] = fleet.surface
    with fleet.deps.db.transaction() as tx:
        tx.session.add(AccountRow(id=account_id, name="corner-shop", adapter="sandbox_shop",
                                  address="http://127.0.0.1:9", organisation_id=DEFAULT_ORGANISATION))  # fmt: skip
    agent_id = fleet.agent(kind="store_sync", surface="sandbox_shop", account_id=account_id, username="store_corner")
    run_id, conflict_id = uuid.uuid4(), uuid.uuid4()
    own = {"account_id": account_id, "organisation_id": DEFAULT_ORGANISATION}
    with fleet.deps.db.transaction() as tx:
        now = tx.now()
        run = {**own, "strategy": "full", "direction": "both", "priority": 1, "reason": "it was never synced",
               "counts": {"read": 40, "created": 38, "conflicts": 1}, "expected": 120}  # fmt: skip
        tx.session.add(StoreRow(**own, agent_id=agent_id, title="The Corner Shop", currency="EUR", created_by="owner",
                                location_ids={}, failed_syncs=1, problem="the shop answered 503"))  # fmt: skip
        tx.session.flush()
        tx.session.add(SyncRunRow(id=run_id, step="products", **run))
        tx.session.add(SyncRunRow(id=uuid.uuid4(), **run, state="failed", ended_at=now, problem="503"))
        tx.session.add(ExternalRefRow(account_id=account_id, kind="product", local_id=product_id, external_id="7",
                                      state="mapped"))  # fmt: skip
        tx.session.add(SyncConflictRow(id=conflict_id, kind="field", **own, local_id=product_id, field="title",
                                       about="Desk lamp", base="Lamp", local="Desk lamp of oak and brass",
                                       remote="<b>Lamp</b> of oak"))  # fmt: skip
        tx.session.add(SyncConflictRow(id=uuid.uuid4(), kind="match", **own, external_id="9", about="Set (SET-1)",
                                       candidates=[str(product_id)]))  # fmt: skip
        tx.session.add(SyncCursorRow(account_id=account_id, stream="products", value=now, swept_at=now))
    return {"store": "corner-shop", "run": str(run_id), "conflict": str(conflict_id),
            **_compared(fleet, account_id, product_id)}  # fmt: skip


def _compared(fleet: Fleet, account_id: uuid.UUID, product_id: uuid.UUID) -> dict[str, str]:
    """Have comparisons of a store, and discrepancies of several severities and states."""
    own = {"account_id": account_id, "organisation_id": DEFAULT_ORGANISATION}
    run_id, found = uuid.uuid4(), [uuid.uuid4() for _ in range(4)]
    with fleet.deps.db.transaction() as tx:
        counts = {"read": 120, "found": 4, "new": 3, "settled": 1, "fixed": 1, "proposed": 1}
        tx.session.add(ReconciliationRow(
            id=run_id, **own, reason="its interval is over", state="done", counts=counts,
            tallies={"inventory_drift:critical": 1, "data_mismatch:high": 1, "price_drift:low": 2}, ended_at=tx.now(),
        ))  # fmt: skip
        tx.session.flush()
        cases = (
            ("inventory_drift", "stock", 120, 40, "critical", "pull", "proposed", ""),
            ("data_mismatch", "title", "Desk lamp of oak and brass", "<b>Lamp</b> of oak", "high", "pull", "open", ""),
            ("price_drift", "variant.price", _euros(4900), _euros(3900), "low", "push", "open",
             "the shop has a newer value: its price is 39.00 EUR"),
            ("price_drift", "variant.price", _euros(990), _euros(900), "low", "push", "fixed", ""),
        )  # fmt: skip
        for one, (kind, name, local, remote, severity, action, state, problem) in zip(found, cases, strict=True):
            tx.session.add(DiscrepancyRow(
                id=one, **own, run_id=run_id, type=kind, thing="product", key=f"{product_id}:{one}", field=name,
                about="Desk lamp (LAMP-1)", product_id=product_id, local=local, remote=remote, base=local,
                peers={"second shop": local}, severity=severity, moved="remote", context="peers_local",
                confidence=0.973, action=action, state=state, problem=problem,
                undo={"action": action, "before": remote, "after": local}))  # fmt: skip
    return {"comparison": str(run_id), "discrepancy": str(found[0])}


def _euros(minor: int) -> dict[str, Any]:
    return {"minor": minor, "currency": "EUR"}


def _listed(fleet: Fleet, product_id: uuid.UUID) -> str:
    """Have a listing that somebody at the store changed before it was read back, and a budget of the store."""
    account_id = fleet.sql("SELECT account_id FROM stores").scalar_one()
    title, listing_id = f"{product_id}/title", uuid.uuid4()
    apart = {"key": title, "label": "title", "sent": "Desk lamp", "found": "<b>Lamp</b>", "cause": "after",
             "words": "title was changed at the store after it was published"}  # fmt: skip
    with fleet.deps.db.transaction() as tx:
        tx.session.add(ListingRow(
            id=listing_id, product_id=product_id, account_id=account_id, organisation_id=DEFAULT_ORGANISATION,
            state="failed", action="publish", publication=2, overrides={"title": "Desk lamp"}, created_by="owner",
            sent={title: "Desk lamp"}, found={title: "<b>Lamp</b>"}, previous={title: "Lamp"}, differences=[apart],
            problem=apart["words"], verified_at=tx.now(),
        ))  # fmt: skip
        tx.session.flush()
        tx.session.add(ListingHistoryRow(listing_id=listing_id, event="failed", state="failed", publication=2,
                                         by="fleet", words=apart["words"]))  # fmt: skip
        tx.session.add(StoreBudgetRow(account_id=account_id, kind="actions", period="week", most=100,
                                      organisation_id=DEFAULT_ORGANISATION, set_by="owner"))  # fmt: skip
    return str(listing_id)


def _priced(fleet: Fleet, variant: uuid.UUID) -> dict[str, str]:
    """Have a forecast with a proposal to reorder, proposals of prices, one of them measured, and an elasticity."""
    run, reorder, waiting, applied = (uuid.uuid4() for _ in range(4))
    scores = {name: {"rmsse": figure, "pinball": figure / 4, "inside": 0.8, "bias": -0.01}
              for name, figure in (("fleet", 0.71), ("seasonal naive", 0.98), ("zero", 4.1))}  # fmt: skip
    evidence = {"elasticity": -1.31, "elasticity_low": -1.62, "elasticity_high": -1.0, "elasticity_error": 0.24,
                "is_assumed": False, "weeks": 40, "prices": 4, "cost": 900, "floor": 900, "available": 5, "sold": 61,
                "days": 28, "age_days": 400, "cover_days": 2.3, "competitors": {}, "stores": {}}  # fmt: skip
    with fleet.deps.db.transaction() as tx:
        place, now = stock.default_location(tx, DEFAULT_ORGANISATION), tx.now()
        yesterday = now.date() - timedelta(days=1)
        tx.session.add(ForecastRunRow(
            id=run, organisation_id=DEFAULT_ORGANISATION, until=yesterday, days=28, service=0.95, series=1,
            tested_days=28, summary={"forecasts": scores, "methods": {"holt_winters": 1}},
        ))  # fmt: skip
        tx.session.add(PricingRunRow(
            id=uuid.uuid4(), organisation_id=DEFAULT_ORGANISATION, variants=2, estimated=1, proposals=1,
            reasons={"no price": 1},
        ))  # fmt: skip
        tx.session.flush()
        tx.session.add(ForecastSeriesRow(
            run_id=run, variant_id=variant, location_id=place, method="holt_winters", daily=[2.0, 3.0, 4.0, 2.5] * 7,
            total=80.5, low=61.0, high=99.0, known_days=280, scores=scores,
        ))  # fmt: skip
        tx.session.add(ReorderProposalRow(
            id=reorder, organisation_id=DEFAULT_ORGANISATION, run_id=run, variant_id=variant, location_id=place,
            units=48, figures={"lead_days": 14},
            reason="62 units last 21 days in 95% of cases; 7 on hand, 9 reserved, on order unknown",
        ))  # fmt: skip
        for proposal, more in ((waiting, {}), (applied, {
            "state": "applied", "applied_at": now - timedelta(days=30), "decided_at": now - timedelta(days=30),
            "decided_by": "web:ann", "measured_at": now, "result": {
                "profit": 1210, "low": 330, "high": 2090, "units_before": 58, "units_after": 66, "days_before": 28,
                "days_after": 28, "season": 1.02, "is_controlled": True}})):  # fmt: skip
            tx.session.add(PriceProposalRow(**{
                "id": proposal, "organisation_id": DEFAULT_ORGANISATION, "variant_id": variant, "run_id": uuid.uuid4(),
                "currency": "EUR", "before_minor": 1990, "after_minor": 2089, "basis": "elasticity",
                "words": "demand changes by -1.31 % (80 %: -1.62 to -1.00) for 1 % of price: +5.0%",
                "evidence": evidence, "expected": {"profit": 950, "low": 120, "high": 1800}, **more}))  # fmt: skip
        tx.session.add(PriceElasticityRow(
            variant_id=variant, organisation_id=DEFAULT_ORGANISATION, value=-1.31, error=0.24, own=-1.2, own_error=0.3,
            category="Lamps", weeks=40, prices=4, units=900,
        ))  # fmt: skip
    return {"forecast": str(run), "reorder": str(reorder), "price": str(waiting)}


def _tuned(fleet: Fleet) -> str:
    """Have a look at the load, a proposal that waits, a command for people, and a change that did worse."""
    waiting, more = uuid.uuid4(), uuid.uuid4()
    own: dict[str, Any] = {
        "rule": "caps", "setting": "surface_writes_per_minute", "scope": "fleet", "before": 100, "after": 24,
        "direction": -1, "words": "the network answered 40 of 200 writes with 429", "metric": "throttled",
        "aim": "improve", "evidence": {"writes": 200, "throttled": 40},
        "expected": {"before": 0.2, "after": 0.16, "low": 0.0, "high": 0.2}, "run_id": uuid.uuid4(),
    }  # fmt: skip
    with fleet.deps.db.transaction() as tx:
        now = tx.now()
        tx.session.add(TuningRunRow(id=uuid.uuid4(), since=now - timedelta(days=1), looked=9, proposals=2,
                                    reasons={"store_interval: the interval fits its changes": 7}))  # fmt: skip
        tx.session.add(TuningProposalRow(**{**own, "id": waiting}))
        tx.session.add(TuningProposalRow(**{
            **own, "id": more, "rule": "workers", "setting": "worker processes", "before": 2, "after": 4,
            "direction": 1, "metric": "late", "state": "accepted", "decided_at": now, "decided_by": "web:ann",
            "command": "docker compose up -d --scale worker=4",
        }))  # fmt: skip
        tx.session.add(TuningProposalRow(**{
            **own, "id": uuid.uuid4(), "setting": "store_interval", "rule": "intervals", "scope": "account",
            "scope_id": str(uuid.uuid4()), "scope_name": "shop", "before": "15m", "after": "30m", "metric": "changed",
            "direction": 1, "state": "applied", "applied_at": now - timedelta(days=2), "decided_by": "web:ann",
            "verdict": "worse", "measured_at": now,
            "result": {"metric": "changed", "units_before": 98, "units_after": 50, "before": 0.2, "after": 0.04,
                       "difference": -0.16, "low": -0.28, "high": -0.04, "hours": 24.0, "guards": {}},
        }))  # fmt: skip
    return str(waiting)


def _told(fleet: Fleet) -> str:
    """Have the platform of an agent tell it of a mention, and somebody ask to be left alone."""
    service.add_opt_out(fleet.deps, "floimg", "max", by="web:owner", reason="please do not write to me")
    ada = lookup.agent(fleet.deps.db, "ada_1").id
    with fleet.deps.db.transaction() as tx:
        row = InboxItemRow(
            id=uuid.uuid4(), account_id=SETTINGS_ACCOUNT, agent_id=ada, remote_id="n1",
            kind="mention", author="zoe", author_id="u-zoe", author_name="Zoe Day", item_id="p9", state="open",
            text="Which lamp is this?", said_at=tx.now(),
        )  # fmt: skip
        tx.session.add(row)
        return str(row.id)


def _led(fleet: Fleet) -> str:
    """Have an agent of a platform asked for its status, and its network scored."""
    deps = fleet.deps
    with deps.db.transaction() as tx:
        dora = agent_rows.create(tx, NewAgent("Dora Lane", "dora_9", kind="mastodon", surface="mastodon"))
        round_id = uuid.uuid4()
        tx.execute(sa.insert(TeamRoundRow).values(
            id=round_id, organisation_id=DEFAULT_ORGANISATION, number=1, asked=1, answered=1,
            since=tx.now() - timedelta(days=7), scored_at=tx.now(),
        ))  # fmt: skip
        found = score(NetworkFigures(done=9, failed=1, posts=14, planned=28), NETWORKS["mastodon"].bands)
        tx.execute(sa.insert(TeamScoreRow).values(round_id=round_id, network="mastodon", figures={}, **found.to_data()))
        tx.execute(sa.insert(TeamStrategyRow).values(
            id=uuid.uuid4(), organisation_id=DEFAULT_ORGANISATION, agent_id=dora, version=1, kind="hours",
            setting="post_hours", before="", after="8,12,19,20", words="Dora posts at 19:00 in place of 16:00",
            evidence={"since": "2026-11-17", "posts": 40, "figures": [{"key": "19", "posts": 20, "mean": 2.5}]},
            state="applied", ended_at=tx.now(), job_id=uuid.uuid4(),
        ))  # fmt: skip
    (message,) = team.send(deps, MessageType.STATUS_REQUEST, "dora_9", by="web:owner", note="How is the harbour?")
    perform(deps, message)
    return str(message)


def _planned(fleet: Fleet) -> dict[str, str]:
    """Have a campaign with one item of an agent, and the rules of a brand."""
    ada = lookup.agent(fleet.deps.db, "ada_1")
    brands.put(fleet.deps, "lamps", {"banned": ["cheap"]}, by="web:owner", reason="we sell good lamps")
    with fleet.deps.db.transaction() as tx:
        campaign = CampaignRow(
            id=uuid.uuid4(), organisation_id=ada.organisation_id, name="Lamps", message="Lamps for autumn.",
            topics=["brass"], targets=[{"agent": str(ada.id), "account": None, "surface": "floimg"}],
            link={"url": "https://lamps.test/", "title": "Lamps"}, starts_at=tx.now(), created_by="ann",
        )  # fmt: skip
        item = ContentItemRow(
            id=uuid.uuid4(), organisation_id=ada.organisation_id, campaign_id=campaign.id, agent_id=ada.id,
            surface="floimg", message="Lamps for autumn.", parts=["Lamps for autumn."], state="failed",
            failed_in="publishing", error="refused by the surface", score=62, created_by="ann", scheduled_at=tx.now(),
            reasons=[{"rule": "claim", "points": 38, "words": "a claim"}], notes=["cut to 500 characters"],
            media=[{"key": "", "prompt": "a brass lamp", "alt_text": "A lamp."}],
        )  # fmt: skip
        tx.session.add(campaign)
        tx.session.flush()
        content_items.add(tx, item, by="ann")
        return {"campaign": str(campaign.id), "item": str(item.id), "brand": "lamps"}


def _drawn(fleet: Fleet, job_id: uuid.UUID) -> None:
    """Have a library of stock photos serve the picture of a post, after a model that answered nothing."""
    ada, credit = lookup.agent(fleet.deps.db, "ada_1").id, PictureCredit("Zoe Day", "", "Unsplash", "")
    with fleet.deps.db.transaction() as tx:
        tx.session.add(PictureOrderRow(
            id=uuid.uuid4(), job_id=job_id, provider="openai", model="gpt-image-2", agent_id=ada, state="lost",
            microusd=53_000, why="no answer",
        ))  # fmt: skip
        tx.session.add(PictureOrderRow(
            id=uuid.uuid4(), job_id=job_id, provider="unsplash", model="search", agent_id=ada, state="made",
            is_ai=False, object_key="00/0.jpg", remote_id="unsplash:1", credit=credit.data(),
        ))  # fmt: skip


def _drafted(fleet: Fleet) -> dict[str, str]:
    """Have a supervised agent propose, and people decide about some of it."""
    deps = fleet.deps
    drafts = proposed(fleet, COMMENT, POST, LOVE, ASK, agent=supervised(fleet))
    old = proposed(fleet, COMMENT)
    drafting.reject(deps, [str(old[0].id)], ANN, "too clever")
    drafting.edit(deps, str(drafts[0].id), {"text": "Wet slate, warm lamp."}, ANN)
    request = drafting.show(deps, str(drafts[0].id))[0].row.request_id
    return {"draft": str(drafts[0].id), "request": str(request)}


def _hooked(fleet: Fleet) -> dict[str, str]:
    """Have the fleet tell somebody of what happens, and hear from somebody."""
    staff(fleet.deps.db)
    sealing = {"secret_keys": SecretStr(new_key()), "hooks_allow": ("127.0.0.1:9",)}
    deps = replace(fleet.deps, given=fleet.deps.settings.model_copy(update=sealing))
    hook = hooks.create(deps, SubscriptionFields("http://127.0.0.1:9/in", ("job.*",), "The ledger"), by="web:owner")
    hooks.test(deps, hook.subscription.id, by="web:owner")
    told = receiving.create(
        deps, receiving.SourceFields("shop", Scheme("plain", "X-Signature"), "Orders"), by="web:owner"
    )
    body = b'{"order": 7}'
    signature = hmac.new(told.encode(), body, "sha256").hexdigest()
    receiving.receive(deps, "shop", {"x-signature": signature}, body)
    return {"hook": str(hook.subscription.id), "source": "shop", "received": str(receiving.history(deps, "shop")[0].id)}


def new_agent(deps: Any, name: str, username: str, persona: str | None) -> str:
    character = Character("Patient, and fond of rain.")
    agent_commands.create(
        deps, NewAgent(name, username, WEIGHTS, kind="gallery", persona_id=persona, character=character)
    )
    agent_commands.start(deps, username)
    with deps.db.transaction() as tx:
        tx.execute(sa.text("UPDATE agents SET remote_account = 'u-' || username"))
    return username


def decided(fleet: Fleet, name: str, action: str) -> uuid.UUID:
    """Have an agent decide to do something now; return the job, which nobody has begun."""
    agent_id = lookup.agent(fleet.deps.db, name).id
    key = agent_commands.trigger(fleet.deps, name, action=action, by="web:owner")
    tick(fleet.deps, TickKey(agent_id, key.tick_no))
    return fleet.jobs(agent_id=agent_id, tick_no=key.tick_no)[0].id


def act(fleet: Fleet, name: str, action: str) -> uuid.UUID:
    """Have an agent do something now, as its worker would; return the job."""
    job_id = decided(fleet, name, action)
    perform(fleet.deps, job_id)
    return job_id


# Where words are that somebody else has chosen: columns of text with their longest length, and columns of JSON.
_WORDS: Mapping[str, Mapping[str, int]] = {
    "agents": {"name": 100, "personality": 5000, "vibe": 60, "owner": 100, "pause_reason": 200, "last_thought": 1000},
    "ticks": {"error": 5000, "requested_by": 100},
    "jobs": {"error": 5000, "held": 300, "requested_by": 100},
    "job_attempts": {"error": 5000, "worker": 100},
    "drafts": {"context": 200, "topic": 60, "reason": 1000, "decided_by": 100},
    "draft_revisions": {"made_by": 100, "instructions": 1000},
    "approval_requests": {"summary": 300, "requested_by": 100, "reason": 1000},
    "llm_calls": {"model": 100},
    "picture_orders": {"model": 100, "why": 500},
    "inbox_items": {"author": 200, "author_name": 100, "text": 2000, "reason": 200},
    "opt_outs": {"reason": 300},
    "campaigns": {"name": 100, "message": 2000, "picture_prompt": 2000, "created_by": 100},
    "content_items": {"brief": 2000, "message": 2000, "error": 500, "created_by": 100},
    "content_item_history": {"by": 100, "note": 500},
    "team_strategies": {"words": 500, "undone_by": 100},
}
_JSON: Mapping[str, Sequence[str]] = {
    "ticks": ("inputs", "outcome"), "jobs": ("payload", "checkpoint", "result"), "drafts": ("content", "about"),
    "draft_revisions": ("content",), "approval_requests": ("payload", "before"), "events": ("payload",),
    "content_items": ("media", "reasons", "link"), "campaigns": ("link",), "picture_orders": ("credit",),
}  # fmt: skip
_SPOKEN = frozenset({
    "agent", "alt_text", "author", "author_name", "caption", "context", "error", "feedback", "image_prompt", "line",
    "message", "name", "note", "prompt", "reason", "text", "thought", "title", "to", "username", "why", "words",
})  # fmt: skip
_OWN_IDS = {
    "agents": "id",
    "jobs": "id",
    "drafts": "id",
    "approval_requests": "id",
    "inbox_items": "id",
    "picture_orders": "id",
    "opt_outs": "id",
    "campaigns": "id",
    "content_items": "id",
}
_COPIED = ("agents", "ticks", "jobs", "job_attempts", "approval_requests", "drafts", "draft_revisions", "events",
           "llm_calls", "inbox_items", "opt_outs", "campaigns", "content_items", "content_item_history",
           "picture_orders")  # fmt: skip


def say_everywhere(world: Inhabited, sayings: Sequence[str]) -> None:
    """Copy what there is once for each saying, and let it be said in every place that holds words."""
    deps = world.fleet.deps
    with deps.db.transaction() as tx:
        rows = {name: [dict(row) for row in tx.execute(sa.select(Base.metadata.tables[name])).mappings()]
                for name in _COPIED}  # fmt: skip
        copies: dict[str, list[dict[str, Any]]] = {name: [] for name in _COPIED}
        for number, saying in enumerate(sayings):
            ids = _copy(copies, rows, number, saying)
            own = {what: str(ids.get(_uuid(name), name)) for what, name in world.names.items()}
            world.echoes.append({**own, "agent": f"x{number}_{own['agent']}", "saying": saying})
        for name, made in copies.items():
            tx.execute(sa.insert(Base.metadata.tables[name]), made)
    for number, saying in enumerate(sayings):
        _say_at_the_doors(world, number, saying)


def _copy(
    copies: dict[str, list[dict[str, Any]]], rows: Mapping[str, Sequence[Mapping[str, Any]]], number: int, saying: str
) -> dict[Any, uuid.UUID]:
    ids: dict[Any, uuid.UUID] = {}
    for table in _COPIED:
        for row in rows[table]:
            made = _with_own_ids(table, dict(row), ids, number)
            made |= {name: saying[:longest] for name, longest in _WORDS.get(table, {}).items()
                     if name in made and not _is_kept_empty(name, row)}  # fmt: skip
            made |= {name: _said(row[name], saying) for name in _JSON.get(table, ()) if row.get(name) is not None}
            copies[table].append(made)
    return ids


def _uuid(name: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(name)
    except ValueError:
        return None


def _is_kept_empty(name: str, row: Mapping[str, Any]) -> bool:
    return name == "held" and row["state"] != "ready"


def _with_own_ids(table: str, row: dict[str, Any], ids: dict[Any, uuid.UUID], number: int) -> dict[str, Any]:
    if own := _OWN_IDS.get(table):
        ids[row[own]] = uuid.uuid4()
    elif "id" in row:
        del row["id"]
    for name, value in row.items():
        if isinstance(value, uuid.UUID) and value in ids:
            row[name] = ids[value]
    if table == "agents":
        row["username"] = f"x{number}_{row['username']}"[:30]
    if table == "approval_requests" and row["resource_id"]:
        row["resource_id"] = f"{number}-{row['resource_id']}"
    if table == "inbox_items":
        row["remote_id"] = f"{row['remote_id']}-{number}"
    if table == "opt_outs":
        row["username"] = f"{row['username']}-{number}"
    if table == "jobs" and row["target"]:
        row["target"] = f"{row['target']}-{number}"
    return row


def _said(value: Any, saying: str, key: str = "") -> Any:
    match value:
        case str() if key in _SPOKEN:
            return saying
        case dict():
            return {name: _said(item, saying, name) for name, item in value.items()}
        case list():
            return [_said(item, saying, key) for item in value]
    return copy.copy(value)


def _say_at_the_doors(world: Inhabited, number: int, saying: str) -> None:
    """Say it where anybody can: names of tokens and browsers, failed logins, reasons of holds, audited values."""
    deps = world.fleet.deps
    on_one_line = "".join(char for char in saying if char.isprintable())[:60].strip()
    accounts.issue_token(deps, "owner", on_one_line or "-", (Permission.JOBS_VIEW,), None)
    visit = Visit("127.0.0.1", saying)
    with deps.db.transaction() as tx:
        sessions.open(tx, users.get(tx, "owner").id, visit)
    fleetwide.pause(deps, "agent", f"x{number}_ada_1", by=saying[:60], reason=saying[:300])
    with audit.acting(Actor(saying[:60], "owner", Via.SESSION, saying[:60], "r")), deps.db.transaction() as tx:
        audit.note(tx, "session.refused", f"user:{saying[:60]}", before={"name": saying}, after={"name": saying})
        events.emit(tx, "agent.updated", agent=saying, before={"name": saying}, after={saying[:60]: saying})
    if number == 0:
        try:
            accounts.log_in(deps, saying, "wrong", visit)
        except FleetError:
            return
