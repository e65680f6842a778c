"""Read other processes from /proc: whether they live, their session, their working folder.

Used to find and stop processes that a killed run left. A bare pid is never trusted: numbers are reused, so a
process is known by its pid and the moment of its start. Linux only; reads, and signals when asked to.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class ProcessRef:
    """One process, and never another that got its number later. `started` is in clock ticks since boot."""

    pid: int
    started: int


@dataclass(frozen=True, slots=True)
class _Stat:
    pid: int
    name: str
    state: str
    session: int
    started: int
    threads: int

    @property
    def is_alive(self) -> bool:
        """Whether a thread still runs. The first one can end before the others, which still hold the files."""
        return self.state not in "ZX" or self.threads > 1


def ref(pid: int) -> ProcessRef | None:
    """Return the living process with this number; None if there is none or all of its threads have ended."""
    stat = _stat(pid)
    return ProcessRef(pid, stat.started) if stat and stat.is_alive else None


def is_alive(process: ProcessRef) -> bool:
    """Tell whether this very process still runs."""
    return ref(process.pid) == process


def command_line(pid: int) -> list[str]:
    """Return the arguments of a process; empty when it is gone. Readable for processes of any user."""
    try:
        raw = (_PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return []
    return [os.fsdecode(part) for part in raw.split(b"\0") if part]


def session_members(session: int) -> list[ProcessRef]:
    """Return the living processes of a session, whichever process groups they formed inside it."""
    return [ProcessRef(s.pid, s.started) for s in _all() if s.session == session and s.is_alive]


def working_in(folder: Path, names: frozenset[str]) -> list[ProcessRef]:
    """Return the living processes with one of these short names whose working folder is `folder`."""
    wanted = os.path.realpath(folder)
    return [
        ProcessRef(stat.pid, stat.started)
        for stat in _all()
        if stat.name in names and stat.is_alive and _working_folder(stat.pid) == wanted
    ]


def send(process: ProcessRef, signal_no: signal.Signals) -> bool:
    """Signal a process if it still is the one meant; tell whether it was."""
    if not is_alive(process):
        return False
    with suppress(ProcessLookupError):
        os.kill(process.pid, signal_no)
        return True
    return False


def kill_session(session: int) -> None:
    """SIGKILL every process of a session, including those that are forked meanwhile."""
    for _ in range(20):
        members = session_members(session)
        if not members:
            return
        for member in members:
            send(member, signal.SIGKILL)


def boot_id() -> str:
    """Return the id of this boot; start times of two boots cannot be compared."""
    with suppress(OSError):
        return (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    return ""


def describe_exit(code: int) -> str:
    """Describe how a process ended, given a return code of `subprocess`."""
    if code >= 0:
        return f"exit code {code}"
    with suppress(ValueError):
        return f"killed by {signal.Signals(-code).name}"
    return f"killed by signal {-code}"


def _all() -> Iterator[_Stat]:
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and (stat := _stat(int(entry.name))) is not None:
            yield stat


def _stat(pid: int) -> _Stat | None:
    try:
        text = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    # The name is in parentheses and may itself contain spaces and parentheses.
    head, _, tail = text.rpartition(")")
    fields = tail.split()
    return _Stat(pid, head.partition("(")[2], fields[0], int(fields[3]), int(fields[19]), int(fields[17]))


def _working_folder(pid: int) -> str:
    """Return the working folder of a process; empty when it is gone. A thread that has ended has none any more."""
    with suppress(OSError):
        for thread in (_PROC / str(pid) / "task").iterdir():
            with suppress(OSError):
                return str((thread / "cwd").readlink())
    return ""
