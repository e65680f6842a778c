"""The calendar as iCalendar: what subscribes gets valid lines, and a password opens nothing but feeds."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from fleet.access import Permission
from fleet.features.calendar import ical
from fleet.features.calendar.ical import IcalEvent
from fleet.features.users import service as accounts
from tests.features.calendar.test_pages import done, later, waiting, web
from tests.web_client import Web

__all__ = ["web"]
NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
FEED = "/api/v1/calendar/feed.ics"


@given(words=st.text(max_size=300))
def test_lines_are_short_and_a_text_stays_within_its_property(words: str) -> None:
    event = IcalEvent(uid="jobs-1@fleet", at=NOW, summary=words, description=words, category="planned", url="",
                      is_certain=True)  # fmt: skip
    raw = ical.document([event], stamp=NOW).encode("utf-8", "replace")
    lines = raw.split(b"\r\n")
    assert lines[-1] == b"" and max(map(len, lines)) <= 75
    unfolded = raw.replace(b"\r\n ", b"").decode().split("\r\n")[:-1]
    names = [line.split(":")[0] for line in unfolded]
    assert names == ["BEGIN", "VERSION", "PRODID", "X-WR-CALNAME", "BEGIN", "UID", "DTSTAMP", "DTSTART", "SUMMARY",
                     "DESCRIPTION", "CATEGORIES", "STATUS", "TRANSP", "END", "END"]  # fmt: skip
    assert "DTSTART:20261124T080000Z" in unfolded


def test_a_calendar_subscribes_with_a_token_as_its_password(web: Web) -> None:
    planned, past = waiting(web, later()), done(web, later(-2), text="a lamp, brass; wet\nslate")
    scopes = (Permission.FLEET_VIEW, Permission.JOBS_VIEW)
    token = accounts.issue_token(web.deps, web.user("viewer"), "phone", scopes, None)
    phone = web.anonymous()
    refused = phone.get(FEED)
    assert refused.status_code == 401 and refused.headers["www-authenticate"].startswith("Basic ")
    basic = {"authorization": f"Basic {base64.b64encode(f'any:{token}'.encode()).decode()}"}
    answer = phone.get(FEED, headers=basic)
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/calendar")
    words = answer.text.replace("\r\n ", "")
    assert {f"UID:jobs-{job}@fleet" in words for job in (planned, past)} == {True}
    assert r"a lamp\, brass\; wet" in words
    assert "UID" not in phone.get(f"{FEED}?layer=proposed", headers=basic).text
    assert phone.get("/api/v1/calendar", headers=basic).status_code == 401, "a password reads feeds alone"
    for wrong in ("Basic !!", f"Basic {base64.b64encode(b'any:wrong').decode()}", "Basic"):
        assert phone.get(FEED, headers={"authorization": wrong}).status_code == 401
