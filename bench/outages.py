"""Seconds until the dashboard says that something is down, and until it says that all is well again.

Run `python -m bench.outages`: a fleet of real processes on embedded servers, and its first page in a headless Chromium
(`make browser` installs what that needs). Each part is broken for a while and mended. Prints the table of
docs/operations.md. No part of `make bench`: it takes a quarter of an hour, most of it waiting.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fleet import app
from fleet.access import Role
from fleet.accounts.sealing import new_key
from fleet.chaos.world.servers import Servers
from fleet.core import db
from fleet.core.settings import CapSetting, mapping_as_json
from fleet.engine import system_agents
from fleet.features.agents import commands as agent_commands
from fleet.features.users import service as users
from fleet.features.webhooks import commands as hooks
from fleet.features.webhooks.outbound.subscriptions import SubscriptionFields
from fleet.sandbox import ports
from fleet.sandbox.servers.postgres import APP
from tests import receiver as receivers
from tests.browser import chromium
from tests.e2e.world import World, make_world, wait_until
from tests.model_server import ModelServer, Reply
from tests.receiver import Receiver

AGENTS = 12
PASSWORD = "correct horse battery"
_BROKEN_S = 20.0
_PATIENCE_S = 600.0
_TEMPO = 1000
_NO_CAPS = dict.fromkeys(("post", "comment", "like"), CapSetting(gap_s=0, per_day=1_000_000))
_SEEN = """() => ({
  state: document.querySelector("#state .state")?.className ?? "",
  words: document.querySelector("#state")?.innerText ?? "",
  alarm: document.querySelector("#alarm")?.innerText ?? "",
})"""


@dataclass(frozen=True, slots=True)
class Outage:
    """One part: how it is broken and mended, and what the page says meanwhile."""

    name: str
    says: str
    break_: Callable[[], Any]
    mend: Callable[[], Any]


class Stand:
    """The fleet, and the page that somebody has open."""

    def __init__(self, world: World, servers: Servers, model: ModelServer, receiver: Receiver, page: Any) -> None:
        self.world, self.servers, self.model, self.receiver, self.page = world, servers, model, receiver, page

    def outages(self) -> list[Outage]:
        """Return every part that can be broken."""
        world, servers = self.world, self.servers
        return [
            Outage("a surface answers 500 to every call", "Surface floimg down",
                   lambda: world.faults(error_rate=1.0), world.faults),
            Outage("the model provider answers 503", "Provider anthropic down",
                   lambda: setattr(self.model, "always", Reply(status=503, body=b"{}")),
                   lambda: setattr(self.model, "always", None)),
            Outage("a webhook's receiver answers 500", "Webhook", lambda: setattr(self.receiver, "refused", "/in"),
                   lambda: setattr(self.receiver, "refused", None)),
            Outage("Postgres is killed", "No database", servers.kill_postgres, servers.postgres.start),
            Outage("the broker is killed", "Broker down", lambda: servers.kill_valkey(empty=True),
                   servers.valkey.start),
            Outage("all workers are killed", "Workers down", lambda: world.kill("worker"),
                   lambda: world.start_worker("worker")),
            Outage("beat is killed", "Beat down", lambda: world.kill("beat"), world.start_beat),
            Outage("the dashboard is killed", "No connection", lambda: world.kill("web"), lambda: start_web(world)),
            Outage("the dashboard hangs", "No connection", lambda: world.kill("web", signal.SIGSTOP),
                   lambda: world.kill("web", signal.SIGCONT)),
        ]  # fmt: skip

    def until(self, what: str, true: Callable[[dict[str, str]], bool]) -> float:
        """Return how many seconds passed until the page was so."""
        began_s, last = time.monotonic(), {}
        while time.monotonic() - began_s < _PATIENCE_S:
            last = self.page.evaluate(_SEEN)
            if true(last):
                return time.monotonic() - began_s
            time.sleep(0.1)
        raise SystemExit(f"The page never said {what}: {last}")

    def measure(self, one: Outage, shots: Path | None) -> tuple[float, float]:
        """Break a part and mend it; return the seconds until the page says so, and until all is well again."""
        self.until("that all is well", is_well)
        one.break_()
        said_s = self.until(one.says, lambda seen: one.says in seen["alarm"] + seen["words"])
        time.sleep(max(0.0, _BROKEN_S - said_s))
        if shots is not None:
            self.page.screenshot(path=shots / f"{one.name.replace(' ', '_')}.png")
        one.mend()
        return said_s, self.until("that all is well", is_well)


def is_well(seen: dict[str, str]) -> bool:
    """Whether the page is green: the fleet runs, and nothing is down."""
    return "running" in seen["state"].split() and not seen["alarm"].strip()


def start_web(world: World) -> None:
    """Start the dashboard on its port, and wait for it."""
    world.start("web", "fleet.web")
    wait_until("the dashboard listens", lambda: "dashboard listening on " in world.log("web"))


@contextmanager
def stand(folder: Path, stack: ExitStack) -> Iterator[Stand]:
    """Start everything, and open the first page."""
    servers = Servers(folder, folder, random.Random(1))
    servers.start()
    stack.callback(servers.stop)
    ledger = servers.postgres.ensure_ledger()
    db.migrate(ledger.owner, app_role=APP)
    gallery = servers.postgres.ensure_gallery()
    receiver, model = stack.enter_context(receivers.running()), stack.enter_context(ModelServer().running())
    port = ports.choose(purpose="the dashboard", setting="FLEET_WEB_PORT")
    own = {
        "FLEET_SECRET_KEYS": new_key(), "FLEET_HOOKS_ALLOW": receiver.allow, "FLEET_TEMPO": str(_TEMPO),
        "FLEET_CAPS": mapping_as_json(_NO_CAPS), "FLEET_AI_COMMENT_LEAD": "1000000", "FLEET_WEB_PORT": str(port),
        "ANTHROPIC_API_KEY": "sk-ant-of-the-stand", "ANTHROPIC_BASE_URL": model.url,
        "FLEET_LEASE_S": "60",
    }  # fmt: skip
    world = stack.enter_context(make_world(folder / "world", ledger.app, gallery, servers.valkey.url()))
    environment = world.environment
    world.environment = lambda **more: environment(**{**own, **more})  # type: ignore[method-assign]
    world.folder.mkdir()
    world.start_gallery()
    world.start_worker()
    world.start_beat()
    start_web(world)
    people(world, receiver)
    yield Stand(world, servers, model, receiver, open_page(world, port, stack))


def people(world: World, receiver: Receiver) -> None:
    """Create busy agents, a webhook that hears of their jobs, and an owner."""
    system_agents.staff(world.deps.db)
    agent_commands.seed(world.deps, count=AGENTS, by="the stand", start=True)
    world.sql("UPDATE agents SET min_interval_s = :least, max_interval_s = :most WHERE kind = 'gallery'",
              least=4 * _TEMPO, most=10 * _TEMPO)  # fmt: skip
    hooks.create(world.deps, SubscriptionFields(receiver.url, ("job.*",)), by="the stand")
    users.create_user(world.deps, "ana", Role.OWNER, PASSWORD)


def open_page(world: World, port: int, stack: ExitStack) -> Any:
    """Log in and open the first page."""
    from playwright.sync_api import sync_playwright

    playwright = stack.enter_context(sync_playwright())
    browser = playwright.chromium.launch(executable_path=chromium.find(), args=["--disable-dev-shm-usage"])
    stack.callback(browser.close)
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(f"http://127.0.0.1:{port}/login")
    page.get_by_label("Name").fill("ana")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.get_by_text("Live", exact=True).wait_for()
    return page


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="a part of the name of an outage")
    parser.add_argument("--shots", type=Path, help="a folder for a screenshot of each outage")
    asked = parser.parse_args()
    if lacking := chromium.lacking():
        raise SystemExit(f"{lacking}. {chromium.CALL}")
    app.load()
    rows = []
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack, stand(Path(folder), stack) as made:
        for one in made.outages():
            if asked.only in one.name:
                said_s, well_s = made.measure(one, asked.shots)
                rows.append(f"| {one.name} | {said_s:.0f} s | {well_s:.0f} s |")
                print(rows[-1], file=sys.stderr, flush=True)
    print("| what happens | until the page says so | after mending, until it is green |\n|---|---:|---:|")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
