"""`fleet links`: what is shown of a link, by day."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from tests.features.agents.test_cli import Cli, cli

__all__ = ["cli"]  # the fixture


def test_a_link_is_shown_with_its_counts_by_day(cli: Cli) -> None:
    code = json.loads(cli("links", "create", "https://example.com/lamp", "--json").stdout)["code"]
    assert "Day" not in cli("links", "show", code).stdout
    assert "Counted." in cli("links", "convert", code, "order-1", "--value", "9.90").stdout
    today = datetime.now(UTC).date().isoformat()
    (row,) = [line.split() for line in cli("links", "show", code).stdout.splitlines() if line.startswith(today[:7])]
    assert row[1:] == ["0", "1"]
