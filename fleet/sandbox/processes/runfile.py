"""The run file: addresses and processes of a running fleet, for other terminals and for cleanup after a kill.

Written by `services` for `fleet up`; read by every other command to find database, broker and gallery. It
holds passwords inside URLs, so it is private, and it is replaced whole.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fleet.sandbox import disk
from fleet.sandbox.processes import proc

_NAME = "run.json"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Recorded:
    """A process of the run and the signal that ends it cleanly."""

    ref: proc.ProcessRef
    stop_signal: signal.Signals = signal.SIGTERM


@dataclass(frozen=True, slots=True)
class RunInfo:
    """One run of a fleet. Keys of `urls`: database, broker, gallery, flower and so on; ports likewise."""

    fleet: proc.ProcessRef
    boot: str
    urls: Mapping[str, str] = field(default_factory=dict, repr=False)
    ports: Mapping[str, int] = field(default_factory=dict)
    processes: Mapping[str, Recorded] = field(default_factory=dict)
    token: str = field(default="", repr=False)
    """The API token of the command line of this home; new for each run."""

    @property
    def pid(self) -> int:
        return self.fleet.pid

    @property
    def database_url(self) -> str:
        return self.urls.get("database", "")

    @property
    def database_owner_url(self) -> str:
        return self.urls.get("database_owner", "")

    @property
    def broker_url(self) -> str:
        return self.urls.get("broker", "")

    @property
    def gallery_url(self) -> str:
        return self.urls.get("gallery", "")

    def is_alive(self) -> bool:
        """Tell whether the process that wrote this still runs."""
        return self.boot == proc.boot_id() and proc.is_alive(self.fleet)

    def orphans(self) -> dict[str, Recorded]:
        """Return the recorded processes that still live, or whose session still has members."""
        if self.boot != proc.boot_id():
            return {}
        return {name: one for name, one in self.processes.items() if _session_lives(one.ref)}


class RunFile:
    """Reads and writes `run.json` of a home."""

    @staticmethod
    def read(home: Path) -> RunInfo | None:
        """Return the run file of the fleet that runs from this home; None when none runs."""
        info = RunFile.last(home)
        return info if info is not None and info.is_alive() else None

    @staticmethod
    def last(home: Path) -> RunInfo | None:
        """Return the run file of the last fleet of this home, running or not; None when it cannot be read."""
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            return _from_json(json.loads((home / _NAME).read_text(encoding="utf-8")))
        return None

    @staticmethod
    def write(home: Path, info: RunInfo) -> None:
        """Replace the run file. Raises FleetError for a full disk or a folder that is not ours."""
        disk.write_private(home / _NAME, json.dumps(_to_json(info), indent=1) + "\n")


def ourselves() -> proc.ProcessRef:
    """Return the current process."""
    return proc.ref(os.getpid()) or proc.ProcessRef(os.getpid(), 0)


def _session_lives(leader: proc.ProcessRef) -> bool:
    present = proc.ref(leader.pid)
    if present is not None:
        return present == leader
    # No process got the leader's pid, so a session with that id is still the leader's own.
    return bool(proc.session_members(leader.pid))


def _to_json(info: RunInfo) -> dict[str, Any]:
    return {
        "version": _VERSION,
        "boot": info.boot,
        "fleet": [info.fleet.pid, info.fleet.started],
        "urls": dict(info.urls),
        "ports": dict(info.ports),
        "token": info.token,
        "processes": {
            name: [one.ref.pid, one.ref.started, int(one.stop_signal)] for name, one in info.processes.items()
        },
    }


def _from_json(data: Any) -> RunInfo | None:
    if data["version"] != _VERSION:
        return None
    return RunInfo(
        fleet=proc.ProcessRef(*map(int, data["fleet"])),
        boot=str(data["boot"]),
        urls={str(key): str(url) for key, url in data["urls"].items()},
        ports={str(key): int(port) for key, port in data["ports"].items()},
        token=str(data.get("token", "")),
        processes={
            str(name): Recorded(proc.ProcessRef(int(pid), int(started)), signal.Signals(stop))
            for name, (pid, started, stop) in data["processes"].items()
        },
    )
