"""Takes the README's pictures of the dashboard: docs/images/dashboard-*.png. Needs `make browser`, and nothing else.

Run `.venv/bin/python docs/images/screenshots.py`: it lets a fleet live for a while at a fast tempo in a temporary
folder, comes in as an owner, and looks. `--minutes 5` lets it live longer; `--home DIR` looks at one that runs already.
"""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT))

from PIL import Image  # noqa: E402

from fleet import app  # noqa: E402
from fleet.access import Role  # noqa: E402
from fleet.access.sessions import Visit  # noqa: E402
from fleet.cli.frame import paths  # noqa: E402
from fleet.engine import deps as runtime_deps  # noqa: E402
from fleet.engine.agents.queries import AgentFilter  # noqa: E402
from fleet.engine.deps import Deps  # noqa: E402
from fleet.features.agents import commands as agent_commands  # noqa: E402
from fleet.features.users import service as accounts  # noqa: E402
from fleet.sandbox.processes.runfile import RunFile  # noqa: E402
from fleet.web import server  # noqa: E402
from fleet.web.auth import plain_cookie_name  # noqa: E402
from tests.browser import chromium  # noqa: E402

WIDE = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
SUPERVISED = 3
_COLOURS = 256


@contextmanager
def living(home: Path, minutes: float) -> Iterator[None]:
    """Let a fleet live in a folder for a while, and go on living for the length of the block."""
    call = [
        sys.executable,
        "-m",
        "fleet.cli",
        "up",
        "--home",
        str(home),
        "--no-flower",
        "--agents",
        "12",
        "--tempo",
        "60",
    ]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "FLEET_CAPS": '{"post": {"gap_s": 0}, "comment": {"gap_s": 0}}',
    }
    with (home.parent / "up.log").open("ab") as log:
        process = subprocess.Popen(call, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        _wait(home, process)
        time.sleep(60 * minutes)
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def _wait(home: Path, process: subprocess.Popen[bytes]) -> None:
    until_s = time.monotonic() + 180
    while RunFile.read(home) is None or "All is running" not in (home.parent / "up.log").read_text(errors="replace"):
        if process.poll() is not None or time.monotonic() > until_s:
            raise SystemExit((home.parent / "up.log").read_text(errors="replace")[-3000:])
        time.sleep(0.5)


def come_in(deps: Deps) -> str:
    """Make an owner of the moment and return their session."""
    name, password = f"photo-{secrets.token_hex(3)}", secrets.token_urlsafe(16)
    accounts.create_user(deps, name, Role.OWNER, password)
    return accounts.log_in(deps, name, password, Visit("127.0.0.1", "screenshots"))[0]


def supervise(deps: Deps) -> str:
    """Have a few agents ask before they act, so that there are drafts; return the busiest of the others."""
    found, _ = agent_commands.list_agents(deps, AgentFilter(kind="gallery"), limit=100)
    for agent in found[:SUPERVISED]:
        agent_commands.update(
            deps, agent.username, {"autonomy": "supervised", "scan_interval_s": 900, "heeds_agents": True}
        )
    return max(found[SUPERVISED:], key=lambda one: one.totals.get("post", 0) + one.totals.get("comment", 0)).username


def take(url: str, key: str, agent: str) -> None:
    """Look at each page and keep what is seen."""
    from playwright.sync_api import sync_playwright

    shots = [
        ("overview", "/", "light", WIDE), ("overview-dark", "/", "dark", WIDE),
        ("agent", f"/agents/{agent}", "light", WIDE),
        ("review", "/review", "light", WIDE), ("phone", "/", "light", PHONE),
    ]  # fmt: skip
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.find(), args=["--disable-quic"])
        for name, path, scheme, size in shots:
            context = browser.new_context(
                viewport=size,
                color_scheme=scheme,
                reduced_motion="reduce",
                device_scale_factor=2 if size is PHONE else 1,
            )
            context.add_cookies([{"name": plain_cookie_name(urlsplit(url).port), "value": key, "url": url}])
            page = context.new_page()
            page.goto(url + path, wait_until="load")
            page.wait_for_timeout(4000)  # live lines arrive meanwhile
            page.screenshot(path=HERE / f"dashboard-{name}.png")
            context.close()
            _shrink(HERE / f"dashboard-{name}.png")
        browser.close()


def _shrink(path: Path) -> None:
    with Image.open(path) as picture:
        small = picture.convert("RGB").quantize(_COLOURS, dither=Image.Dither.FLOYDSTEINBERG)
    small.save(path, optimize=True)
    sys.stdout.write(f"{path.name}: {path.stat().st_size // 1024} KiB\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=4.0, help="how long the fleet lives before the first picture")
    parser.add_argument("--home", type=Path, help="a fleet that runs already")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        home = arguments.home
        if home is None:
            home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fleet-shots-"))) / "home"
            stack.enter_context(living(home, arguments.minutes / 2))
        app.load()
        deps = runtime_deps.build(paths.connected(home))
        stack.callback(deps.close)
        agent = supervise(deps)
        if arguments.home is None:
            time.sleep(30 * arguments.minutes)
        url = stack.enter_context(server.running(deps))
        take(url, come_in(deps), agent)


if __name__ == "__main__":
    main()
