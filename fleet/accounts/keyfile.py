"""The file of keys in a fleet's home: one key a line, the first one seals. Only its owner may read it.

Called by `fleet.accounts.keys`. Never changes an existing line: an old key may be needed for an old backup.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from fleet.accounts.sealing import Keyring, new_key
from fleet.core.errors import FleetError, InvalidInput

NAME = "secret.keys"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_MOST_BYTES = 64 * 1024


def ring(home: Path) -> Keyring | None:
    """Return the keys of a home, or None without a key file.

    Raises InvalidInput, also for a file that others can read.
    """
    written = _read(home / NAME)
    return None if written is None else Keyring.of(_keys(written), where=str(home / NAME))


def make(home: Path) -> Path | None:
    """Create a home's key file with one new key; None if there is one already. Raises FleetError."""
    path = home / NAME
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(path, lambda: f"{new_key()}\n")
    except FileExistsError:
        return None
    except OSError as error:
        raise _unusable(path, error) from error
    return path


def add(home: Path) -> Path:
    """Add a new key before those of the file, so that it seals from now on. Raises FleetError."""
    path, beside = home / NAME, home / f".{NAME}.new"
    if _read(path) is None:
        raise InvalidInput(f"There is no {path}.", fix="`fleet secrets init` makes it.")
    try:
        # Two concurrent calls would lose one of the new keys, with everything that it sealed: read the file only after
        # the lock file beside it is created.
        _write(beside, lambda: f"{new_key()}\n{_read(path) or ''}")
    except FileExistsError as error:
        raise FleetError(f"Somebody else is changing {path}.", fix=f"If nobody is, remove {beside}.") from error
    except OSError as error:
        raise _unusable(path, error) from error
    beside.replace(path)
    return path


def _keys(written: str) -> list[str]:
    return [line for line in written.splitlines() if line.strip() and not line.startswith("#")]


def _read(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            if stat.S_IMODE(found.st_mode) & _OTHERS:
                raise InvalidInput(f"{path} can be read by others than its owner.", fix=f"chmod 600 {path}")
            return file.read(_MOST_BYTES).decode()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unusable(path, error) from error
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path} is no file of keys.") from error


def _write(path: Path, text: Callable[[], str]) -> None:
    """Create a file; its text is computed once this process alone can create it.

    On failure remove it: an empty file would block every later try.
    """
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(text())
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _unusable(path: Path, error: OSError) -> FleetError:
    return FleetError(
        f"{path} cannot be used ({error.strerror or error}).", fix="Choose a home of your own: FLEET_HOME."
    )
