"""The conformance suite: the template's adapter and the gallery's keep every promise, and broken ones are found."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from fleet.adapters import base, registry
from fleet.adapters.manifest import AdapterType
from fleet.core import ids
from fleet.engine.attempts.perform import perform
from fleet.engine.deps import Outside
from fleet.engine.jobs import ledger
from fleet.engine.jobs.ledger import NewJob
from fleet.features.adapters.conformance import find, suite
from fleet.features.adapters.conformance.suite import PromiseVerdict
from tests.e2e.world import TOKEN, make_world
from tests.factories import Fleet, make_fleet
from tests.web_client import Web

TEMPLATE = Path(__file__).resolve().parents[2] / "data/adapter_template"


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[tuple[AdapterType, str, str]]:
    """The template's adapter, installed as a package is, and the address and token of its server."""
    information = tmp_path / "fleet_board-0.1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: fleet-board\nVersion: 0.1.0\n", "utf-8")
    (information / "entry_points.txt").write_text("[fleet.adapters]\nboard = fleet_board:ADAPTER\n", "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.syspath_prepend(str(TEMPLATE))
    for cached in (registry._installed, registry.get):
        cached.cache_clear()
    import fleet_board.server  # type: ignore[import-not-found]

    server = fleet_board.server.BoardServer()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield registry.get("board"), f"http://127.0.0.1:{server.server_address[1]}", fleet_board.server.TOKEN
    server.shutdown()
    server.server_close()
    for cached in (registry._installed, registry.get):
        cached.cache_clear()


def failed(kind: AdapterType, address: str, token: str) -> dict[str, str]:
    return {one.promise: one.why for one in suite.run(kind, address, token) if one.verdict is PromiseVerdict.FAILED}


def test_the_templates_adapter_is_installed_and_keeps_every_promise(board: tuple[AdapterType, str, str]) -> None:
    assert "board" in registry.names() and find.adapter("board").name == "board"
    assert find.adapter("fleet_board:ADAPTER") is find.adapter("fleet_board")
    results = list(suite.run(*board))
    assert {one.promise: one.why for one in results if one.verdict is PromiseVerdict.FAILED} == {}
    left_out = [one.why for one in results if one.verdict is PromiseVerdict.NOT_APPLICABLE]
    assert left_out == ["it has no comment and no comments"]


@pytest.fixture
def fleet(database_url: str) -> Iterator[Fleet]:
    made = make_fleet(database_url, systems={"notices": None})
    in_memory, real = made.deps.outside.connect, Outside().connect
    made.deps.outside.connect = (  # type: ignore[method-assign]
        lambda account: (real if account.adapter == "board" else in_memory)(account)
    )
    yield made
    made.deps.close()


def test_the_templates_adapter_gets_an_account_and_publishes_through_the_engine(
    board: tuple[AdapterType, str, str], fleet: Fleet, web: Web
) -> None:
    _, address, token = board
    api = web.program("admin")
    new = {"name": "notices", "adapter": "board", "address": address, "credentials": token}
    assert api.post("/api/v1/accounts", json=new).status_code == 201
    fleet.deps.accounts.expire()
    account = next(one.key.id for one in fleet.deps.accounts.all() if one.key.name == "notices")
    agent = fleet.agent(account=False, account_id=account, surface="board")
    done = {}
    for kind in ("provision", "post"):
        job = NewJob(ids.new(), agent, kind, "board", account_id=account)
        with fleet.deps.db.transaction() as tx:
            ledger.add(tx, [job])
        perform(fleet.deps, job.id)
        done[kind] = fleet.job(job.id)
    assert {kind: row.state for kind, row in done.items()} == {"provision": "done", "post": "done"}, done["post"].error
    with httpx.Client(base_url=address, headers={"Authorization": f"Bearer {token}"}) as reader:
        (post,) = reader.get("/posts").json()["items"]
    assert (post["id"], post["text"]) == (done["post"].remote_id, (done["post"].result or {})["text"])
    shown = api.get("/api/v1/adapters/board").json()
    assert token not in str(shown) and "notices" in str(shown)
    used = fleet.sql("SELECT name FROM adapter_limits WHERE adapter = 'board'").scalars().all()
    assert set(used) == {"requests", "posts"}, "the manifest's limits are counted"


def _broken(kind: AdapterType, **methods: Any) -> AdapterType:
    """Return the adapter with other methods."""
    broken = type("Broken", (kind.connect,), methods)  # type: ignore[arg-type]
    return replace(kind, connect=broken)


@pytest.mark.parametrize(
    ("fault", "promise"),
    [
        ("another key", "A post whose outcome is unknown is resolved as declared, without a second one"),
        ("says done", "A write to a silent server is Uncertain, within its deadline"),
        ("raises ValueError", "A server that fails (500) makes a write Uncertain"),
        ("forgets Retry-After", "A 429 is Throttled, with the time of Retry-After"),
        ("cuts the text", "A post is shown as it was written"),
    ],
)
def test_a_broken_adapter_is_found(board: tuple[AdapterType, str, str], fault: str, promise: str) -> None:
    kind, address, token = board
    whole: Any = kind.connect

    def write(self: Any, action: Any, *, timeout_s: float) -> Any:
        if fault == "another key":
            action = replace(action, key=f"{action.key}-{id(object())}-{timeout_s}-{len(self.__dict__)}")
            self.__dict__[action.key] = True
        if fault == "cuts the text" and action.type.name == "post":
            action = replace(action, payload=replace(action.payload, text=action.payload.text[:5]))
        try:
            return whole.write(self, action, timeout_s=timeout_s)
        except base.Uncertain:
            if fault == "says done":
                return base.Receipt("done")
            if fault == "raises ValueError":
                raise ValueError("what now?") from None
            raise

    def check(self: Any, *, timeout_s: float) -> Any:
        try:
            return whole.check(self, timeout_s=timeout_s)
        except base.Throttled:
            raise base.Throttled("slow") from None

    methods: dict[str, Any] = {"write": write}
    if fault == "forgets Retry-After":
        methods = {"check": check}
    assert promise in failed(_broken(kind, **methods), address, token)


def test_the_gallerys_adapter_keeps_every_promise(tmp_path: Path, postgres_server: Any) -> None:
    database = postgres_server.create_database()
    with make_world(tmp_path, "", database, "") as world:
        world.start_gallery()
        assert failed(registry.get("floimg"), world.gallery_url, TOKEN) == {}
    postgres_server.drop_database(database)
