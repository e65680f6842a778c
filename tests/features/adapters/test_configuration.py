"""Own values of adapters: what they may be, which layer counts, and that calls keep to them within seconds."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from fleet.access import organisations
from fleet.adapters.base import Account, LimitSpent
from fleet.adapters.manifest import Limit, LimitScope
from fleet.adapters.social import social
from fleet.core.errors import Conflict, InvalidInput, NotFound
from fleet.engine.attempts import perform
from fleet.engine.jobs import ledger
from fleet.engine.jobs.ledger import NewJob
from fleet.features.adapters.configuration import in_force, service
from fleet.features.adapters.configuration.settings import AdaptersSettings
from fleet.features.settings import commands as settings_commands
from fleet.features.settings.queries import Target
from tests.factories import Fleet, Surface, make_fleet
from tests.features.adapters.test_limits import HOUR, manifest
from tests.web_client import Web

__all__ = ["manifest"]  # the fixture

LIKES = Limit(name="likes", most=50, window=HOUR, costs={"like": 1}, cost=0)
READS = Limit(name="reads", most=50, window=HOUR, costs={"feed": 2}, cost=0, scope=LimitScope.APP)


@pytest.fixture
def fleet(database_url: str) -> Iterator[Fleet]:
    made = make_fleet(database_url, systems={"brand": Surface()})
    yield made
    made.deps.close()


def configure(fleet: Fleet, limits: dict[str, int | None], **more: Any) -> bool:
    times = {name: more.pop(name) for name in ("timeout_s", "check_s") if name in more}
    given: dict[str, Any] = {"by": "web:ann", "reason": "the plan", **more}
    return service.configure(fleet.deps, "floimg", limits=limits, times=times, **given)


def like(fleet: Fleet, agent: uuid.UUID, target: str) -> str:
    job = NewJob(uuid.uuid4(), agent, "like", "floimg", target=target)
    with fleet.deps.db.transaction() as tx:
        ledger.add(tx, [job])
    perform.perform(fleet.deps, job.id)
    return str(fleet.job(job.id).state)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("adapter_limits", "x=20"), ("adapter_limits", "x/posts"), ("adapter_limits", "x/posts=0"),
        ("adapter_limits", "x/posts=-1"), ("adapter_limits", "x/posts=1.5"), ("adapter_limits", "x/posts=1,x/posts=2"),
        ("adapter_limits", "x/posts=9999999999"), ("adapter_timeouts", "x=0"), ("adapter_timeouts", "x=nan"),
        ("adapter_timeouts", "x=121"), ("adapter_checks", "x=59"), ("adapter_checks", "=600"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_refused(field: str, value: str) -> None:
    with pytest.raises(ValidationError):
        AdaptersSettings(**{field: tuple(value.split(","))})


def test_a_lowered_limit_holds_back_the_next_call_and_a_raised_one_lets_it_go(
    fleet: Fleet, manifest: Callable[..., None]
) -> None:
    manifest(LIKES)
    agent = fleet.agent()
    assert like(fleet, agent, "p1") == "done"
    assert configure(fleet, {"likes": 1})
    assert like(fleet, agent, "p2") == "ready"
    (held,) = fleet.jobs(kind="like", state="ready")
    assert held.held == "limit of floimg: 1 units in 60 min are used"
    assert configure(fleet, {"likes": 60}) and not configure(fleet, {"likes": 60})
    assert like(fleet, agent, "p3") == "done"
    (shown, own) = service.shown(fleet.deps, "floimg")
    assert shown.limits[0].is_above and (own.limits[0].most, own.limits[0].source) == (60, "fleet")
    assert configure(fleet, {"likes": None})
    assert service.shown(fleet.deps, "floimg")[0].limits[0].source == "system"


def test_the_narrower_layer_counts_by_limit_and_takes_shared_limits_from_the_fleet(
    fleet: Fleet, manifest: Callable[..., None]
) -> None:
    manifest(LIKES, READS)
    brand = fleet.account("brand")
    with fleet.deps.db.transaction() as tx:
        two = organisations.create(tx, "Two")
    configure(fleet, {"likes": 10, "reads": 40})
    configure(fleet, {"likes": 5}, organisation="Two")
    sizes = lambda account, of: in_force.sizes(fleet.deps, service._kind("floimg"), account, of)  # noqa: E731
    assert sizes(brand, two.id) == {"likes": 5, "reads": 40}
    assert sizes(brand, None) == {"likes": 10, "reads": 40}
    configure(fleet, {"likes": 3}, account="brand")
    assert sizes(brand, two.id) == {"likes": 3, "reads": 40}
    configure(fleet, {"likes": None}, account="brand")
    assert sizes(brand, two.id) == {"likes": 5, "reads": 40}
    settings_commands.put(fleet.deps, "adapter_limits", ["floimg/reads=2"], Target(account="brand"), by="web:ann")
    assert sizes(brand, two.id) == {"likes": 5, "reads": 40}, "a shared limit has one size"
    with pytest.raises(InvalidInput, match="shared"):
        configure(fleet, {"reads": 4}, account="brand")
    with pytest.raises(InvalidInput, match="never let"):
        configure(fleet, {"reads": 1})
    with pytest.raises(NotFound, match="likes"):
        configure(fleet, {"posts": 4})
    with pytest.raises(InvalidInput, match="reason"):
        configure(fleet, {"likes": 4}, reason=" ")
    with pytest.raises(InvalidInput, match="never let"):
        settings_commands.put(fleet.deps, "adapter_limits", ["floimg/reads=1"], Target(), by="web:ann")


def test_what_the_environment_gives_stays_beside_a_change_and_a_pin_holds(
    database_url: str, manifest: Callable[..., None]
) -> None:
    manifest(LIKES, READS)
    given = ("floimg/reads=30",)
    fleet = make_fleet(database_url, adapter_limits=given)
    configure(fleet, {"likes": 7})
    assert fleet.deps.settings.of(AdaptersSettings).adapter_limits == ("floimg/likes=7", "floimg/reads=30")
    fleet.deps.close()
    pinned = make_fleet(database_url, adapter_limits=given, pinned=("adapter_limits",))
    with pytest.raises(Conflict, match="pinned"):
        configure(pinned, {"likes": 8})
    pinned.deps.close()


def test_a_time_limit_counts_for_the_next_call_and_an_interval_for_the_next_check(
    fleet: Fleet, manifest: Callable[..., None]
) -> None:
    manifest(LIKES, READS)
    adapter: Any = fleet.deps.gateway().adapter
    assert adapter._room.shorter(30.0) == 30.0
    configure(fleet, {}, timeout_s=5.0, check_s=600.0)
    assert adapter._room.shorter(30.0) == 5.0
    account = fleet.deps.accounts.get(None)
    assert in_force.check_s(fleet.deps, "floimg", account.key.id, None) == 600.0
    for _ in range(25):
        social(adapter).feed(Account("a", "ada", "Ada", None), limit=3)
    with pytest.raises(LimitSpent):
        social(adapter).feed(Account("a", "ada", "Ada", None), limit=3)
    configure(fleet, {}, timeout_s=None)
    assert adapter._room.shorter(30.0) == 30.0


def test_a_person_configures_an_adapter_on_its_page(fleet: Fleet, manifest: Callable[..., None]) -> None:
    manifest(LIKES)
    fleet.account("brand")
    browser = Web(fleet).browser()
    where = "/adapters/floimg/configure"
    refused = browser.post(where, account="brand", what="likes", value="many", reason="less")
    assert refused.headers["location"] == "/adapters/floimg"
    page = browser.get("/adapters/floimg").text
    assert "a whole number of units" in page and 'value="many"' in page
    browser.post(where, account="brand", what="likes", value="4", reason="The agency likes, too")
    browser.post(where, what="check_s", value="900", reason="It is slow")
    shown = {one["account"]: one for one in browser.get("/api/v1/adapters/floimg/configuration").json()["items"]}
    assert shown["brand"]["limits"][0] == {
        "name": "likes", "system": 50, "most": 4, "source": "account", "is_above": False,
    }  # fmt: skip
    assert shown[None]["limits"][0]["most"] == 50 and shown["brand"]["check_s"] == shown[None]["check_s"] == 900
    assert "set for the account; the system: 50" in browser.get("/adapters/floimg").text
    said = fleet.sql("SELECT after FROM audit WHERE action = 'setting.set' ORDER BY id LIMIT 1").scalar_one()
    assert said["reason"] == "The agency likes, too" and said["account"] == "brand"
    body = {"limits": {"likes": None}, "account": "brand", "reason": "gone"}
    assert browser.client.put("/api/v1/adapters/floimg/configuration", json=body).status_code in (200, 403)
