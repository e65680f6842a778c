"""The world of a run: the fleet of `fleet chaos` with two shops in place of a gallery, behind proxies and relays.

`StoresWorld` is the world of the harness with other settings and other inhabitants: the agents of two stores.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from fleet.accounts import keys as key_files
from fleet.accounts.service import NewAccount
from fleet.chaos.world import REPUBLISH_S, SETTLE_S, World
from fleet.chaos.world.words import SurfaceWords
from fleet.chaos.world.writes import JobEvidence, SurfaceEvidence
from fleet.core.errors import Unavailable
from fleet.core.settings import Settings, SettingScope
from fleet.engine import controls, registry, system_agents
from fleet.engine.settings import store as settings_store
from fleet.engine.settings.store import ScopeKey
from fleet.features.accounts import commands as account_commands
from fleet.features.controls import commands as fleetwide
from fleet.features.stores import service
from fleet.features.stores.rules import Strategy
from tests.stores.chaos.relay import HookRelay
from tests.stores.chaos.shop_proxy import ShopProxy
from tests.stores.chaos.shops import ChaosOscar, ChaosVendure
from tests.stores.servers import PASSWORD, USERNAME

TEMPO = 10.0
"""Ten minutes of the settings are one minute: a store is read every 30 s, and wholly every 15 minutes."""
SECRET = "the secret of the shops' webhooks"
STORE_SETTINGS: Mapping[str, Any] = {
    "store_direction": "both", "store_conflicts": "newest", "store_conflicts_by_field":
    "description:target,categories:target,images:target,stock:source", "store_creates": True, "store_interval": "5m",
    "store_full_h": 2.5, "store_stock_min": 100, "store_batch": 50, "store_timeout_min": 600,
}  # fmt: skip
STORE_LEASE_S = 20.0
"""Longer than that of other worlds: a page of an Oscar shop is many requests, on a machine that others use too."""
_IN_STEP_S = 900.0
WORDS = SurfaceWords(path="docs/reliability-stores.md", title="Reliability of stores", parts="two shops",
                     others="", checked="", limits=())  # fmt: skip


@dataclass(slots=True)
class ShopSite:
    """A shop with what stands between it and the fleet."""

    name: str
    adapter: str
    shop: ChaosVendure | ChaosOscar
    proxy: ShopProxy | None = None
    relay: HookRelay | None = None
    kills: int = 0
    held: bool = field(default=False)
    """Whether an act keeps it down."""

    @property
    def credentials(self) -> str:
        """Return the credentials of its account."""
        more = {"currency": "EUR", "lookup": "own/products/"} if self.adapter == "oscar" else {}
        return json.dumps({"username": USERNAME, "password": PASSWORD, "webhook_secret": SECRET, **more})


class ShopsSurface:
    """Both shops, as the harness knows a surface."""

    name, adapter, words = "stores", "vendure", WORDS
    processes: Sequence[str] = ()
    always_honours_keys = True
    """No act here delivers a write late: see docs/reliability-stores.md."""

    def __init__(self, home: Path, seed: int, products: int) -> None:
        self._home, self._seed, self._products = home, seed, products
        self.sites: dict[str, ShopSite] = {}

    def open(self, world: World) -> Mapping[str, Any]:
        """Copy the shops' databases."""
        half = self._products // 2
        self.sites = {
            "vendure": ShopSite("vendure", "vendure", ChaosVendure(self._home / "vendure", products=half)),
            "oscar": ShopSite("oscar", "oscar", ChaosOscar(self._home / "oscar", products=half)),
        }
        return {}

    def start(self, world: World, env: Mapping[str, str]) -> None:
        """Start the shops and their proxies."""
        for one in self.sites.values():
            one.shop.start()
            one.proxy = ShopProxy(one.shop.url)
            one.proxy.start()

    def populate(self, world: World, count: int) -> None:
        """Make a store of each shop, and let its webhooks come through the relay."""
        key_files.make_ring(world.deps.settings)
        for one in self.sites.values():
            assert one.proxy is not None
            new = NewAccount(one.name, one.adapter, one.proxy.url, one.credentials)
            account_id = account_commands.add(world.deps, new, by=world.by)
            with world.deps.db.transaction() as tx:
                for name, value in STORE_SETTINGS.items():
                    key = ScopeKey(SettingScope.ACCOUNT, str(account_id))
                    # No product is created before both catalogues were read: matching comes first.
                    given = False if name == "store_creates" else value
                    settings_store.put(tx, key, name, given, by=world.by, reason="")
            one.relay = HookRelay(f"{world.web_url}{'/hooks/in/store/'}{one.name}", seed=self._seed)

    def first_sync(self, world: World) -> None:
        """Read both shops, one after the other, then let Fleet create what one of them lacks. Raises Unavailable."""
        for one in self.sites.values():
            service.add(world.deps, one.name, by=world.by)
            self.synced(world, [one.name], _IN_STEP_S)
        for one in self.sites.values():
            assert one.relay is not None
            one.relay.start()
            one.shop.set_hooks(one.relay.url, SECRET)
            with world.deps.db.transaction() as tx:
                row, _ = service.named(tx, one.name)
                key = ScopeKey(SettingScope.ACCOUNT, str(row.account_id))
                settings_store.put(tx, key, "store_creates", STORE_SETTINGS["store_creates"], by=world.by, reason="")

    def synced(self, world: World, names: Sequence[str], within_s: float) -> list[Mapping[str, int]]:
        """Have stores read wholly and wait for the ends of the runs; return their counts. Raises Unavailable."""
        asked = {}
        for name in names:
            asked[name] = world.deps.now()
            service.request_sync(world.deps, name, by=world.by, strategy=Strategy.FULL)
        found: dict[str, Mapping[str, int]] = {}

        def ended() -> bool:
            for name in names:
                run = self._newest_full(world, name, asked[name])
                if run is not None and run.state == "done":
                    found[name] = run.counts
                elif run is not None and run.state != "running" and name not in found:
                    asked[name] = world.deps.now()
                    service.request_sync(world.deps, name, by=world.by, strategy=Strategy.FULL)
            return len(found) == len(names)

        if not world.wait_until(ended, within_s):
            raise Unavailable(f"No complete sync of {', '.join(names)} ended within {within_s:.0f} s.",
                              fix=f"The logs are in {world.logs_dir}.")  # fmt: skip
        return [found[name] for name in names]

    @staticmethod
    def _newest_full(world: World, name: str, since: Any) -> Any:
        query = (
            "SELECT run.state, run.counts FROM sync_runs run JOIN accounts account ON account.id = run.account_id"
            " WHERE account.name = :name AND run.strategy = 'full' AND run.started_at >= :since"
            " ORDER BY run.started_at DESC LIMIT 1"
        )
        with world.deps.db.transaction() as tx:
            return tx.execute(sa.text(query), {"name": name, "since": since}).one_or_none()

    def set_pace(self, world: World, gap_s: float) -> None:
        """Do nothing: stores look as often as their settings say."""

    def answers(self) -> bool:
        """Tell whether both shops serve."""
        return all(one.shop.is_running for one in self.sites.values())

    def honour_keys(self, world: World, *, on: bool) -> None:
        """Do nothing: the shops have no keys."""

    def take_back(self, world: World) -> None:
        """Undo the present faults."""
        for one in self.sites.values():
            if one.proxy is not None:
                one.proxy.arm(None)
            if not one.shop.is_running:
                one.shop.start()

    def resume(self, world: World) -> None:
        """End the pauses that Fleet drew from faults."""
        for adapter in ("vendure", "oscar"):
            fleetwide.resume(world.deps, "surface", adapter, by=world.by)
            with world.deps.db.transaction() as tx:
                controls.resume_accounts(tx, adapter, by=world.by)

    def settle(self, world: World) -> None:
        """Do nothing: what was written to a shop can be read at once."""

    def read(self, jobs: Sequence[JobEvidence]) -> SurfaceEvidence:
        """Return nothing: these shops have a checker of their own."""
        return SurfaceEvidence(())

    def close(self) -> None:
        """End relays, proxies and shops."""
        for one in self.sites.values():
            for part in (one.relay, one.proxy, one.shop):
                if part is not None:
                    part.close()


class StoresWorld(World):
    """The fleet's processes, and two shops."""

    tempo = TEMPO  # type: ignore[assignment]

    def __init__(self, home: Path, *, seed: int, products: int) -> None:
        self.shops = ShopsSurface(home.absolute() / "shops", seed, products)
        super().__init__(home, seed=seed, agents=2, surface=self.shops)
        self.rng = random.Random(f"{seed} stores")

    def _settings(self) -> Settings:
        return registry.load_settings(
            _env_file=None, database_url=self.ledger_url, broker_url=self.servers.valkey.url(), home=self.home,
            tempo=TEMPO, http_timeout_s=10, lease_s=STORE_LEASE_S, settle_s=SETTLE_S, republish_s=REPUBLISH_S,
            surface_writes_per_minute=0, pool_size=8, log_json=True, hooks_allow=(self.outsiders.receiver.place,),
        )  # fmt: skip

    def _people(self) -> None:
        self.surface.populate(self, 2)
        system_agents.staff(self.deps.db)
