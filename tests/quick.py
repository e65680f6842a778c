"""What `make quick` runs: the tests that need no server and no process of their own, chosen by what their files say.

Called by `conftest`. A file that asks for a server, a worker or a browser is not even imported.
"""

from __future__ import annotations

import re
from pathlib import Path

import hypothesis
import pytest

OPTION = "--quick"
ALWAYS = ("test_house.py", "test_docs.py")
"""Files of which most tests need no server; the others are left out one by one."""
_NEEDS_A_SERVER = re.compile(
    r"\b(?:database_url|fresh_database|broker_url|private_valkey|postgres_server|owner_url|Embedded\w+|moto"
    r"|(?:Model|Picture|HTTP)Server|Servers|Receiver|Fleet|Web|World|ShopWorld|StoreWorld|Up|Popen|subprocess|aiosmtpd"
    r"|thaw\w*)\b|mark\.(?:e2e|browser|network|shops)"
)
_SERVERS = {"postgres_server", "valkey_server"}


def is_left_out(path: Path) -> bool:
    """Say whether a test file asks for a server."""
    is_test = path.name.startswith("test_") and path.suffix == ".py"
    return is_test and path.name not in ALWAYS and bool(_NEEDS_A_SERVER.search(path.read_text(encoding="utf-8")))


def is_left_out_too(item: pytest.Item) -> bool:
    """Say whether a test is a long one, or gets a server from a fixture."""
    return item.get_closest_marker("long") is not None or not _SERVERS.isdisjoint(getattr(item, "fixturenames", ()))


def draw_fewer(item: pytest.Item) -> None:
    """Give a property test with a number of examples of its own at most that of the quick profile.

    A private part of Hypothesis: the settings of a decorated test.
    """
    test = getattr(item, "obj", None)
    own, most = getattr(test, "_hypothesis_internal_use_settings", None), hypothesis.settings.default
    if own is not None and most is not None and own.max_examples > most.max_examples:
        fewer = hypothesis.settings(own, max_examples=most.max_examples)
        test._hypothesis_internal_use_settings = fewer  # type: ignore[union-attr]
