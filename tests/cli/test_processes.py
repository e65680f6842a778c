"""How the processes of a fleet are called, and that secrets stay off the process list."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from fleet.cli.app import cli
from fleet.cli.commands import processes
from fleet.cli.commands.up import faults
from fleet.cli.commands.up.process_list import UpOptions
from fleet.cli.frame.context import Door
from fleet.core.errors import InvalidInput
from fleet.core.queue import QUEUES
from fleet.core.settings import Settings
from fleet.engine import registry

SECRETS = {
    "database_url": "postgresql+psycopg://fleet:hush-db@127.0.0.1:1/fleet",
    "broker_url": "redis://:hush-broker@127.0.0.1:2/0",
    "service_token": "fst_hush_token",
}


def settings(**more: Any) -> Settings:
    return registry.load_settings(**{**SECRETS, **more})


def test_a_worker_takes_every_queue_in_order_with_threads() -> None:
    argv = processes.worker_program(settings(), name="worker7", concurrency=8).argv
    assert argv[:5] == (sys.executable, "-m", "workers.command", "-A", "workers.app")
    words = " ".join(argv)
    assert f"--queues {','.join(QUEUES)}" in words
    assert "--pool threads --concurrency 8" in words
    assert "--hostname worker7@%h" in words


def test_no_program_shows_a_secret_in_its_arguments() -> None:
    programs = [
        processes.worker_program(settings(), name="w", concurrency=1),
        processes.beat_program(settings()),
        processes.flower_program(settings(), address="127.0.0.1", port=1, password="hush-flower"),
        processes.gallery_program(
            settings(), database_url="postgresql://g:hush-g@h/g", images_dir=Path("i"), host="h", port=1
        ),
    ]
    for program in programs:
        assert "hush" not in " ".join(program.argv)
        assert "hush" not in repr(program)


def test_flower_is_read_only_and_behind_a_password() -> None:
    env = processes.flower_program(settings(), address="127.0.0.1", port=5, password="pw").env
    assert env["FLOWER_BASIC_AUTH"] == "fleet:pw"
    assert env["FLOWER_READ_ONLY"] == "true"
    assert env["FLOWER_ADDRESS"] == "127.0.0.1"


@pytest.mark.parametrize("password", ["", "hush,hush", "hüsch", "hu\nsh"])
def test_a_password_that_flower_would_read_as_another_is_refused(password: str) -> None:
    with pytest.raises(InvalidInput, match="FLEET_FLOWER_PASSWORD") as caught:
        processes.flower_program(settings(), address="127.0.0.1", port=5, password=password)
    assert "hush" not in str(caught.value)


def test_flower_knows_the_options_that_we_set() -> None:
    from flower.options import default_options

    env = processes.flower_program(settings(), address="127.0.0.1", port=5, password="pw").env
    for name in env:
        if name.startswith("FLOWER_"):
            assert name.removeprefix("FLOWER_").lower() in default_options


def test_a_child_sees_the_settings_that_we_saw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = settings(
        tempo=20.0, dry_run=True, home=tmp_path / "a home", allowed_hosts=("localhost", "example.org"), operator="Ann",
        notify="mailto://ann:hush@example.org, slack://a/b/c,d", caps={"post": {"gap_s": 0}},
    )  # fmt: skip
    for name, value in processes.environment(ours).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    assert registry.load_settings() == ours


@pytest.mark.parametrize("concurrency", [4, 400])
def test_a_workers_connections_do_not_grow_with_its_threads(concurrency: int) -> None:
    program = processes.worker_program(settings(pool_size=12), name="w", concurrency=concurrency)
    assert program.env["FLEET_POOL_SIZE"] == "12"


@pytest.fixture
def became(monkeypatch: pytest.MonkeyPatch) -> list[tuple[tuple[str, ...], dict[str, str]]]:
    """What the command would have become."""
    found: list[tuple[tuple[str, ...], dict[str, str]]] = []

    def note(_: str, argv: tuple[str, ...], env: dict[str, str]) -> None:
        found.append((argv, env))
        raise SystemExit(0)

    monkeypatch.setattr(os, "execve", note)
    return found


ENV = {"FLEET_DATABASE_URL": SECRETS["database_url"], "FLEET_BROKER_URL": SECRETS["broker_url"]}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["worker", "-c", "3"], "worker --pool threads --concurrency 3"),
        (["beat"], "beat --loglevel INFO"),
        (["flower", "--port", "7777", "--password", "pw"], "flower"),
    ],
)
def test_thin_commands_become_their_process(
    arguments: list[str], words: str, became: list[tuple[tuple[str, ...], dict[str, str]]]
) -> None:
    result = CliRunner().invoke(cli, arguments, env=ENV)
    assert result.exit_code == 0, result.stderr
    argv, env = became[0]
    assert words in " ".join(argv)
    assert env["FLEET_BROKER_URL"] == ENV["FLEET_BROKER_URL"]
    assert "PATH" in env


def test_port_0_of_up_is_any_free_one(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[UpOptions] = []

    class NoRun:
        def __init__(self, _door: Door, wanted: UpOptions, _said: object) -> None:
            asked.append(wanted)

        def live(self) -> int:
            return 0

    monkeypatch.setattr("fleet.cli.commands.up.run.Run", NoRun)
    names = ("--port", "--web-port", "--flower-port", "--metrics-port", "--postgres-port", "--broker-port")
    result = CliRunner().invoke(cli, ["up", *(word for name in names for word in (name, "0"))])
    assert result.exit_code == 0, result.output
    (wanted,) = asked
    ports = (wanted.gallery_port, wanted.web_port, wanted.flower_port, wanted.metrics_port, wanted.postgres_port)
    assert {*ports, wanted.valkey_port} == {None}


def test_flower_on_any_free_port_reports_its_port(became: list[tuple[tuple[str, ...], dict[str, str]]]) -> None:
    CliRunner().invoke(cli, ["flower", "--port", "0", "--password", "pw"], env=ENV)
    assert int(became[0][1]["FLOWER_PORT"]) > 0


def test_flower_makes_a_password_and_says_where_it_is(
    tmp_path: Path, became: list[tuple[tuple[str, ...], dict[str, str]]]
) -> None:
    result = CliRunner().invoke(cli, ["flower", "--home", str(tmp_path / "a home")], env=ENV)
    kept = tmp_path / "a home" / "flower.password"
    assert became[0][1]["FLOWER_BASIC_AUTH"] == f"fleet:{kept.read_text().strip()}"
    assert str(kept) in result.stderr
    assert kept.read_text().strip() not in result.output


def test_a_worker_without_a_broker_says_so() -> None:
    result = CliRunner().invoke(cli, ["worker"], env={"FLEET_DATABASE_URL": SECRETS["database_url"]})
    assert result.exit_code == 2
    assert "FLEET_BROKER_URL" in result.stderr


def test_the_gallery_gets_its_database_folder_and_port(
    tmp_path: Path, became: list[tuple[tuple[str, ...], dict[str, str]]]
) -> None:
    env = {"FLEET_GALLERY_DATABASE_URL": "postgresql://g@h/gallery", "FLEET_SERVICE_TOKEN": "fst_abcdefgh"}
    result = CliRunner().invoke(cli, ["gallery", "--port", "8123", "--images", str(tmp_path)], env=env)
    assert result.exit_code == 0, result.stderr
    argv, given = became[0]
    assert argv[1:] == ("-m", "fleet.sandbox.gallery")
    assert given["FLEET_GALLERY_PORT"] == "8123"
    assert given["FLEET_GALLERY_IMAGES_DIR"] == str(tmp_path)
    assert given["FLEET_GALLERY_DATABASE_URL"] == env["FLEET_GALLERY_DATABASE_URL"]


def test_the_gallery_refuses_to_run_without_a_token() -> None:
    result = CliRunner().invoke(cli, ["gallery"], env={"FLEET_GALLERY_DATABASE_URL": "postgresql://g@h/gallery"})
    assert result.exit_code == 2
    assert "FLEET_SERVICE_TOKEN" in result.stderr


class TestFaults:
    def test_a_spec_becomes_a_rule(self) -> None:
        rule = faults.parse("error=0.05, drop=0.02,latency=0.3:800,seed=3,limit=9,match=/api/showcase*")
        assert rule == {
            "error_rate": 0.05, "drop_rate": 0.02, "latency_rate": 0.3, "latency_ms": 800, "seed": 3, "limit": 9,
            "match": "/api/showcase*",
        }  # fmt: skip

    def test_no_spec_is_no_rule(self) -> None:
        assert faults.parse("") is None

    @pytest.mark.parametrize("spec", ["fire=1", "error", "error=2", "error=x", "error=nan", "drop=0.6,error=0.6"])
    def test_nonsense_is_refused_with_an_example(self, spec: str) -> None:
        with pytest.raises(InvalidInput, match=r"error=0\.05"):
            faults.parse(spec)

    def test_rules_are_what_the_gallery_takes(self) -> None:
        from fleet.sandbox.gallery.api.controls import RuleBody

        rule = faults.parse("error=0.1,drop=0.1,too_many=0.1,duplicate=0.1,latency=0.1:5,seed=1,limit=2,match=/api/*")
        assert rule is not None
        assert RuleBody(**rule).rule().drop_rate == 0.1


def test_no_process_that_lives_on_gets_the_owners_or_the_administrators_address(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    address = "postgresql://owner:hush@127.0.0.1/fleet"
    monkeypatch.setenv("FLEET_DATABASE_OWNER_URL", address)
    monkeypatch.setenv("FLEET_DATABASE_ADMIN_URL", address)
    told = processes.environment(Settings(_env_file=None))
    assert "hush" not in " ".join({**os.environ, **told}.values())
    (tmp_path / ".env").write_text(f"FLEET_DATABASE_OWNER_URL={address}\n")
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    assert Settings(_env_file=tmp_path / ".env").database_owner_url == ""
