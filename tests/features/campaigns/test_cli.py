"""`fleet campaigns`: what is shown of a campaign."""

from __future__ import annotations

import json

from tests.features.agents.test_cli import Cli, cli

__all__ = ["cli"]  # the fixture


def test_each_variant_of_a_campaign_is_shown(cli: Cli) -> None:
    (agent,) = cli("seed", "-n", "1").stdout.split()
    texts = ["Brass lamps warm a room.", "Wet slate keeps a harbour dark."]
    options = [part for text in texts for part in ("--variant", text)]
    made = json.loads(cli("campaigns", "create", "Lamps", "--agent", agent, *options, "--json").stdout)
    shown = [line.rstrip() for line in cli("campaigns", "show", made["id"]).stdout.splitlines()]
    assert [line.split(maxsplit=2)[1:] for line in shown if line.startswith("Variant")] == [
        ["A", texts[0]], ["B", texts[1]],
    ]  # fmt: skip
