"""What responses say about limits, as each system writes it; hostile values say nothing and break nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.adapters.limits import Observation, of_headers

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
EPOCH = int(NOW.timestamp())
MINUTE = timedelta(minutes=1)


def left(remaining: int, reset_in: timedelta, most: int | None = None) -> Observation:
    return Observation(most=most, remaining=remaining, reset_in=reset_in)


@pytest.mark.parametrize(
    ("status", "headers", "seen"),
    [
        (200, {}, None),
        (200, {"retry-after": "60"}, None),
        (429, {"retry-after": "60"}, Observation(blocked_for=MINUTE)),
        (503, {"retry-after": "Mon, 23 Nov 2026 12:01:00 GMT"}, Observation(blocked_for=MINUTE)),
        (200, {"ratelimit-limit": "3000", "ratelimit-remaining": "7", "ratelimit-reset": str(EPOCH + 60),
               "ratelimit-policy": "3000;w=300"}, left(7, MINUTE, 3000)),
        (200, {"ratelimit-limit": "100, 100;w=60", "ratelimit-remaining": "7", "ratelimit-reset": "60"},
         left(7, MINUTE, 100)),
        (200, {"x-ratelimit-limit": "300", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "2026-11-23T12:01:00Z"},
         left(0, MINUTE, 300)),
        (200, {"x-rate-limit-remaining": "1", "x-rate-limit-reset": str(EPOCH + 60)}, left(1, MINUTE)),
        # The system's clock is an hour ahead: its times count from its own `Date`.
        (200, {"date": "Mon, 23 Nov 2026 13:00:00 GMT", "x-ratelimit-remaining": "1",
               "x-ratelimit-reset": str(EPOCH + 3660)}, left(1, MINUTE)),
        (429, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "60"},
         Observation(remaining=0, reset_in=MINUTE, blocked_for=MINUTE)),
        (200, {"x-app-usage": '{"call_count": 99, "total_time": 12}'}, None),
        (200, {"x-app-usage": '{"call_count": 100, "total_time": 12}'}, Observation(blocked_for=5 * MINUTE)),
        (200, {"x-business-use-case-usage":
               '{"17": [{"type": "pages", "call_count": 104, "estimated_time_to_regain_access": 1}]}'},
         Observation(blocked_for=MINUTE)),
        (429, {"retry-after": "never", "x-ratelimit-remaining": "-1", "x-ratelimit-reset": "inf"}, None),
        (200, {"x-app-usage": "[" * 9_000}, None),
        (429, {"retry-after": "1e300"}, Observation(blocked_for=timedelta(days=31))),
    ],
)  # fmt: skip
def test_each_form_of_a_limit_is_read(status: int, headers: dict[str, str], seen: Observation | None) -> None:
    assert of_headers(status, headers, NOW) == seen


_TEXT = st.one_of(st.text(max_size=70), st.integers().map(str), st.floats().map(str))


_NAMES = ("date", "retry-after", "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", "x-app-usage")


@given(st.sampled_from([200, 429, 503]), st.fixed_dictionaries({}, optional=dict.fromkeys(_NAMES, _TEXT)))
def test_any_text_gives_nothing_or_values_that_make_sense(status: int, headers: dict[str, str]) -> None:
    seen = of_headers(status, headers, NOW)
    if seen is not None:
        spans = [one for one in (seen.reset_in, seen.blocked_for) if one is not None]
        assert all(timedelta(0) <= one <= timedelta(days=31) for one in spans)
        assert seen.remaining is None or seen.remaining >= 0
