"""A whole fleet for each test, on servers of its own where it may wipe them."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.up import Up
from tests.e2e.world import World, make_world


@pytest.fixture
def world(tmp_path: Path, database_url: str, fresh_database: str, private_valkey: Any) -> Iterator[World]:
    """A gallery and nothing else yet; tests start workers and beat."""
    folder = tmp_path / "a world"
    folder.mkdir()
    with make_world(folder, database_url, fresh_database, private_valkey.url()) as made:
        made.start_gallery()
        yield made


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    """A home in which a test runs `fleet up`; nothing of it is left at the end."""
    made = Up(tmp_path / "a home with spaces")
    yield made
    if made.process is not None and made.process.poll() is None:
        made.end(signal.SIGINT, signal.SIGINT, apart_s=0.5)
    assert made.is_gone(), made.left()
