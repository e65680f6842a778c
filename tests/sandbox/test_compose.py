"""docker-compose.yml without Docker: the file fits the specification and our promises, and its commands really run.

No engine runs where this is tested, so each command of ours is started with the environment that the file gives it,
against the embedded servers; only addresses, ports and folders are exchanged.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import jsonschema
import psycopg
import pytest
import redis
import sqlalchemy as sa

from fleet.cli.app import cli
from fleet.cli.commands import roles
from fleet.core.settings import Settings
from fleet.engine import registry
from fleet.sandbox import ports
from fleet.sandbox.gallery import config as gallery
from fleet.sandbox.servers import binaries
from fleet.sandbox.servers.postgres import EmbeddedPostgres
from tests.sandbox import compose_file

ROOT = compose_file.ROOT
SECRETS = {
    "POSTGRES_PASSWORD": "postgrespassword",
    "POSTGRES_OWNER_PASSWORD": "ownerpassword",
    "POSTGRES_APP_PASSWORD": "apppassword",
    "GALLERY_POSTGRES_PASSWORD": "galleryserverpassword",
    "GALLERY_PASSWORD": "gallerypassword",
    "REDIS_PASSWORD": "redispassword",
    "FLEET_FLOWER_PASSWORD": "flowerpassword",
    "FLEET_SERVICE_TOKEN": "fst_for_tests_only",
}
FILE = compose_file.read(SECRETS)
SERVICES: dict[str, Any] = FILE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"].startswith("fleet:")}
ONCE = {name for name, service in SERVICES.items() if service["restart"] == "no"}


def test_the_file_fits_the_compose_specification() -> None:
    validator = jsonschema.Draft202012Validator(compose_file.SCHEMA)
    assert [f"{error.json_path}: {error.message}" for error in validator.iter_errors(FILE)] == []


@pytest.mark.parametrize("secret", sorted(SECRETS))
def test_a_secret_that_is_not_set_is_named(secret: str) -> None:
    with pytest.raises(compose_file.Missing, match=secret):
        compose_file.read({name: value for name, value in SECRETS.items() if name != secret})
    with pytest.raises(compose_file.Missing, match=secret):
        compose_file.read(SECRETS | {secret: ""})


def test_no_secret_has_a_value_in_the_file() -> None:
    text = json.dumps(compose_file.raw())
    for address in re.findall(r"(?:postgresql(?:\+psycopg)?|redis)://[^@\s]*@", text):
        assert re.search(r":\$\{\w+:\?[^}]+\}@$", address), address
    for name, value in re.findall(r'"(\w*(?:PASSWORD|TOKEN|AUTH))": "([^"]*)"', text):
        assert value.startswith("${"), name
        assert ":?" in value, name


def test_every_service_says_how_it_is_or_ends_by_itself() -> None:
    silent = {name for name, service in SERVICES.items() if "healthcheck" not in service}
    assert silent == ONCE == {"roles", "migrate", "gallery-roles", "seed"}
    for service in SERVICES.values():
        if check := service.get("healthcheck"):
            assert {"interval", "timeout", "retries", "start_period"} <= set(check)


def test_services_wait_for_what_they_need() -> None:
    for name, service in SERVICES.items():
        for needed, how in service.get("depends_on", {}).items():
            ends = how["condition"] == "service_completed_successfully"
            assert ends == (needed in ONCE), f"{name} waits for {needed}"
            assert ends or "healthcheck" in SERVICES[needed]
    for name in ("beat", "worker", "flower", "metrics", "seed"):
        assert {"migrate", "redis"} <= set(SERVICES[name]["depends_on"])
    assert SERVICES["roles"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert set(SERVICES["migrate"]["depends_on"]) == {"roles"}
    assert set(SERVICES["gallery"]["depends_on"]) == {"gallery-roles"}


def test_data_lives_in_named_volumes_and_nothing_of_the_host_is_mounted() -> None:
    used = [volume for service in SERVICES.values() for volume in service.get("volumes", [])]
    assert {volume.partition(":")[0] for volume in used} == set(FILE["volumes"])
    assert not [volume for volume in used if volume.startswith((".", "/", "~"))]
    configs = {config["source"] for service in SERVICES.values() for config in service.get("configs", [])}
    assert configs == set(FILE["configs"])


def test_workers_can_be_scaled() -> None:
    worker = SERVICES["worker"]
    assert not {"ports", "container_name", "hostname"} & set(worker)
    # The pictures that one keeps are the ones that another reads.
    assert worker["volumes"] == [f"objects:{worker['environment']['FLEET_OBJECTS']}"]


def test_the_database_takes_the_connections_of_twenty_workers() -> None:
    def most(name: str) -> int:
        return int(SERVICES[name]["command"][-1].removeprefix("max_connections="))

    pool, of_gallery = (
        Settings.model_fields["pool_size"].default,
        gallery._Environment.model_fields["pool_size"].default,
    )
    web, metrics, kept_for_superusers, a_person_at_a_terminal = pool, 1, 3, pool
    assert most("postgres") >= 20 * pool + web + metrics + kept_for_superusers + a_person_at_a_terminal
    assert most("gallery-postgres") >= 2 * of_gallery + kept_for_superusers


def test_only_this_machine_reaches_the_published_ports() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(published) == 4
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_containers_may_do_nothing_that_they_need_not() -> None:
    for name, service in SERVICES.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service.get("user", "") not in ("root", "0"), name
        assert (name in OURS) == ("user" not in service), f"{name}: images of others begin as root"
    assert re.search(r"^USER \d{5,}:\d{5,}$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.M)


def test_networks_keep_the_gallery_from_redis_and_from_fleets_database() -> None:
    networks = {name: set(service["networks"]) for name, service in SERVICES.items()}  # none is in the default network
    assert set().union(*networks.values()) == set(FILE["networks"])
    for server in ("postgres", "redis"):
        assert networks[server] == {"data"}
        assert not networks[server] & networks["gallery"]
    near = {name for name, own in networks.items() if own & networks["gallery-postgres"]}
    assert near == {"gallery-postgres", "gallery-roles", "gallery"}
    assert {name for name, own in networks.items() if own & networks["gallery"]} == near | {"worker"}
    assert {name for name, how in FILE["networks"].items() if how} == {"data", "gallery-data"}
    assert all(how == {"internal": True} for how in FILE["networks"].values() if how)
    for name, service in SERVICES.items():  # a network without a way out publishes no port
        assert "ports" not in service or networks[name] - {"data", "gallery-data"}, name


def test_each_password_of_a_database_is_known_where_it_is_needed_and_nowhere_else() -> None:
    def knows(secret: str) -> set[str]:
        return {name for name, service in SERVICES.items() if SECRETS[secret] in json.dumps(service)}

    app = {"beat", "worker", "web", "flower", "metrics", "seed"}
    assert knows("POSTGRES_PASSWORD") == {"postgres", "roles"}
    assert knows("POSTGRES_OWNER_PASSWORD") == {"roles", "migrate"}
    assert knows("POSTGRES_APP_PASSWORD") == {"roles", "migrate", *app}
    assert knows("GALLERY_POSTGRES_PASSWORD") == {"gallery-postgres", "gallery-roles"}
    assert knows("GALLERY_PASSWORD") == {"gallery", "gallery-roles"}
    assert "gallery" not in knows("REDIS_PASSWORD")


def test_images_and_actions_are_pinned_by_digest() -> None:
    images = [service["image"] for name, service in SERVICES.items() if name not in OURS]
    images += re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.M)
    assert [image for image in images if not re.fullmatch(r"[a-z0-9./-]+:[\w.-]+@sha256:[0-9a-f]{64}", image)] == []
    flows = [path.read_text(encoding="utf-8") for path in (ROOT / ".github/workflows").glob("*.y*ml")]
    actions = [line for flow in flows for line in re.findall(r"\buses:\s*(.*)", flow)]
    assert actions
    assert [line for line in actions if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}  # v\d+(\.\d+)+", line)] == []


def test_a_worker_has_longer_to_stop_than_a_lease_lasts() -> None:
    assert compose_file.seconds(SERVICES["worker"]["stop_grace_period"]) > Settings.model_fields["lease_s"].default


def test_every_variable_of_ours_is_one_that_fleet_reads() -> None:
    known = {f"FLEET_{name.upper()}" for name in registry.current().settings_model.model_fields}
    known |= {f"FLEET_GALLERY_{name.upper()}" for name in gallery._Environment.model_fields}
    for name in ("worker", "flower", "gallery", "metrics", "web"):
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        for option in command.params:
            known |= {f"FLEET_{name.upper()}_{str(option.name).upper()}"}
            known |= set([option.envvar] if isinstance(option.envvar, str) else option.envvar or [])
    told = {variable for service in OURS.values() for variable in service["environment"]}
    assert told - known - {roles.ADMIN_URL} == {"FLEET_AGENTS"}  # read by the script of `seed`


def test_the_image_gets_everything_that_the_wheel_is_made_of() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = {*project["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"], "pyproject.toml", "README.md"}
    recipe = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    copied = {word for line in re.findall(r"^COPY (?!--from)(.*)$", recipe, re.M) for word in line.split()[:-1]}
    let_through = set(re.findall(r"^!(.*)$", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.M))
    assert wanted <= copied
    assert copied <= let_through | {"deploy/runtime.lock", "deploy/build.lock"}
    assert "deploy/*.lock" in let_through


@pytest.mark.parametrize(
    ("answer", "makes"),
    [("echo '{\"items\": []}'", True), ('echo \'{"items": [{"username": "ann"}]}\'', False), ("exit 5", False)],
)
def test_agents_are_made_only_where_it_is_known_that_there_are_none(tmp_path: Path, answer: str, makes: bool) -> None:
    fleet = tmp_path / "fleet"
    fleet.write_text(f'#!/bin/sh\ncase "$1" in agents) {answer} ;; seed) echo "$*" >"{tmp_path}/made" ;; esac\n')
    fleet.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        SERVICES["seed"]["command"], env={"PATH": path, "FLEET_AGENTS": "12"}, check=False, timeout=30
    )
    assert (tmp_path / "made").exists() == makes
    assert (done.returncode == 0) == (answer != "exit 5")
    if makes:
        assert (tmp_path / "made").read_text() == "seed --start --count 12\n"


def test_the_broker_keeps_its_messages_and_refuses_strangers(tmp_path: Path) -> None:
    port = ports.choose(purpose="the broker", setting="a test", named=None, preferred=None)
    settings = tmp_path / "redis.conf"
    settings.write_text(FILE["configs"]["redis"]["content"].replace("dir /data", f"dir {tmp_path}"), encoding="utf-8")
    argv = [str(binaries.find_valkey()), str(settings), "--port", str(port), "--bind", "127.0.0.1"]
    with _started(argv, tmp_path / "redis.log", dict(os.environ)):
        client = redis.Redis(port=port, password=SECRETS["REDIS_PASSWORD"])
        _wait_until("the broker answers", lambda: _quietly(client.ping))
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(port=port).ping()
        told = client.config_get("append*") | client.config_get("maxmemory*")
    assert told["appendonly"] == "yes"
    assert told["appendfsync"] == "everysec"
    assert told["maxmemory-policy"] == "noeviction"
    assert int(told["maxmemory"] or 0) > 0


class Containers:
    """Runs the file's services as plain processes, with the environment that the file gives them and no other."""

    def __init__(self, folder: Path, exchanges: dict[str, str]) -> None:
        self.folder = folder
        self.exchanges = exchanges
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def localised(self, text: str) -> str:
        """Exchange what only exists between containers, the longest first.

        All in one pass: what was put in may hold the digits of a port that is exchanged, 35555 for one.
        """
        known = "|".join(map(re.escape, sorted(self.exchanges, key=len, reverse=True)))
        return re.sub(known, lambda found: self.exchanges[found[0]], text)

    def environment(self, name: str) -> dict[str, str]:
        told = {key: self.localised(str(value)) for key, value in SERVICES[name]["environment"].items()}
        if "FLEET_ALLOWED_HOSTS" in told:  # hosts with names of their own exist between containers only
            told["FLEET_ALLOWED_HOSTS"] = "127.0.0.1"
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return {"PATH": path, "FLEET_HOME": str(self.folder / "home"), "LANG": "C.UTF-8", **told}

    def run(self, name: str, argv: list[str]) -> subprocess.CompletedProcess[str]:
        """Run a command in a service's environment."""
        return subprocess.run(
            [self.localised(word) for word in argv], cwd=self.folder, env=self.environment(name),
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    def run_once(self, name: str) -> str:
        """Run a service that ends by itself; return what it said."""
        done = self.run(name, SERVICES[name]["command"])
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def start(self, name: str) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            self.running[name] = subprocess.Popen(
                [self.localised(word) for word in SERVICES[name]["command"]], cwd=self.folder, stdout=log, stderr=log,
                stdin=subprocess.DEVNULL, env=self.environment(name), start_new_session=True,
            )  # fmt: skip

    def wait_healthy(self, name: str) -> None:
        """Ask as the file says until the service is well, once it listens or has said something.

        Each question is a process of its own, and takes from the service what it needs to start.
        """
        how, *words = SERVICES[name]["healthcheck"]["test"]
        argv = words if how == "CMD" else ["sh", "-c", *words]
        port = re.search(r"127\.0\.0\.1:(\d+)", self.localised(" ".join(words)))

        def has_begun() -> bool:
            assert self.running[name].poll() is None, self.said(name)
            return _listens(int(port[1])) if port else bool(self.said(name))

        def is_well() -> bool:
            return has_begun() and self.run(name, argv).returncode == 0

        _wait_until(f"{name} begins", has_begun, said=lambda: self.said(name))
        _wait_until(f"{name} is healthy", is_well, pause_s=1.0, said=lambda: self.said(name))

    def said(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")[-4000:]

    def stop(self, name: str) -> int:
        """Ask a service to stop, as `docker compose stop` does; return how it ended.

        It may take longer than its grace: this machine may be much slower than those that the file is for.
        """
        self.running[name].send_signal(signal.SIGTERM)
        grace_s = compose_file.seconds(SERVICES[name].get("stop_grace_period", "10s"))
        return self.running[name].wait(timeout=max(grace_s, 90.0))

    def kill_all(self) -> None:
        for process in self.running.values():
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(timeout=10)


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[dict[str, EmbeddedPostgres]]:
    """The two Postgres servers of the file, with the superusers and passwords that it gives them."""
    made = {
        name: EmbeddedPostgres(tmp_path / name / "data", durable=False) for name in ("postgres", "gallery-postgres")
    }
    try:
        for name, server in made.items():
            environment = SERVICES[name]["environment"]
            server.password_path.parent.mkdir(parents=True)
            server.password_path.write_text(environment["POSTGRES_PASSWORD"])
            server.start()
            if environment["POSTGRES_USER"] != "fleet":
                with server.connect() as connection:
                    login = (
                        f"{environment['POSTGRES_USER']} SUPERUSER LOGIN PASSWORD '{environment['POSTGRES_PASSWORD']}'"
                    )
                    connection.execute(f"CREATE ROLE {login}".encode())
        yield made
    finally:
        for server in made.values():
            server.stop()


@pytest.fixture
def containers(tmp_path: Path, servers: dict[str, EmbeddedPostgres], broker_url: str) -> Iterator[Containers]:
    """The services of the file; nothing runs yet but the database servers, which are empty."""
    page, flower, metrics, web = (
        ports.choose(purpose=what, setting="a test", named=None, preferred=None)
        for what in ("one", "two", "three", "four")
    )
    made = Containers(
        tmp_path,
        {
            **{f"@{name}:5432": f"@127.0.0.1:{server.port}" for name, server in servers.items()},
            f"redis://:{SECRETS['REDIS_PASSWORD']}@redis:6379/0": broker_url,
            "/var/lib/fleet/pictures": str(tmp_path / "pictures"),
            "gallery:8000": f"127.0.0.1:{page}",
            "0.0.0.0": "127.0.0.1",
            "8000": str(page),
            "5555": str(flower),
            "9464": str(metrics),
            "8630": str(web),
        },
    )
    try:
        yield made
    finally:
        made.kill_all()


@pytest.mark.e2e
@pytest.mark.timeout(600)
def test_every_command_of_the_file_reaches_health_and_the_fleet_lives(containers: Containers) -> None:
    assert "owner fleet_owner, app fleet_app" in containers.run_once("roles")
    assert "owner gallery" in containers.run_once("gallery-roles")
    assert "0001" in containers.run_once("migrate")
    containers.start("gallery")
    containers.wait_healthy("gallery")
    assert "12 agents" in containers.run_once("seed")
    assert "agents" not in containers.run_once("seed")
    for name in ("beat", "worker", "flower", "metrics", "web"):
        containers.start(name)
    for name in ("beat", "worker", "flower", "metrics", "web"):
        containers.wait_healthy(name)
    engine = sa.create_engine(containers.environment("worker")["FLEET_DATABASE_URL"])
    try:
        _wait_until("all agents have accounts at the gallery", lambda: _accounts(engine) == 12,
                    said=lambda: containers.said("worker"))  # fmt: skip
    finally:
        engine.dispose()
    _try_what_is_forbidden(containers)
    assert {name: containers.stop(name) for name in ("beat", "worker", "flower", "metrics", "web", "gallery")} == {
        "beat": 0, "worker": 0, "flower": 0, "metrics": 0, "web": 0, "gallery": 0,
    }  # fmt: skip


def _try_what_is_forbidden(containers: Containers) -> None:
    """Use the credentials of a running worker and of the running gallery for what they must not do."""
    worker = containers.environment("worker")["FLEET_DATABASE_URL"].replace("+psycopg", "")
    gallerys = containers.environment("gallery")["FLEET_GALLERY_DATABASE_URL"].replace("+psycopg", "")
    program = "COPY (SELECT 1) TO PROGRAM 'true'"
    acts = ("ALTER TABLE audit DISABLE TRIGGER audit_only_grows", "DELETE FROM audit", "CREATE TABLE t ()", program)
    for url, statements in ((worker, acts), (gallerys, (program, "CREATE ROLE eve", "CREATE DATABASE eve"))):
        with psycopg.connect(url, autocommit=True) as connection:
            for statement in statements:
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(statement.encode())
    at_fleets = sa.make_url(worker)
    login = sa.make_url(gallerys)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        other = at_fleets.set(username=login.username, password=login.password)
        psycopg.connect(other.render_as_string(hide_password=False))


def _accounts(engine: sa.Engine) -> int:
    with engine.connect() as connection:
        return int(
            connection.execute(sa.text("SELECT count(*) FROM agents WHERE remote_account IS NOT NULL")).scalar_one()
        )


def _started(argv: list[str], log: Path, environment: dict[str, str]) -> Any:
    with log.open("wb") as output:
        process = subprocess.Popen(argv, stdout=output, stderr=output, stdin=subprocess.DEVNULL, env=environment)
    return _Ended(process)


class _Ended:
    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(timeout=10)


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def _quietly(call: Callable[[], object]) -> bool:
    try:
        return bool(call())
    except redis.ConnectionError:
        return False


def _wait_until(
    what: str,
    true: Callable[[], object],
    *,
    timeout_s: float = 90.0,
    pause_s: float = 0.1,
    said: Callable[[], str] = str,
) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, f"never happened: {what}\n{said()}"
        time.sleep(pause_s)
