"""A process that loads modules once and forks programs from itself, so that they share the memory of what it loaded.

Run by `forks.ForkServer` as `python -m fleet.sandbox.processes.fork_server REF [ROOM]`; `REF` names the function that
loads. Requests come through standard input, a socket; the process ends when that closes. A program becomes a child of
our parent, not of this process, which may then end.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import runpy
import socket
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

from fleet.sandbox.processes.forked_calls import call_here
from fleet.sandbox.processes.launch import die_with_parent

LARGEST = 1 << 20
GO = b"go"
_ADOPTION_S = 10.0


def main(ref: str) -> None:
    """Load, then fork a program for each request until the socket closes; each program runs as `python -m` would."""
    gc.disable()  # a collection would leave holes in pages that all programs are to share
    call_here(ref)
    if len(os.listdir("/proc/self/task")) != 1:  # noqa: PTH208 - names alone
        sys.exit("fork server: what was loaded started a thread; its locks would not survive a fork")
    gc.freeze()
    argv = _serve(socket.socket(fileno=0))
    if argv is None:
        return
    gc.enable()
    sys.argv = list(argv)
    runpy.run_module(argv[0], run_name="__main__", alter_sys=True)


def _serve(channel: socket.socket) -> list[str] | None:
    """Return the arguments of a program in the process that is to run it; None in the server, at its end."""
    while True:
        message, descriptors, _, _ = socket.recv_fds(channel, LARGEST, 2)
        if not message:
            return None
        request = json.loads(message)
        pid = os.fork()
        if pid == 0:
            if os.fork() != 0:
                os._exit(0)  # our parent adopts the program
            channel.detach()
            return _become(request, *descriptors)
        os.waitpid(pid, 0)
        for descriptor in descriptors:
            os.close(descriptor)


def _become(request: dict[str, Any], control: int, log: int) -> list[str]:
    """Prepare as `launch` does, report to the parent, and wait for its word; return the arguments of the program."""
    os.setsid()
    parent, until_s = request["parent"], time.monotonic() + _ADOPTION_S
    while os.getppid() != parent:
        if time.monotonic() > until_s:
            _leave()
        time.sleep(0.001)
    die_with_parent(parent, request["stop_signal"])
    with socket.socket(fileno=control) as parent_end:
        try:
            parent_end.sendall(str(os.getpid()).encode())
            if parent_end.recv(len(GO)) != GO:
                _leave()
        except OSError:
            _leave()
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(log)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    argv: list[str] = request["argv"]
    _show(argv)
    return argv[2:]


def _leave() -> NoReturn:
    """End a program that nobody waits for."""
    os._exit(0)


def _show(argv: list[str]) -> None:
    """Show the arguments of the program in lists of processes, in the place of ours, cut to their length."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    begin, end = int(fields[45]), int(fields[46])
    if 0 < begin < end:
        words = "\0".join(argv).encode()[: end - begin - 1]
        ctypes.memmove(begin, words.ljust(end - begin, b"\0"), end - begin)


if __name__ == "__main__":
    main(sys.argv[1])
