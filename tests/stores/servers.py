"""Start, stop, kill and reset a test shop on a free port of this machine.

A shop's database is one SQLite file. Its first version, with N products, is made once for each version of the shop's
own files, and kept in `.stores/templates`; a run works on a copy.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from contextlib import closing, suppress
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

import httpx

from tests import ROOT
from tests.stores.catalogue import Item, Order

STORES = ROOT / ".stores"
TEMPLATES = STORES / "templates"
SOURCES = ROOT / "tests" / "stores"
GIVEN_UP = "FLEET_TEST_NO_STORES"
"""Set by .ci/run where the shops could not be installed: why."""
CALL = "Call `make stores`: it installs the shops."
USERNAME = "superadmin"
PASSWORD = "password-of-tests"
_START_S = 120.0
_STOP_S = 60.0
_LOOK_EVERY_S = 0.05


class ShopError(Exception):
    """A shop refused a request. The message has its answer."""


def lacking() -> str:
    """Say what the tests on shops lack here, or nothing."""
    if (STORES / ".ready").exists():
        return ""
    return os.environ.get(GIVEN_UP, "") or "the shops are not installed"


class Shop(ABC):
    """A shop and its data in a folder. It ends with this process, however that ends."""

    name: ClassVar[str]
    sources: ClassVar[tuple[str, ...]]
    """Files and folders below tests/stores that the first database is made from."""

    def __init__(self, folder: Path, *, products: int = 0, is_new: bool = False) -> None:
        """Copy the database with this many products, or let the shop make one; `start` starts it."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.database = folder / "shop.sqlite"
        self.log = folder / "shop.log"
        self.port = 0
        self.http = httpx.Client(trust_env=False, timeout=60)
        self._process: subprocess.Popen[str] | None = None
        self.is_new = is_new
        if not is_new:
            copy_database(self.template(products), self.database)

    @property
    def url(self) -> str:
        """The address, which stays when the shop is restarted."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The process, for a measurement."""
        assert self._process is not None
        return self._process.pid

    # ---- what each shop does in its own way ---------------------------------------------------------------------

    @abstractmethod
    def _command(self) -> list[str | Path]: ...

    @abstractmethod
    def _environment(self) -> dict[str, str]: ...

    @classmethod
    @abstractmethod
    def _make_database(cls, folder: Path, products: int) -> Path:
        """Make the database of a shop with this many products of tests/stores/catalogue.py, and return its file."""

    @abstractmethod
    def catalogue(self) -> list[Item]:
        """Return all products, by id, as the shop's API shows them."""

    @abstractmethod
    def stock_levels(self) -> dict[str, tuple[int, int]]:
        """Return on hand and allocated by SKU, of all products: a fraction of the work of `catalogue`."""

    @abstractmethod
    def item(self, sku: str) -> Item | None:
        """Return the product with this SKU. Raises ShopError if several have it."""

    @abstractmethod
    def add_product(self, sku: str, title: str, price: int, stock: int) -> Item:
        """Create a product; `price` in minor units."""

    @abstractmethod
    def set_title(self, sku: str, title: str) -> None:
        """Change the title of a product."""

    @abstractmethod
    def set_price(self, sku: str, price: int) -> None:
        """Change the price of a product, in minor units."""

    @abstractmethod
    def set_stock(self, sku: str, on_hand: int) -> None:
        """Change the stock on hand of a product."""

    @abstractmethod
    def delete_product(self, sku: str) -> None:
        """Delete a product."""

    @abstractmethod
    def place_order(self, lines: dict[str, int]) -> Order:
        """Order and pay as a customer; quantities by SKU. Raises ShopError if the shop refuses."""

    @abstractmethod
    def orders(self) -> list[Order]:
        """Return all orders that were placed, by id."""

    @abstractmethod
    def cancel_order(self, code: str) -> None:
        """Cancel an order, which gives its stock back."""

    @abstractmethod
    def ship_order(self, code: str) -> None:
        """Ship an order, which takes its stock from what is on hand."""

    # ---- the process --------------------------------------------------------------------------------------------

    def start(self) -> Self:
        """Start the shop and wait until it answers. The first start chooses the port."""
        assert not self.is_running
        if self.port:
            self._start()
            return self
        for tries_left in (2, 1, 0):
            self.port = _free_port()
            try:
                self._start()
                break
            except RuntimeError:
                if not tries_left or "in use" not in self.log_tail():
                    raise
        return self

    def _start(self) -> None:
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                self._command(), cwd=self.folder, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                start_new_session=True, env={**_BASE_ENVIRONMENT, "HOME": str(self.folder), "TMPDIR": str(self.folder),
                                             "PORT": str(self.port), "DATABASE": str(self.database),
                                             "HOOKS": str(self._hooks), **self._environment()},
            )  # fmt: skip
        try:
            self._await_health()
        except BaseException:
            self.kill()
            raise

    def _await_health(self) -> None:
        assert self._process is not None
        until = time.monotonic() + _START_S
        while time.monotonic() < until:
            if self._process.poll() is not None:
                raise RuntimeError(f"{self.name} ended while it started: {self.log_tail()}")
            try:
                if self.http.get(f"{self.url}/health", timeout=5).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(_LOOK_EVERY_S)
        raise TimeoutError(f"{self.name} was not ready after {_START_S:.0f} s: {self.log_tail()}")

    def log_tail(self) -> str:
        """Return the end of what it said on its standard error."""
        return self.log.read_text(errors="replace")[-2000:]

    @property
    def is_running(self) -> bool:
        """Whether its process runs."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """End it as the end of this process does. Its data stays, and `start` goes on with them on the same port."""
        if not self.is_running:
            return
        assert self._process is not None and self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(_STOP_S)
        finally:
            self.kill()

    def kill(self) -> None:
        """End all of its processes by SIGKILL."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        self._process = None

    def restart(self) -> None:
        """Kill it by SIGKILL and start it on the same data and port."""
        self.kill()
        self.start()

    def close(self) -> None:
        """End it and the connections to it."""
        self.stop()
        self.http.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    # ---- its data -----------------------------------------------------------------------------------------------

    def reset(self, products: int = 200) -> None:
        """Put it back to a fresh shop with this many products, without hooks; start it if it does not run."""
        self.set_hooks(None)
        copy_database(self.template(products), self.database)
        if not self.is_running:
            self.start()

    @classmethod
    def template(cls, products: int) -> Path:
        """Return the database of a fresh shop with this many products; make it if there is none."""
        TEMPLATES.mkdir(parents=True, exist_ok=True)
        made = TEMPLATES / f"{cls.name}-{cls._version()}-{products}.sqlite"
        if made.exists():
            return made
        with (TEMPLATES / f"{cls.name}-{products}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # processes of tests run side by side
            if not made.exists():
                cls._make_template(made, products)
        return made

    @classmethod
    def _make_template(cls, made: Path, products: int) -> None:
        with tempfile.TemporaryDirectory(dir=TEMPLATES, prefix=f"making-{cls.name}-") as name:
            folder = Path(name)
            for old in TEMPLATES.glob(f"{cls.name}-*.sqlite"):
                if cls._version() not in old.name:
                    old.unlink(missing_ok=True)
            database = cls._make_database(folder, products)
            with closing(sqlite3.connect(database)) as source:
                source.execute("VACUUM INTO ?", (str(folder / "template.sqlite"),))
            (folder / "template.sqlite").replace(made)

    @classmethod
    def _version(cls) -> str:
        digest = hashlib.sha256()
        for source in cls.sources:
            path = SOURCES / source
            for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
                if file.is_file() and "__pycache__" not in file.parts:
                    digest.update(file.read_bytes())
        return digest.hexdigest()[:12]

    # ---- its webhooks -------------------------------------------------------------------------------------------

    @property
    def _hooks(self) -> Path:
        return self.folder / "hooks.json"

    def set_hooks(self, url: str | None, secret: str = "") -> None:
        """Have it post its events to `url`, signed with `secret`, from now on; None: no more.

        The body is JSON: id (unique per event), type, at, and ids. The header x-shop-signature is the hexadecimal
        HMAC-SHA256 of the body. An event is sent up to three times until the answer is 2xx.
        """
        if url is None:
            self._hooks.unlink(missing_ok=True)
            return
        new = self._hooks.with_suffix(f".{secrets.token_hex(4)}")
        new.write_text(json.dumps({"url": url, "secret": secret}))
        new.replace(self._hooks)


_BASE_ENVIRONMENT = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ} | {"TZ": "UTC"}


def copy_database(template: Path, database: Path) -> None:
    """Write a template over a database, which a running shop may have open: for it, this is one more transaction."""
    with closing(sqlite3.connect(template)) as source, closing(sqlite3.connect(database, timeout=20)) as target:
        source.backup(target)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
