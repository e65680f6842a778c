"""The gallery's art: a prompt always draws the same, styles differ, named colours lead, any size can be drawn."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageStat

from fleet.core.errors import InvalidInput
from fleet.features.personas import library
from fleet.llm.base import PostRequest, Speaker
from fleet.llm.offline.provider import OfflineProvider
from fleet.sandbox.gallery import art
from fleet.sandbox.gallery.art import brush, charts, dream, wires
from fleet.sandbox.gallery.art.order import Order
from fleet.sandbox.gallery.art.things import forms, parts, pictograms

STYLES = (*art.STYLES, "somebody_new")
READ: dict[str, Callable[[Order], str | None]] = {
    "product_photographer": lambda order: order.named(forms.KIND_OF),
    "social_marketer": lambda order: order.named(pictograms.KIND_OF),
    "ux_designer": lambda order: order.named(parts.KIND_OF) and order.around().named(wires.DEVICES),
    "data_viz": lambda order: order.named(charts.KIND_OF),
    "ai_artist": lambda order: order.named(dream.VISION_OF),
    "indie_game_dev": lambda order: order.subject or None,
}
"""How each style finds what it draws."""


def an_order(prompt: str) -> Order:
    return Order.of(prompt, 64, 64, Random(1))


def pixels(image: Image.Image) -> bytes:
    return image.convert("RGB").tobytes()


@pytest.mark.parametrize("style", STYLES)
def test_a_prompt_always_draws_the_same_picture(style: str) -> None:
    first, again = (art.render("late light on a table", style, 160, 120) for _ in range(2))
    assert first.size == (160, 120)
    assert first.mode == "RGB"
    assert pixels(first) == pixels(again)


@pytest.mark.long
@pytest.mark.parametrize("style", STYLES)
def test_prompts_draw_pictures_that_look_different(style: str) -> None:
    drawn = {tuple(art.render(f"picture {n}", style, 96, 96).resize((4, 4)).tobytes()) for n in range(12)}
    assert len(drawn) == 12


def test_styles_draw_the_same_prompt_differently() -> None:
    assert len({pixels(art.render("a lamp", style, 96, 96)) for style in STYLES}) == len(STYLES)


@pytest.mark.long
@pytest.mark.parametrize("style", STYLES)
@settings(max_examples=6)
@given(prompt=st.text(max_size=60), width=st.integers(16, 400), height=st.integers(16, 400))
def test_any_words_can_be_drawn_in_any_size(style: str, prompt: str, width: int, height: int) -> None:
    image = art.render(prompt, style, width, height)
    assert image.size == (width, height)


@pytest.mark.long
@pytest.mark.parametrize("style", ["product_photographer", "social_marketer", "ux_designer", "somebody_new"])
def test_a_named_colour_leads_the_picture(style: str) -> None:
    def warmth(color: str) -> float:
        means = [ImageStat.Stat(art.render(f"{n} {color}", style, 96, 96)).mean for n in range(8)]
        return sum(red - blue for red, _, blue in means)

    assert warmth("crimson") > warmth("cobalt") + 8 * 10


def test_pixel_art_has_hard_edges_and_few_colours() -> None:
    image = art.render("castle at dusk", "indie_game_dev", 1024, 1024)
    assert len(image.getcolors(1 << 20) or []) < 400
    small = image.resize((128, 128), Image.Resampling.NEAREST)
    assert pixels(small.resize((1024, 1024), Image.Resampling.NEAREST)) == pixels(image)


@pytest.mark.parametrize(("width", "height"), [(0, 100), (100, 5000), (-4, 16)])
def test_absurd_sizes_are_refused(width: int, height: int) -> None:
    with pytest.raises(InvalidInput, match="cannot be drawn"):
        art.render("x", "ai_artist", width, height)


@pytest.mark.long
@pytest.mark.parametrize("persona_id", art.STYLES)
def test_every_subject_of_a_shipped_persona_can_be_drawn(persona_id: str) -> None:
    """Symptom: a copper kettle in the caption and a tube in the picture, as the light was named too."""
    persona = library.load().get(persona_id)
    speaker = Speaker("A", persona.id, persona.character, persona.workflow_types, persona.grammar)
    things = persona.grammar.get("thing") or persona.grammar["chart"]
    for number in range(150):
        words, _ = OfflineProvider().write_post(PostRequest(speaker), Random(number))
        order = an_order(words.image_prompt)
        assert READ[persona_id](order), words.image_prompt
        assert any(order.subject.endswith(thing.split(" of ")[0]) for thing in things), words.image_prompt


@pytest.mark.parametrize(
    ("prompt", "subject", "setting", "title"),
    [
        ("Hero shot of a half-peeled disco ball on a wall of tiles, lit by a lamp.", "half-peeled disco ball",
         "on a wall of tiles", "Half-peeled disco ball"),
        ("Editorial look, a bar chart of ferry crossings by weekday, calm.", "bar chart",
         "of ferry crossings by weekday", "Bar chart"),
        ("late light", "", "", "Late light"),
    ],
)  # fmt: skip
def test_a_prompt_is_read_for_its_subject(prompt: str, subject: str, setting: str, title: str) -> None:
    order = an_order(prompt)
    assert (order.subject, order.setting, order.title(3, "")) == (subject, setting, title)


def test_words_about_the_light_are_not_drawn() -> None:
    assert an_order("A tea canister on slate, lit by a snooted lamp.").named(forms.KIND_OF) == "canister"
    assert an_order("A brass kettle on slate, lit by a snooted lamp.").named(forms.KIND_OF) is None


def test_a_poster_has_its_subject_as_the_title(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    monkeypatch.setattr(brush, "write", lambda pen, at, text, *_, **__: written.append(text))
    art.render("Scroll-stopping social media image of a tiny kite on striped waves.", "social_marketer", 256, 256)
    assert written[:-1] == ["TINY KITE"], "the last one is the tag"
