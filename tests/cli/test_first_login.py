"""`fleet up` shows its secrets to a terminal only: in a redirected log stands the name of a private file instead."""

from __future__ import annotations

import contextlib
import os
import pty
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fleet.cli.commands.processes import PASSWORD_FILE
from fleet.cli.commands.up import preparation
from fleet.cli.commands.up.process_list import UpOptions
from fleet.cli.commands.up.run import Run
from fleet.cli.frame.context import Door
from fleet.features.users import invite
from fleet.sandbox import disk
from tests.factories import Fleet

WEB, FLOWER = "http://127.0.0.1:8630", "http://127.0.0.1:5555"
WANTED = UpOptions(
    agents=0, workers=1, concurrency=1, seed_no=0, gallery_port=None, web_port=None, flower_port=None,
    postgres_port=None, valkey_port=None, gallery_database_url="", metrics_port=None, with_web=True, with_flower=True,
    with_metrics=True, faults="", shop_port=None, with_shop=False,
)  # fmt: skip
Show = Callable[[str], str]


@pytest.fixture
def show(fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Show:
    """Show the addresses of a run on a terminal or in a log; return what can be read there."""

    def shown(where: str) -> str:
        monkeypatch.setenv("COLUMNS", "200")
        monkeypatch.setenv("FORCE_COLOR", "1")  # colours make no terminal
        reader, writer = pty.openpty() if where == "terminal" else os.pipe()
        with os.fdopen(writer, "w") as stream, monkeypatch.context() as patched:
            patched.setattr(sys, "stdout", stream)
            run = Run(Door(), WANTED, {"home": tmp_path})
            password = disk.stored_password(tmp_path / PASSWORD_FILE)
            seen = preparation.summary({**_known(fleet), "home": tmp_path}, "cli:tests", WEB)
            run._show_addresses(seen, WEB, (FLOWER, password), None)
            run._helper.close()  # it holds the stream too
        return _all_of(reader).decode()

    return shown


def _known(fleet: Fleet) -> dict[str, object]:
    settings = fleet.deps.settings
    return {"database_url": settings.database_url, "broker_url": settings.broker_url}


def _all_of(reader: int) -> bytes:
    """Read until the other side is closed: a terminal hands over what was written in portions."""
    found = b""
    with contextlib.suppress(OSError):  # the end of a terminal
        while portion := os.read(reader, 100_000):
            found += portion
    return found


def test_a_log_holds_neither_the_first_owners_link_nor_flowers_password(
    show: Show, tmp_path: Path, fleet: Fleet
) -> None:
    said, link, password = show("log"), tmp_path / "first-login", tmp_path / PASSWORD_FILE
    assert f"the link in {link}" in said and f"password in {password}" in said
    assert "/join/" not in said and password.read_text().strip() not in said
    assert stat.S_IMODE(link.stat().st_mode) == stat.S_IMODE(password.stat().st_mode) == 0o600
    key = link.read_text().strip().removeprefix(f"{WEB}/join/")
    invite.join(fleet.deps, key, "ann", "correct horse battery")
    assert "first-login" not in show("log") and not link.exists()


def test_a_terminal_shows_both_and_a_link_in_a_file_is_void_then(show: Show, tmp_path: Path) -> None:
    show("log")
    said = show("terminal")
    assert f"{WEB}/join/fli_" in said
    assert (tmp_path / PASSWORD_FILE).read_text().strip() in said
    assert not (tmp_path / "first-login").exists()
