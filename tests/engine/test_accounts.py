"""Accounts: each job goes through its own, and a refused token stops one account and no other."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fleet.accounts import keys
from fleet.accounts.models import SETTINGS_ACCOUNT
from fleet.accounts.sealing import LostKey, new_key
from fleet.accounts.service import NewAccount
from fleet.adapters import base
from fleet.adapters.manifest import AccountAccess
from fleet.core import ids
from fleet.core.errors import NotFound
from fleet.engine import registry
from fleet.engine.attempts.perform import perform
from fleet.engine.deps import Outside
from fleet.engine.dispatch import dispatch
from fleet.engine.jobs import ledger
from fleet.engine.jobs.ledger import NewJob
from fleet.engine.jobs.ticks import TickKey
from fleet.engine.points import verbs
from fleet.engine.registry import load
from fleet.engine.tick import tick
from fleet.features.accounts import commands, queries
from fleet.features.accounts.queries import AccountState
from fleet.features.controls import commands as controls
from fleet.features.publishing.kinds import LIKE, POST, PROVISION
from tests.e2e.world import TOKEN, make_world
from tests.factories import Fleet, Surface, make_fleet, raises

OTHER_TOKEN = "fst_of_the_other_gallery"


@pytest.fixture
def second() -> Surface:
    return Surface()


@pytest.fixture
def two(database_url: str, second: Surface) -> Iterator[Fleet]:
    """A fleet with the gallery of its settings and an account `second`."""
    made = make_fleet(database_url, systems={"second": second})
    made.account("second")
    yield made
    made.deps.close()


def add(fleet: Fleet, agent: uuid.UUID, kind: str = LIKE, *, account: uuid.UUID | None = None) -> uuid.UUID:
    job = NewJob(ids.new(), agent, kind, "floimg", target=str(ids.new()) if kind == LIKE else None, account_id=account)
    with fleet.deps.db.transaction() as tx:
        ledger.add(tx, [job])
    return job.id


def refuse(surface: Surface) -> None:
    surface.faults = [raises(base.TokenRefused("401 INVALID_TOKEN"))]


def states(fleet: Fleet) -> dict[str, AccountState]:
    return {one.name: one.state for one in queries.listed(fleet.deps)}


def test_two_galleries_with_credentials_of_their_own_in_one_fleet(
    database_url: str, postgres_server: Any, tmp_path: Path
) -> None:
    databases = [postgres_server.create_database() for _ in range(2)]
    with ExitStack() as stack:
        worlds = []
        for number, (database, token) in enumerate(zip(databases, (TOKEN, OTHER_TOKEN), strict=True)):
            (folder := tmp_path / str(number)).mkdir()
            world = stack.enter_context(make_world(folder, "", database, ""))
            world.start_gallery(FLEET_SERVICE_TOKEN=token)
            worlds.append(world)
        fleet = make_fleet(
            database_url, gallery_url=worlds[0].gallery_url, service_token=TOKEN, http_timeout_s=10.0,
            secret_keys=new_key(),
        )  # fmt: skip
        fleet = replace(fleet, deps=replace(fleet.deps, outside=Outside()))
        wrong = NewAccount("second", "floimg", worlds[1].gallery_url, TOKEN)  # the token of the first one
        account = commands.add(fleet.deps, wrong, by="ada")
        agents = [
            fleet.agent(account=False, persona_id="ai_artist", username="first_one"),
            fleet.agent(account=False, persona_id="ai_artist", username="other_one", account_id=account),
        ]
        accounts = [None, account]

        def perform_each(kind: str) -> list[str]:
            jobs = [add(fleet, agent, kind, account=one) for agent, one in zip(agents, accounts, strict=True)]
            for job in jobs:
                perform(fleet.deps, job)
            return [fleet.job(job).state for job in jobs]

        assert perform_each(PROVISION) == ["done", "ready"]
        (held,) = fleet.jobs(state="ready")
        assert "TOKEN" in (held.held or "").upper()
        assert states(fleet) == {"gallery": "active", "second": "stopped"}
        assert perform_each(POST)[0] == "done", "the first account goes on"
        assert commands.change(fleet.deps, "second", by="ada", credentials=OTHER_TOKEN)
        for job in (held, *fleet.jobs(state="ready", kind=POST)):
            perform(fleet.deps, job.id)
        assert {job.state for job in fleet.jobs()} == {"done"}
        for world, token, name in zip(worlds, (TOKEN, OTHER_TOKEN), ("first_one", "other_one"), strict=True):
            shown = world.gallery("GET", "/api/showcase", headers={"Authorization": f"Bearer {token}"})
            assert name in str(shown), "each post is at the gallery of its job's account"
            assert ({"first_one", "other_one"} - {name}).pop() not in str(shown)
        fleet.deps.close()
    for database in databases:
        postgres_server.drop_database(database)


def test_a_refused_token_stops_its_account_alone(two: Fleet, second: Surface) -> None:
    account, agent = two.accounts["second"], two.agent()
    commands.assign(two.deps, "second", two.row(agent).username, by="ada")
    refuse(second)
    refused, waits, goes = add(two, agent, account=account), add(two, agent, account=account), add(two, agent)
    for job in (refused, waits, goes):
        perform(two.deps, job)
    assert [two.job(job).state for job in (refused, waits, goes)] == ["ready", "ready", "done"]
    assert [two.job(job).attempts for job in (refused, waits)] == [0, 0], "waiting costs no attempt"
    assert second.writes_begun == 1
    (hold,) = controls.holds(two.deps)
    assert (hold.scope, hold.key, hold.until) == ("account", str(account), None)
    assert "second refuses our token: 401 INVALID_TOKEN" in hold.reason
    assert "fleet accounts set-token second" in hold.reason
    assert hold.reason[:60] in (two.job(waits).held or "")
    two.time_passes()
    perform(two.deps, waits)
    assert second.writes_begun == 1, "nothing is tried until a person has looked"
    assert commands.resume(two.deps, "second", by="ada")
    for job in (refused, waits):
        perform(two.deps, job)
    assert [two.job(job).state for job in (refused, waits)] == ["done", "done"]


def test_a_refusal_of_the_old_token_does_not_stop_an_account_with_a_new_one(two: Fleet, second: Surface) -> None:
    """A slow call sends the old token while a person sets a new one."""

    def meanwhile(_: object) -> None:
        commands.change(two.deps, "second", by="ada", credentials="fst_a_new_token")
        raise base.TokenRefused("401")

    second.faults = [meanwhile]
    job = add(two, two.agent(), account=two.accounts["second"])
    perform(two.deps, job)
    assert states(two)["second"] == "active"
    assert (two.job(job).state, two.job(job).attempts) == ("ready", 0)


def test_new_credentials_end_no_stop_that_a_person_set(two: Fleet) -> None:
    commands.stop(two.deps, "second", by="ada", reason="audit")
    assert not commands.change(two.deps, "second", by="ada", credentials="fst_a_new_token")
    assert states(two)["second"] == "stopped"


def test_a_refused_token_of_the_settings_waits_for_the_surface_to_be_resumed(two: Fleet, second: Surface) -> None:
    """The command of earlier versions goes on working."""
    refuse(two.surface)
    job = add(two, two.agent())
    perform(two.deps, job)
    (hold,) = controls.holds(two.deps)
    assert (hold.key, "FLEET_SERVICE_TOKEN" in hold.reason) == (str(SETTINGS_ACCOUNT), True)
    with two.deps.db.transaction() as tx:  # rules of approval are asked about it, though only accounts are stopped
        lift = verbs.get("pause", "lift")
        shown = load(lift.preview)(two.deps, tx, lift.parse({"scope": "surface", "key": "floimg"}))
    assert shown.before["accounts"] and "of its accounts" in shown.summary
    assert controls.resume(two.deps, "surface", "floimg", by="ada")
    perform(two.deps, job)
    assert two.job(job).state == "done"


def test_an_agents_accounts_take_turns_and_a_stopped_one_is_left_out(two: Fleet, second: Surface) -> None:
    agent = two.agent(account=False, weights={"post": 0.0, "comment": 0.0, "like": 0.0, "browse": 1.0})
    commands.assign(two.deps, "second", two.row(agent).username, by="ada")

    def live(ticks: int) -> None:
        for _ in range(ticks):
            two.sql("UPDATE agents SET next_tick_at = clock_timestamp()")
            dispatch(two.deps)
            tick(two.deps, TickKey(agent, two.row(agent).tick_no))
            for job in two.jobs(state="ready"):
                perform(two.deps, job.id)

    live(4)
    through = {(job.kind, job.account_id) for job in two.jobs()}
    assert {(PROVISION, None), (PROVISION, two.accounts["second"])} <= through
    assert two.row(agent).remote_account is not None
    assert two.sql("SELECT remote_id FROM agent_accounts").scalar() is not None
    before = len(two.jobs(account_id=two.accounts["second"]))
    commands.stop(two.deps, "second", by="ada")
    live(4)
    assert len(two.jobs(account_id=two.accounts["second"])) == before
    assert len(two.jobs(account_id=None)) >= 4


def test_rotation_seals_credentials_again_and_processes_with_both_keys_go_on(two: Fleet) -> None:
    old, account = two.deps.settings.secret_keys.get_secret_value(), two.accounts["second"]
    assert two.deps.accounts.get(account).access.credentials.get_secret_value() == "fst_another_token"
    new = new_key()
    ring = registry.load_settings(secret_keys=f"{new},{old}").secret_keys
    both = two.deps.settings.model_copy(update={"secret_keys": ring})
    assert "account second" in keys.rotate(two.deps.db, both, by="ada")
    two.deps.accounts.expire()
    two.deps.refresh()
    assert two.deps.accounts.get(account).lost is None, "what a process has opened it goes on using"
    fresh = make_fleet(two.deps.settings.database_url, secret_keys=new)
    assert fresh.deps.accounts.get(account).access.credentials.get_secret_value() == "fst_another_token"
    fresh.deps.close()


def test_an_account_whose_key_is_gone_is_lost_and_the_others_go_on(two: Fleet) -> None:
    other = make_fleet(two.deps.settings.database_url, secret_keys=new_key())
    assert states(other) == {"gallery": "active", "second": "lost"}
    with pytest.raises(base.TokenRefused, match="second cannot be read"):
        other.deps.gateway(two.accounts["second"])
    assert isinstance(other.deps.accounts.get(two.accounts["second"]).lost, LostKey)
    job = add(other, other.agent())
    perform(other.deps, job)
    assert other.job(job).state == "done"
    other.deps.close()


def test_a_limit_of_an_account_holds_its_writes_and_not_those_of_another(two: Fleet) -> None:
    commands.change(two.deps, "second", by="ada", limits={"writes_per_minute": 1})
    account, agents = two.accounts["second"], [two.agent() for _ in range(3)]
    jobs = [add(two, agents[0], account=account), add(two, agents[1], account=account), add(two, agents[2])]
    for job in jobs:
        perform(two.deps, job)
    assert [two.job(job).state for job in jobs] == ["done", "ready", "done"]


def test_a_picture_of_another_account_is_sent_as_a_file_and_a_paused_maker_is_waited_for(
    database_url: str, second: Surface
) -> None:
    fleet = make_fleet(database_url, systems={"second": second}, pictures_account="gallery")
    account = fleet.account("second")
    agent = fleet.agent(account_id=account)
    controls.pause(fleet.deps, "account", "gallery", by="ada", reason="invoice")
    job = add(fleet, agent, POST, account=account)
    perform(fleet.deps, job)
    assert "gallery, which makes the pictures, is paused: invoice" in (fleet.job(job).held or "")
    controls.resume(fleet.deps, "account", "gallery", by="ada")
    fleet.surface.image_faults = [base.TokenRefused("401")]
    perform(fleet.deps, job)
    assert states(fleet) == {"gallery": "stopped", "second": "active"}, "the maker's token was refused"
    commands.resume(fleet.deps, "gallery", by="ada")
    actions: list[Any] = []
    second.faults = [actions.append]
    perform(fleet.deps, job)
    assert fleet.job(job).state == "done"
    (action,) = actions
    assert action.payload.image_url.startswith("data:image/")
    assert (len(fleet.surface.images_paid), second.images_paid, fleet.surface.effects) == (1, [], [])
    fleet.deps.close()


def test_a_job_of_a_removed_account_ends_and_is_not_sent_elsewhere(two: Fleet, second: Surface) -> None:
    account, agent = two.accounts["second"], two.agent()
    commands.remove(two.deps, "second", by="ada")
    job = add(two, agent, account=account)
    perform(two.deps, job)
    assert (two.job(job).state, two.job(job).dead_reason) == ("dead", "permanent")
    assert (two.surface.writes_begun, second.writes_begun) == (0, 0)
    with pytest.raises(NotFound):
        two.deps.accounts.get(account)


def test_nothing_is_read_or_written_at_a_host_that_the_settings_do_not_allow(database_url: str) -> None:
    """Whoever may edit agents may name any address; FLEET_ALLOWED_HOSTS is the operator's."""
    inside = Surface()
    inside.host = "169.254.169.254"
    fleet = make_fleet(database_url, systems={"inside": inside})
    account = fleet.account("inside")
    assert not commands.is_allowed(fleet.deps, "inside")
    agent = fleet.agent(account_id=account, weights={"browse": 1.0})
    inside.feed = lambda *_, **__: pytest.fail("the feed was read")  # type: ignore[method-assign]
    dispatch(fleet.deps)
    tick(fleet.deps, TickKey(agent, fleet.row(agent).tick_no))
    skipped = fleet.sql("SELECT payload FROM events WHERE subject = 'agent.tick.skipped'").scalar()
    assert "169.254.169.254:8640 is not among the hosts" in skipped["reason"]
    job = add(fleet, agent, account=account)
    perform(fleet.deps, job)
    assert (fleet.job(job).state, fleet.job(job).dead_reason) == ("dead", "policy")
    assert inside.writes_begun == 0
    fleet.deps.close()


def test_no_value_shows_credentials() -> None:
    secret = registry.load_settings(service_token=OTHER_TOKEN).service_token
    assert OTHER_TOKEN not in repr(AccountAccess("http://127.0.0.1", secret))
    assert OTHER_TOKEN not in repr(NewAccount("second", "floimg", "http://127.0.0.1", OTHER_TOKEN))
