"""A text in the form in which a network shows it is the same text; another text is not. Pure."""

from __future__ import annotations

import html

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.features.reconciliation.posts.texts import links_of, same_text

LONG = "https://shop.example/lamps/harbour-lamp-number-seven?utm_source=fleet"


@pytest.mark.parametrize(
    ("network", "sent", "shown"),
    [
        ("x", f"A lamp: {LONG}", "A lamp: https://t.co/AbC123"),
        ("x", "A lamp.", "A lamp. https://t.co/AbC123"),
        ("x", "Light & shade", "Light &amp; shade"),
        ("atproto", f"A lamp: {LONG}", "A lamp: shop.example/lamps/harbour…"),
        ("linkedin", f"A lamp: {LONG}", "A lamp: https://lnkd.in/abc"),
        ("mastodon", "Thanks @ana@other.example!", "Thanks @ana!"),
        ("floimg", "A  lamp.\n\nAt dawn.", "<p>A lamp.</p><p>At <b>dawn</b>.</p>"),
        ("facebook", "See (https://example.org/a).", "See (example.org/a)."),
        ("instagram", "Lampe \u00e9t\u00e9", "Lampe e\u0301te\u0301\ufeff"),
        ("mastodon", "See https://WWW.Example.org/", "See https://example.org"),
    ],
)
def test_a_rewritten_text_is_the_same(network: str, sent: str, shown: str) -> None:
    assert same_text(network, sent, shown)


@pytest.mark.parametrize(
    ("network", "sent", "shown"),
    [
        ("x", "A lamp.", "A lamp. Buy now!"),
        ("mastodon", "A lamp.", f"A lamp. {LONG}"),
        ("mastodon", f"A lamp: {LONG}", "A lamp: https://t.co/AbC123"),
        ("mastodon", f"A lamp: {LONG}", "A lamp: https://evil.example/lamps/harbour…"),
        ("atproto", f"A lamp: {LONG}", "A lamp: https://shop.example/lamps"),
        ("floimg", "A lamp.", "a lamp."),
        ("floimg", "A lamp.", "A lamp!"),
        ("mastodon", "Thanks @ana@other.example", "Thanks @bea"),
        ("x", "A lamp.", ""),
    ],
)
def test_another_text_is_another(network: str, sent: str, shown: str) -> None:
    assert not same_text(network, sent, shown)


@given(
    st.lists(
        st.sampled_from(["Lamp", "&", "dawn.", LONG, "静か", "@ana@x.example", "#light", "“q”", "3 < 4"]), min_size=1
    )
)
def test_entities_and_white_space_never_make_another_text(words: list[str]) -> None:
    sent = " ".join(words)
    assert same_text("mastodon", sent, html.escape(sent.replace(" ", "\n\t ")))


def test_links_are_compared_in_one_form() -> None:
    assert links_of("See https://www.Example.org/a/, and example.org/a.") == {"example.org/a"}
