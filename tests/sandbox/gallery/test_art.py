"""The gallery's art: a prompt always draws the same, styles differ, named colours lead, any size can be drawn."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageStat

from fleet.core.errors import InvalidInput
from fleet.sandbox.gallery import art

STYLES = (*art.STYLES, "somebody_new")


def pixels(image: Image.Image) -> bytes:
    return image.convert("RGB").tobytes()


@pytest.mark.parametrize("style", STYLES)
def test_a_prompt_always_draws_the_same_picture(style: str) -> None:
    first, again = (art.render("late light on a table", style, 160, 120) for _ in range(2))
    assert first.size == (160, 120)
    assert first.mode == "RGB"
    assert pixels(first) == pixels(again)


@pytest.mark.parametrize("style", STYLES)
def test_prompts_draw_pictures_that_look_different(style: str) -> None:
    drawn = {tuple(art.render(f"picture {n}", style, 96, 96).resize((4, 4)).tobytes()) for n in range(12)}
    assert len(drawn) == 12


def test_styles_draw_the_same_prompt_differently() -> None:
    assert len({pixels(art.render("a lamp", style, 96, 96)) for style in STYLES}) == len(STYLES)


@pytest.mark.parametrize("style", STYLES)
@settings(max_examples=6)
@given(prompt=st.text(max_size=60), width=st.integers(16, 400), height=st.integers(16, 400))
def test_any_words_can_be_drawn_in_any_size(style: str, prompt: str, width: int, height: int) -> None:
    image = art.render(prompt, style, width, height)
    assert image.size == (width, height)


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
