"""A fleet whose servers repeat the keys that they are shown writes none of them anywhere.

Keys come from the environment and from the key store, and look like nothing that a pattern would find.
"""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote

import pytest
import redis
import sqlalchemy as sa
from click.testing import CliRunner

from fleet.accounts.sealing import new_key
from fleet.cli.app import cli as root
from fleet.sandbox.servers.postgres import APP
from tests.database_roles import as_owner
from tests.e2e.leaks import broker, files, forms, leaks, tables
from tests.e2e.world import TOKEN, World, wait_until
from tests.model_server import ModelServer, Reply, honest, post_text
from tests.signing_authority import issue

IN_ENVIRONMENT = "Ak+env/7fQ=9zLw.Tn2x~Kd8Rb"
IN_STORE = "St+ore/4mW=1yHp.Ju6c~Vg3Xe"
OF_MODERATOR = "Mo+der/8sB=5dNk.Rz1q~Wf6Ta"
COMMANDS = (
    ["status"], ["activity", "--limit", "500"], ["agents", "list"], ["jobs", "list", "--limit", "100"],
    ["dead", "list"], ["costs"], ["costs", "--by", "outcome"], ["budgets", "list"], ["kill-switch", "status"],
    ["secrets", "list"], ["check"], ["persona", "list"],
)  # fmt: skip


def echo(key: str) -> str:
    """What a careless server says."""
    basic = base64.b64encode(f"user:{key}".encode()).decode()
    return f"Incorrect API key provided: {key} (?key={quote(key, safe='')}, Authorization: Basic {basic})"


def refusal(status: int, key: str) -> Reply:
    error = {"message": echo(key), "type": "authentication_error", "code": "invalid_api_key", "param": key}
    return Reply(status=status, body=json.dumps({"type": "error", "error": error}).encode(), headers={"x-key": key})


@pytest.fixture
def servers() -> Iterator[tuple[ModelServer, ModelServer, ModelServer]]:
    with ExitStack() as stack:
        yield tuple(stack.enter_context(ModelServer(honest).running()) for _ in range(3))  # type: ignore[misc]


def careless(anthropic: ModelServer, openai: ModelServer, moderator: ModelServer) -> None:
    """Let each server fail in every way that repeats its key, and publish it, and then refuse it for good."""
    dice = random.Random(5)
    # Four posts ask at once, and each is told once what is wrong with its answer: eight bad ones end their calls.
    anthropic.script.extend(Reply(text=f"Here is your key: {IN_ENVIRONMENT}") for _ in range(8))
    anthropic.script.extend([refusal(500, IN_ENVIRONMENT), Reply(body=echo(IN_ENVIRONMENT).encode())])
    anthropic.always = refusal(401, IN_ENVIRONMENT)
    published = post_text(dice, caption=f"A kiln at low tide, {IN_STORE} they say.", reason=echo(IN_STORE))
    openai.script.extend([refusal(500, IN_STORE), Reply(text=published), Reply(text=published), refusal(429, IN_STORE)])
    openai.always = refusal(401, IN_STORE)
    moderator.script.extend([refusal(500, OF_MODERATOR), Reply(body=echo(OF_MODERATOR).encode())])


