"""The checker of claims: what facts support, what they do not, and its published figures."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.features.product_content import measured, rules
from fleet.features.product_content.checker import ClaimKind, ProductFacts, check
from fleet.features.product_content.rules import ContentMode, ProductTexts, TextLimits

LAMP = ProductFacts(
    title="Oak desk lamp", brand="Lumen", categories=("Lamps",),
    attributes={"Material": "oak and brass", "Height": "45 cm", "Waterproof": "no", "Bulbs": "2", "Power": "1,200 W",
                "Care": "Machine washable shade", "Warranty": "2 years"},
    options={"Colour": ("black", "off-white")},
)  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "A lamp of oak with parts of brass by Lumen.", "It is 45 cm high, in black or white.", "Two bulbs.",
        "45cm of solid oak.", "At 1200 watts it is bright.", "Black, brass, oak.", "The shade is machine washable.",
        "Lumen's lamp comes with a warranty of 2 years.", "It has 2 bulbs.", "Oaks and lamps.", "",
    ],
)  # fmt: skip
def test_what_facts_say_is_no_finding(text: str) -> None:
    assert check(text, LAMP) == []


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("It is 46 cm high.", "number"), ("It weighs 45 kg.", "number"), ("Three bulbs.", "number"),
        ("45 pieces.", "number"), ("Of steel.", "material"), ("Comes in red.", "colour"),
        ("The best lamp.", "superlative"), ("FSC certified.", "certificate"), ("It relieves pain.", "health"),
        ("It is waterproof.", "property"), ("Free shipping.", "offer"), ("Made in Germany.", "origin"),
        ("As good as one by Ikea.", "brand"), ("Designed for Zorbex.", "name"), ("WATERPROOF lamp", "property"),
        ("A stainless-steel lamp.", "material"),
    ],
)  # fmt: skip
def test_what_no_fact_supports_is_found(text: str, kind: str) -> None:
    found = check(text, LAMP)
    assert kind in [str(one.kind) for one in found], found
    assert any(one.is_refused for one in found) is (ClaimKind(kind) in {"certificate", "health", "offer"})


def test_the_published_figures_are_those_of_the_checker() -> None:
    made = measured.measure(measured.draw())
    found, claims = made.found.total(), made.claims.total()
    assert (found, claims, made.wrongly_marked, made.honest) == PUBLISHED
    assert made.found[measured.HELD_OUT] / made.claims[measured.HELD_OUT] < 0.3  # nobody fitted the lexicon to these


PUBLISHED = (1568, 1685, 149, 5160)
"""As docs/product-content.md says."""


@given(st.text(max_size=200))
def test_any_text_is_read_and_claims_are_where_they_say(text: str) -> None:
    for claim in check(text, LAMP):
        assert text[claim.at : claim.at + len(claim.words)] == claim.words


@given(st.lists(st.text(max_size=5), max_size=8), st.sampled_from(ContentMode), st.integers(0, 9), st.integers(0, 9))
def test_a_day_has_no_more_texts_than_its_bound(waiting: list[str], mode: ContentMode, today: int, a_day: int) -> None:
    chosen = rules.choose(waiting, mode=mode, written_today=today, a_day=a_day)
    assert len(chosen) + today <= max(today, a_day)
    assert mode is ContentMode.PROPOSE or not chosen


def test_gaps_are_named_and_html_does_not_count_as_text() -> None:
    texts = ProductTexts("A" * 50, "<p></p><p>short</p>", ("", "A lamp"))
    found = rules.gaps(texts, TextLimits(title=40), shortest=10)
    assert found == (
        "the title has 50 characters; 40 is the most", "the description has only 5 characters",
        "1 of 2 pictures have no alternative text",
    )  # fmt: skip
    assert (
        rules.formatted("Oak & brass\nOf 45 cm", TextLimits(has_html=True)) == "<p>Oak &amp; brass</p><p>Of 45 cm</p>"
    )
