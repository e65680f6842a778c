"""Locks on folders: one server per data folder, one fleet per home.

A lock is a flock on a file, so it ends when its holder dies, however that happens. Children never inherit it.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from fleet.sandbox import disk


class FolderLock:
    """An exclusive lock named by a file; holds the pid of its holder for messages."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Take the lock without waiting; returns False when another holder has it. Raises FleetError."""
        with disk.explained(self.path.parent):
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        with suppress(OSError):  # the pid is for messages only: a full disk must not fail here
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Release the lock. Does nothing when it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def holder(self) -> int | None:
        """Return the pid in the lock file, None without one."""
        with suppress(OSError, ValueError):
            return int(self.path.read_text(encoding="ascii"))
        return None
