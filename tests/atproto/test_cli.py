"""From an account to an answer by the command line: add, create, a post appears, the inbox shows a mention's answer."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.adapters.atproto import keys, records
from fleet.engine import deps as runtime_deps
from fleet.engine import registry
from tests.atproto.conftest import MakePerson
from tests.atproto.network import Network
from tests.atproto.test_inbox import mention
from tests.factories import Bell, Fleet, Surface, Words
from tests.features.agents.test_cli import Cli
from tests.features.platforms.test_agent import wake, work

pytestmark = pytest.mark.network
_HOURS = ",".join(map(str, range(24)))


@pytest.fixture
def cli(database_url: str, broker_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.setenv("FLEET_HOME", str(tmp_path / "home"))
    made = Cli(database_url, broker_url)
    made("secrets", "init")
    return made


@pytest.fixture
def workers(cli: Cli, tmp_path: Path) -> Iterator[Fleet]:
    """What the fleet's workers do, in this process, with the adapters that they have."""
    settings = registry.load_settings(
        database_url=cli.database_url, broker_url=cli.broker_url, home=tmp_path / "home", settle_s=0.0
    )
    deps = runtime_deps.build(settings)
    yield Fleet(deps, Surface(), Words(), Bell())
    deps.close()


def test_an_agent_is_made_posts_and_answers_by_commands_alone(
    network: Network, person: MakePerson, cli: Cli, workers: Fleet
) -> None:
    ada, zoe = person(app_password=True), person("zoe")
    address = network.pds.replace("localhost", "127.0.0.1")
    secret = f"{ada.handle}:{ada.password}"
    added = cli("accounts", "add", "ada", "--adapter", "atproto", "--address", address, stdin=secret).output
    assert "is created" in added and ada.password not in added
    refused = cli("accounts", "connect", "ada", "--paste", code=None)
    assert refused.exit_code == 2 and "set-token" in refused.output
    cli("agents", "create", "ada_lamp", "--kind", "atproto", "--account", "ada", "--persona", "ai_artist", "--start",
        "--config", f"post_hours={_HOURS}")  # fmt: skip
    agent = uuid.UUID(cli.json("agents", "show", "ada_lamp")["id"])
    assert wake(workers, agent)["action"] == "provision"
    work(workers)
    assert wake(workers, agent)["action"] == "post"
    work(workers)
    (post,) = network.records(ada.did, keys.POST)
    (profile,) = network.records(ada.did, keys.PROFILE)
    assert records.is_bot(profile["value"])
    (shown,) = cli.json("jobs", "list", "--kind", "post")["items"]
    assert (shown["state"], shown["remote_id"]) == ("done", post["uri"])

    (uri,) = mention(network, zoe, ada)
    network.indexed()
    assert wake(workers, agent)["action"] == "comment"
    work(workers)
    (item,) = cli.json("inbox", "list", "--agent", "ada_lamp")["items"]
    assert (item["author"], item["state"]) == (zoe.handle, "answered")
    assert "lamp 0?" in cli("inbox", columns=160).stdout
    (answer,) = [one for one in network.records(ada.did, keys.POST) if one["uri"] != post["uri"]]
    assert answer["value"]["reply"]["parent"]["uri"] == uri
    assert cli.json("inbox", "show", item["id"])["answer"] == answer["value"]["text"]
    assert answer["value"]["text"] in " ".join(cli("inbox", "show", item["id"], columns=400).stdout.split())