def keep(world: World, name: str, value: str) -> str:
    """Put a secret into the store as a person does, and return all that was said."""
    done = CliRunner().invoke(root, ["-vv", "secrets", "set", name], input=value, env=world.environment())
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.e2e
@pytest.mark.timeout(600)
def test_no_key_is_in_anything_that_a_run_writes(
    world: World, servers: tuple[ModelServer, ModelServer, ModelServer], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    careless(*servers)
    anthropic, openai, moderator = servers
    ring, pair = new_key(), issue()
    cert, _ = pair.write(tmp_path)
    given = {
        "ANTHROPIC_API_KEY": IN_ENVIRONMENT, "ANTHROPIC_BASE_URL": anthropic.url,
        "OPENAI_BASE_URL": f"{openai.url}/v1", "SECRET_KEYS": ring, "MODERATION": "openai",
        "MODERATION_BASE_URL": f"{moderator.url}/v1", "C2PA_CERT": str(cert),
        "LLM_RECORD": str(world.folder / "record.jsonl"), "LOG_LEVEL": "DEBUG",
    }  # fmt: skip
    for name, value in given.items():
        monkeypatch.setenv(f"FLEET_{name}", value)
    places = {
        "set openai": keep(world, "openai_api_key", IN_STORE).encode(),
        "set moderation": keep(world, "moderation_api_key", OF_MODERATOR).encode(),
        "set c2pa": keep(world, "c2pa_key_pem", pair.key.decode()).encode(),
    }
    agents = world.agents(4)
    world.add_jobs(agents, "post")
    places |= broker(world.broker_url)
    world.start_worker(FLEET_LEASE_S="60")
    world.start_beat()
    # A caption is no answer to who asks for a comment: posts have to ask for it.
    wait_until("a post has got its caption", lambda: len(openai.script) <= 1)
    world.add_jobs(agents[:2], "comment", target=world.post_as_guest())
    world.wait_all_ended(300)
    places |= printed(world)
    places |= {f"{name} at the end": data for name, data in broker(world.broker_url)}
    places |= {**dict(tables(world.database_url)), **{f"gallery {n}": d for n, d in tables(world.gallery_database_url)}}
    places |= dict(files(world.folder))

    keys = {"environment": IN_ENVIRONMENT, "store": IN_STORE, "moderator": OF_MODERATOR, "ring": ring, "token": TOKEN}
    keys |= {f"line {n} of the signing key": line for n, line in enumerate(pair.key.decode().splitlines()[1:-1])}
    assert leaks(places, keys) == []
    was_worth_it(world, servers)


def was_worth_it(world: World, servers: tuple[ModelServer, ModelServer, ModelServer]) -> None:
    """Make sure that the run was worth searching: keys were used, repeated, and taken out of what was told."""
    anthropic, openai, moderator = servers
    for server, key in ((anthropic, IN_ENVIRONMENT), (openai, IN_STORE), (moderator, OF_MODERATOR)):
        assert any(headers.get("authorization") == f"Bearer {key}" for _, headers, _ in server.asked)
    outcomes = {row.outcome for row in world.rows("SELECT DISTINCT outcome FROM llm_calls")}
    assert outcomes >= {"malformed", "transient", "auth"}
    assert "Incorrect API key provided: ***" in world.log("worker")
    assert world.count("done") >= 4
    assert "A kiln at low tide" in (world.folder / "record.jsonl").read_text()


def printed(world: World) -> dict[str, bytes]:
    """Return what commands print, for machines and for people, errors too."""
    jobs = [["jobs", "show", str(row.id)] for row in world.rows("SELECT id FROM jobs")]
    agents = [["agents", verb, str(row.username)] for row in world.rows("SELECT username FROM agents LIMIT 1")
              for verb in ("show", "decisions", "activity")]  # fmt: skip
    said = {}
    for words in (*COMMANDS, *jobs, *agents):
        for more in ([], ["--json"]) if words in COMMANDS else (["--json"],):
            line = ["-vv", *words, *more]
            said[f"fleet {' '.join(line)}"] = CliRunner().invoke(root, line, env=world.environment()).output.encode()
    assert all(said.values())
    return said


@pytest.mark.parametrize("how", forms(IN_STORE))
@pytest.mark.parametrize("before", [b"", b"a", b"ab"])
def test_the_search_finds_a_key_however_it_is_written(how: str, before: bytes) -> None:
    written = b"... " + before + forms(IN_STORE)[how] + b" ..."
    assert leaks({"a log": b"nothing", "a table": written}, {"store": IN_STORE})


@pytest.mark.parametrize("before", ["", "u:", "user", "a:"])
@pytest.mark.parametrize("after", ["", ":", "::", ":::"])
def test_the_search_finds_a_key_inside_other_base64(before: str, after: str) -> None:
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        assert leaks({"a log": encode(f"{before}{IN_STORE}{after}".encode())}, {"store": IN_STORE})


def test_the_search_looks_into_tables_the_broker_and_files(database_url: str, broker_url: str, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.log").write_text(f"said {IN_STORE}")
    as_owner(database_url, "CREATE TABLE t (a text, b jsonb, c bytea)", f"GRANT ALL ON t TO {APP}")
    engine = sa.create_engine(database_url)
    with engine.begin() as connection:
        for column, value in (("a", IN_STORE), ("b", json.dumps({"x": [IN_STORE]})), ("c", IN_STORE.encode())):
            connection.execute(sa.text(f"INSERT INTO t ({column}) VALUES (:v)"), {"v": value})
    engine.dispose()
    with redis.Redis.from_url(broker_url) as client:
        client.lpush("queue", json.dumps({"body": base64.b64encode(IN_STORE.encode()).decode()}))
        client.hset("unacked", "tag", IN_STORE)
    places = {**dict(files(tmp_path)), **dict(tables(database_url)), **dict(broker(broker_url))}
    found = leaks(places, {"store": IN_STORE})
    assert {one.partition(" in ")[2].split(":")[0] for one in found} == {
        "deep/a.log", "table t", "broker b'queue'", "broker b'unacked'"
    }  # fmt: skip
    assert {"plain", "hex", "base64+0"} <= {one.partition("(")[2].partition(")")[0] for one in found}
