"""Which Chromium the tests drive, and how one comes here: `python -m tests.browser.chromium` finds or installs it.

Called by `make browser`, which has installed tests/browser.lock before, and asked by the fixtures. Playwright's own
download is the last resort: a browser of the system is there already in most places, and is kept up to date.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

VARIABLE = "FLEET_TEST_CHROMIUM"
GIVEN_UP = "FLEET_TEST_NO_BROWSER"
"""Set by .ci/run where no browser could be had: why."""
CALL = "Call `make browser`: it installs what they need."
_PACKAGES = ("playwright", "axe_playwright_python")
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def lacking() -> str:
    """Say what the tests in a browser lack here, or nothing."""
    if any(importlib.util.find_spec(name) is None for name in _PACKAGES):
        return "tests/browser.lock is not installed"
    return "" if find() else "there is no Chromium"


def find() -> str | None:
    """Return the path of a Chromium that starts, or None. Raises SystemExit for a named one that does not."""
    if given := os.environ.get(VARIABLE):
        if _starts(given):
            return given
        raise SystemExit(f"{VARIABLE} names {given}, which does not start as Chromium does.")
    on_path = (found for name in _NAMES if (found := shutil.which(name)))
    return next((found for found in on_path if _starts(found)), None) or _playwrights_own()


def _starts(path: str) -> bool:
    """Say whether it is a browser: Ubuntu's chromium-browser is a script that asks for a snap."""
    try:
        done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and any(name in done.stdout for name in ("Chromium", "Chrome"))


def _playwrights_own() -> str | None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


def install() -> str | None:
    """Install a Chromium by the system's packages where that is allowed, else Playwright's; None if neither went."""
    apt = shutil.which("apt-get")
    if apt and os.geteuid() == 0:
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for order in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", "chromium"]):
            subprocess.run([apt, *order], env=quiet, stdout=sys.stderr, check=False)
        if found := find():
            return found
    subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], stdout=sys.stderr, check=False)
    return find()


def main() -> int:
    """Say which Chromium the tests take, once there is one."""
    path = find()
    if path is None:
        print("Installing Chromium for the tests in a browser", flush=True)
        path = install()
    if path is None:
        print(
            "Error: no Chromium could be installed.\n"
            f"  Fix: install the package `chromium`, or name one that is not on PATH with {VARIABLE}=/path/to/it.",
            file=sys.stderr,
        )
        return 1
    print(f"The tests in a browser take {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
