"""Manifests of adapters: a wrong one is refused when its adapter is loaded, and each says what its adapter does."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from fleet.adapters import registry
from fleet.adapters.base import Resolution
from fleet.adapters.manifest import AdapterType, AuthKind, Capability, Limit, MediaRule, Operation, TextRule, check
from fleet.core.errors import InvalidInput

POST = Operation(name="post", unknown=Resolution.PROBE)
HOUR = timedelta(hours=1)
GOOD = AdapterType(
    name="bird", help="A bird.", credentials="a seed", connect=lambda _: pytest.fail(), operations=(POST,)
)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"operations": (POST, POST)}, "post is named twice"),
        ({"operations": (Operation(name="post"),)}, "post: `unknown`"),
        ({"operations": (Operation(name="feed", unknown=Resolution.ASK),)}, "feed: `unknown`"),
        ({"operations": (replace(POST, capability=Capability.UNSUPPORTED),)}, "post: `unknown`"),
        ({"operations": (replace(POST, capability=Capability.WORKAROUND),)}, "post: `note`"),
        ({"operations": (replace(POST, is_on=False),)}, "post: `rule`"),
        ({"operations": (replace(POST, needs_consent=True),)}, "post: `rule`"),
        ({"limits": (Limit(name="hourly", most=0, window=HOUR),)}, "hourly allows nothing"),
        ({"limits": (Limit(name="hourly", most=1, window=timedelta(0)),)}, "hourly allows nothing"),
        ({"limits": (Limit(name="hourly", most=1, window=HOUR, cost=-1),)}, "hourly has a negative cost"),
        ({"limits": (Limit(name="hourly", most=1, window=HOUR, costs={"fly": 1}),)}, "not named: fly"),
        ({"limits": (Limit(name="hourly", most=1, window=HOUR, cost=2),)}, "costs more than it allows"),
        ({"limits": (Limit(name="hourly", most=1, window=HOUR),) * 2}, "hourly is named twice"),
        ({"auth": AuthKind.OAUTH2}, "`oauth`"),
        ({"texts": {"post": TextRule(most=0)}}, "post has no length"),
        ({"pictures": MediaRule(most=1, types=(), most_bytes=1)}, "pictures have no type"),
    ],
)
def test_a_wrong_manifest_is_refused(change: dict[str, Any], says: str) -> None:
    assert check(GOOD) is GOOD
    with pytest.raises(InvalidInput, match="adapter bird is wrong") as raised:
        check(replace(GOOD, **change))
    assert says in str(raised.value)


def test_a_write_that_a_manifest_names_is_one_of_its_adapter() -> None:
    from fleet.adapters.floimg.adapter import FloImg

    assert registry.get("floimg").writes == FloImg.actions
