"""Pure parts of campaigns: states, forms of networks, scores, times, feeds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.adapters import registry, texts
from fleet.core.errors import Conflict, InvalidInput
from fleet.features.campaigns.brand_rules import rules as brand
from fleet.features.campaigns.brand_rules.rules import BrandRules, Reason
from fleet.features.campaigns.forms import adapting, feed, preview, times
from fleet.features.campaigns.forms.times import PostHours, Room
from fleet.features.campaigns.states import FINAL, MOVES, ItemEvent, ItemState, after

NETWORKS = ("atproto", "facebook", "instagram", "linkedin", "mastodon", "tiktok", "x")
NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
moments = st.integers(0, 60 * 24 * 10).map(lambda minutes: NOW + timedelta(minutes=minutes))


@given(st.lists(st.sampled_from(ItemEvent), max_size=30))
def test_an_item_is_published_only_after_a_review_a_time_and_a_beginning(events: list[ItemEvent]) -> None:
    state, failed_in, seen = ItemState.PLANNED, None, list[ItemEvent]()
    for event in events:
        try:
            into = after(state, event, failed_in=failed_in)
        except Conflict:
            continue
        assert state not in FINAL
        failed_in = state if event is ItemEvent.FAILED else None
        state = into
        seen.append(event)
    if state is ItemState.PUBLISHED:
        last = [one for one in seen if one in (ItemEvent.EDITED, ItemEvent.PASSED, ItemEvent.ACCEPTED)][-1]
        assert last is not ItemEvent.EDITED, "what was edited is reviewed again"
        assert [one for one in seen if one in (ItemEvent.SCHEDULED, ItemEvent.BEGAN)][-2:] == [
            ItemEvent.SCHEDULED,
            ItemEvent.BEGAN,
        ]


def test_every_state_but_the_first_can_be_reached_and_only_two_are_final() -> None:
    reached = {move.into for move in MOVES.values()}
    assert reached >= set(ItemState) - {ItemState.PLANNED}
    assert {state for state in ItemState if not any(state in move.sources for move in MOVES.values())} == set(FINAL)


@given(
    st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), min_size=1, max_size=1500),
    st.sampled_from(NETWORKS), st.sampled_from(["", "https://example.org/a-page"]),
    st.lists(st.sampled_from(["art", "open source", "лампа", "!"]), max_size=4), st.booleans(),
)  # fmt: skip
def test_a_message_fits_every_network_whatever_it_says(
    message: str, network: str, link: str, hashtags: list[str], has_picture: bool
) -> None:
    rule, style = adapting.rule_of(registry.get(network)), adapting.style_of(network)
    made = adapting.adapt(message, rule, style, hashtags=hashtags, link=link, has_picture=has_picture)
    for number, part in enumerate(made.parts, 1):
        sent = f"{part}\n\n{made.link}" if made.link and not style.has_card and number == len(made.parts) else part
        assert texts.fits(sent, rule), (network, sent)
    assert len(made.parts) == 1 or style.has_threads
    assert not (made.link and made.has_picture and style.has_card)


def test_one_message_takes_the_form_of_each_network() -> None:
    message = " ".join(f"Sentence {number} of a long message about brass lamps." for number in range(1, 12))
    link = {"url": "https://lamps.test/autumn", "title": "Lamps"}
    shown = {one: preview.of(one, message=message, link=link, hashtags=["lamps", "brass", "open source"],
                             media=[{"alt_text": "A lamp."}]) for one in NETWORKS}  # fmt: skip
    assert len(shown["x"].parts) > 2 and shown["x"].parts[-1].text.endswith("https://lamps.test/autumn")
    assert shown["x"].parts[0].text.endswith("#lamps #brass") and "1/" in shown["x"].parts[0].text
    assert shown["linkedin"].card["host"] == "lamps.test" and not shown["linkedin"].pictures
    assert "lamps.test" not in shown["instagram"].parts[0].text and shown["instagram"].ratio == 1.0
    assert "#OpenSource" in shown["instagram"].parts[0].text
    assert not [(name, one.problems) for name, one in shown.items() if one.problems]


def test_a_preview_says_what_a_network_does_not_take() -> None:
    wrong = preview.of("instagram", parts=["one", "two"]).problems
    assert wrong == ("there are no threads there", "a post there needs a picture")


def test_a_score_has_a_reason_for_every_point() -> None:
    rules = brand.parse({"banned": ["cheap"], "required": ["lamp"], "claims": ["best"], "disclosure": "Ad",
                         "link_hosts": ["lamps.test"]})  # fmt: skip
    fine = brand.score(["Ad: a lamp."], rules, link="https://shop.lamps.test/")
    assert (fine.score, fine.reasons) == (100, ())
    bad = brand.score(["The best and CHEAP thing"], rules, link="https://evil.test/lamps.test")
    assert bad.score == 0
    assert {one.rule for one in bad.reasons} == {"banned", "required", "claim", "disclosure", "link"}
    assert brand.score(["Cheaper lamps, lamp. Ad"], rules).score == 100, "words are whole words"
    assert brand.score(["x"], BrandRules(), findings=[Reason("network", 50, "too long")]).score == 50
    with pytest.raises(InvalidInput, match="empty word"):
        brand.parse({"banned": [" "]})


@given(st.lists(moments, max_size=12), moments, st.integers(0, 300), st.integers(1, 4))
def test_a_free_time_never_breaks_a_cap(taken: list[datetime], start: datetime, gap: int, per_day: int) -> None:
    room = Room(timedelta(minutes=gap), per_day)
    at = times.next_free(PostHours("Europe/Berlin", (9, 13), frozenset(range(1, 6))), start, taken, room)
    assert at > start and times.obstacle(at, taken, room) is None
    assert (at.astimezone(UTC).hour, at.isoweekday() in range(1, 6)) in {(8, True), (12, True)}


def test_an_hour_that_the_clocks_skip_is_left_out() -> None:
    hours = PostHours("Europe/Berlin", (2, 10))
    first = next(times.slots(hours, datetime(2027, 3, 28, 0, 0, tzinfo=UTC)))
    assert first == datetime(2027, 3, 28, 8, 0, tzinfo=UTC)


def test_titles_are_read_from_feeds_and_entities_are_refused() -> None:
    rss = "<rss><channel><title>Blog</title><item><title>One &lt;b&gt;lamp</title></item>"
    assert feed.titles(f"{rss}<item><title>Two</title></item></channel></rss>".encode()) == ["One <b>lamp", "Two"]
    atom = b'<feed xmlns="http://www.w3.org/2005/Atom"><title>B</title><entry><title>Three</title></entry></feed>'
    assert feed.titles(atom) == ["Three"]
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa">]><rss><item><title>&a;</title></item></rss>'
    for hostile in (bomb, bomb.decode().encode("utf-16"), b"no feed", b""):
        with pytest.raises(InvalidInput):
            feed.titles(hostile)
