"""`fleet up --with-shop`: its account, what features make of it, and where the shop sends its webhooks."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.accounts import service
from fleet.accounts.sealing import new_key
from fleet.cli.commands.up import shop
from fleet.engine.deps import Deps
from fleet.engine.points.sandbox_shop import SandboxShopSetup
from fleet.features.accounts import commands
from tests.factories import Fleet, make_fleet
from tests.shops import ShopWorld

BY = "cli:tests"


@pytest.fixture
def fleet(database_url: str) -> Iterator[Fleet]:
    """A fleet with a key for its key store."""
    made = make_fleet(database_url, secret_keys=new_key())
    yield made
    made.deps.close()


def test_the_account_is_made_and_prepared_once_and_follows_the_shop_to_its_address(
    fleet: Fleet, tmp_path: Path, sandbox_shop: ShopWorld
) -> None:
    deps = fleet.deps
    prepared: list[uuid.UUID] = []
    fails = True

    def prepare(_deps: Deps, account_id: uuid.UUID) -> None:
        prepared.append(account_id)
        if fails:
            raise KeyboardInterrupt

    setups = [SandboxShopSetup(prepare=prepare)]
    token = shop.token(tmp_path)
    assert token == shop.token(tmp_path) and token.startswith("shp_")
    assert (tmp_path / "shop.json").stat().st_mode & 0o777 == 0o600
    with pytest.raises(KeyboardInterrupt):  # the start was ended while a feature worked
        shop.open_in(deps, tmp_path, sandbox_shop.url, setups, by=BY)
    fails = False
    for url in (sandbox_shop.url, "http://127.0.0.1:9"):
        shop.open_in(deps, tmp_path, url, setups, by=BY)
    with deps.db.transaction() as tx:
        row = service.named(tx, "sandbox_shop")
    assert (row.adapter, row.address, prepared) == ("sandbox_shop", "http://127.0.0.1:9", [row.id, row.id])
    commands.remove(deps, "sandbox_shop", by=BY)
    shop.open_in(deps, tmp_path, sandbox_shop.url, setups, by=BY)
    assert len(set(prepared)) == 2


def test_the_shop_sends_its_webhooks_to_this_fleet_and_nowhere_else(
    fleet: Fleet, tmp_path: Path, sandbox_shop: ShopWorld
) -> None:
    deps = fleet.deps
    sandbox_shop.send_hooks("http://127.0.0.1:9/of-a-former-start")
    stored = {"token": sandbox_shop.token, "webhook_secret": sandbox_shop.secret, "is_prepared": False}
    (tmp_path / "shop.json").write_text(json.dumps(stored))
    setups = [SandboxShopSetup(prepare=lambda _deps, _account: None, hook_path="/hooks/in/store/{account}")]
    shop.open_in(deps, tmp_path, sandbox_shop.url, setups, by=BY)
    shop.subscribe_in(deps, tmp_path, sandbox_shop.url, "http://127.0.0.1:8630", setups)
    with deps.db.transaction() as tx:
        account_id = service.named(tx, "sandbox_shop").id
    assert sandbox_shop.hook_urls() == [f"http://127.0.0.1:8630/hooks/in/store/{account_id}"]
