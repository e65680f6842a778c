"""The few steps between fork and exec that a child of Fleet takes before it becomes its program.

Run by `child.spawn` as `python -I -S launch.py --parent PID --parent-death SIGNAL [--namespace-uid UID |
--setuid UID:GID] -- command...`. Imports next to nothing, so it costs milliseconds, and it must stay
runnable without Fleet on the path. It never returns: it becomes the command or exits with a message.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import NoReturn

_PR_SET_PDEATHSIG = 1
_CLONE_NEWUSER = 0x10000000
CANNOT_PREPARE = 125
CANNOT_RUN = 127


def main(arguments: list[str]) -> NoReturn:
    """Prepare this process as the options ask, then become the command."""
    cut = arguments.index("--")
    options = dict(zip(arguments[:cut:2], arguments[1:cut:2], strict=True))
    command = arguments[cut + 1 :]
    _restore_signals()
    try:
        if "--namespace-uid" in options:
            _enter_user_namespace(int(options["--namespace-uid"]))
        if "--setuid" in options:
            uid, _, gid = options["--setuid"].partition(":")
            _become(int(uid), int(gid))
        # Last: every change of identity clears the parent-death signal.
        die_with_parent(int(options["--parent"]), int(options["--parent-death"]))
    except OSError as error:
        _give_up(CANNOT_PREPARE, f"cannot prepare {command[0]}: {error}")
    try:
        os.execv(command[0], command)  # noqa: S606  no shell is wanted here
    except OSError as error:
        _give_up(CANNOT_RUN, f"cannot run {command[0]}: {error.strerror}")


def _enter_user_namespace(uid: int) -> None:
    """Map the caller to `uid` in a new user namespace. New files belong to the caller; nothing is chowned."""
    outer_uid, outer_gid = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWUSER) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"user namespaces are refused here ({os.strerror(code)})")
    _write("/proc/self/setgroups", "deny")  # the kernel wants this before an unprivileged gid_map
    _write("/proc/self/uid_map", f"{uid} {outer_uid} 1")
    _write("/proc/self/gid_map", f"{uid} {outer_gid} 1")


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def _become(uid: int, gid: int) -> None:
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def die_with_parent(parent: int, signal_no: int) -> None:
    """Have the kernel send us a signal when our parent ends. Ends this process if it has ended."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal_no, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:  # it died before the signal was armed
        os._exit(CANNOT_PREPARE)


def _restore_signals() -> None:
    """Reset signals that this interpreter or a shell's `&` ignores: ignored signals survive exec."""
    for signal_no in (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(signal_no, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def _give_up(code: int, message: str) -> NoReturn:
    sys.stderr.write(f"launch: {message}\n")
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main(sys.argv[1:])
