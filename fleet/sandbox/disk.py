"""Files of the embedded servers: private files, atomic writes, and clear errors when the disk fails.

Used for every write of the sandbox. Never deletes files of others.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fleet.core.errors import FleetError, InvalidInput, Unavailable

_HOME_FIX = "Choose a folder of your own with FLEET_HOME or --home."


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Turn errors of the file system under `folder` into FleetErrors that say what to do."""
    try:
        yield
    except OSError as error:
        raise _explanation(folder, error) from error


def full(folder: Path) -> Unavailable:
    """Return the error for a disk without space."""
    return Unavailable(f"The disk that holds {folder} is full.", fix="Free some space there and start again.")


def reports_full_disk(said: str) -> bool:
    """Tell whether the output of a server reports a full disk."""
    return any(words in said for words in ("No space left on device", "Disk quota exceeded", "Check free disk space"))


def _explanation(folder: Path, error: OSError) -> FleetError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return full(folder)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return InvalidInput(f"Fleet may not write in {folder} ({error.strerror}).", fix=_HOME_FIX)
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        return InvalidInput(f"{error.filename or folder} is in the way: a folder is needed there.", fix=_HOME_FIX)
    return FleetError(f"Fleet cannot use {folder}: {error.strerror or error}.", fix=_HOME_FIX)


def private_folder(folder: Path) -> Path:
    """Create a folder that only its owner may enter, unless it exists. Raises FleetError."""
    with explained(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, atomically. Raises FleetError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    with explained(path.parent):
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise


def remove(path: Path) -> None:
    """Delete a file if it exists. Raises FleetError."""
    with explained(path.parent):
        path.unlink(missing_ok=True)


def stored_password(path: Path) -> str:
    """Return the password in the file `path`; create it on first use. It needs no escaping in URLs."""
    with explained(path.parent):
        if path.exists() and (kept := path.read_text(encoding="utf-8").strip()):
            return kept
    password = secrets.token_urlsafe(24)
    write_private(path, password + "\n")
    return password
