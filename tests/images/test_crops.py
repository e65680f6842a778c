"""One picture becomes the crop of each network: its ratio, around the detail, enlarged within bounds, marks kept."""

from __future__ import annotations

import io
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fleet.core.errors import InvalidInput
from fleet.images.export.crops import (
    CENTRE,
    MOST_ENLARGED,
    RATIOS,
    FocusPoint,
    crop,
    crop_box,
    focus_of,
    ratio_of,
)
from fleet.images.marks import read_marks
from fleet.images.placeholder import render_jpeg

PARTS = st.floats(0, 1)


def scene(at: FocusPoint, size: tuple[int, int] = (1200, 800)) -> Image.Image:
    """Draw a plain wall with one detailed thing at a place."""
    image = Image.new("RGB", size, "#8fa6b8")
    side = min(size) // 5
    thing = Image.effect_noise((side, side), 120).convert("RGB")
    image.paste(thing, (round(at.x * size[0] - side / 2), round(at.y * size[1] - side / 2)))
    return image


def file(image: Image.Image, kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    image.save(out, kind)
    return out.getvalue()


@given(st.integers(1, 5000), st.integers(1, 5000), st.sampled_from([*RATIOS.values(), 0.3, 3.0]), PARTS, PARTS)
def test_a_crop_is_the_largest_part_of_its_ratio_that_shows_the_focus(
    width: int, height: int, ratio: float, x: float, y: float
) -> None:
    left, top, right, bottom = crop_box((width, height), ratio, FocusPoint(x, y))
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    assert right - left == width or bottom - top == height
    assert left <= x * width <= right
    assert top <= y * height <= bottom
    side = min(right - left, bottom - top)
    assert math.isclose((right - left) / (bottom - top), ratio, rel_tol=0.001 + 2 / side) or side == 1


@pytest.mark.parametrize("at", [FocusPoint(0.2, 0.3), FocusPoint(0.8, 0.7), FocusPoint(0.5, 0.5)])
def test_the_focus_is_where_the_detail_is(at: FocusPoint) -> None:
    found = focus_of(scene(at))
    assert math.dist(found, at) < 0.05
    assert focus_of(Image.new("RGB", (300, 200), "teal")) == CENTRE


@pytest.mark.parametrize(
    ("name", "size"),
    [("1:1", (1080, 1080)), ("4:5", (1080, 1350)), ("16:9", (1600, 900)), ("1.91:1", (1200, 628)),
     ("9:16", (1080, 1920))],
)  # fmt: skip
def test_each_network_gets_its_size_with_the_detail_inside(name: str, size: tuple[int, int]) -> None:
    for at in (FocusPoint(0.15, 0.15), FocusPoint(0.85, 0.85)):
        made = crop(file(scene(at, (2400, 2000))), ratio_of(name))
        with Image.open(io.BytesIO(made.data)) as image:
            assert image.size == (made.width, made.height) == size
            assert focus_of(image) != CENTRE, "the detail was cut off"


def test_a_small_picture_is_enlarged_only_so_far() -> None:
    made = crop(file(scene(CENTRE, (200, 200))), RATIOS["9:16"])
    assert made.scale == pytest.approx(MOST_ENLARGED, rel=0.02)
    assert (made.width, made.height) == (168, 299)
    assert crop(file(scene(CENTRE)), 1.0, width_px=4096).width == round(800 * MOST_ENLARGED)


def test_a_crop_keeps_type_and_marks_and_repeats_to_the_byte() -> None:
    drawn = render_jpeg("harbour", "ai_artist")
    made = crop(drawn, 0.8)
    assert made.content_type == "image/jpeg"
    assert read_marks(made.data) == read_marks(drawn)
    assert crop(drawn, 0.8) == made


@pytest.mark.parametrize("mode", ["P", "1", "LA", "CMYK"])
def test_every_mode_of_a_picture_can_be_cropped(mode: str) -> None:
    image = scene(CENTRE, (300, 200)).convert(mode)
    kind = "JPEG" if mode == "CMYK" else "PNG"
    assert crop(file(image, kind), 1.0).width == 300
    assert crop(file(scene(CENTRE).convert("P"), "GIF"), 1.0).content_type == "image/png"


@pytest.mark.parametrize("ratio", [0.0, -1.0, math.nan, math.inf, 9.0])
def test_a_ratio_that_no_network_shows_is_refused(ratio: float) -> None:
    with pytest.raises(InvalidInput):
        crop(file(scene(CENTRE, (60, 60))), ratio)
    for name in ("", "1", "x:y", "1:0", "9:1", "nan:1"):
        with pytest.raises(InvalidInput):
            ratio_of(name)
    with pytest.raises(InvalidInput):
        crop(file(scene(CENTRE, (60, 60))), 1.0, focus=FocusPoint(1.2, 0.5))
    assert ratio_of("3:2") == 1.5
