"""Pictures take the form that a network wants, keep their marks, and stay as they are if they fit."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from fleet.core.errors import InvalidInput
from fleet.images.export.fitting import PictureForm, fit
from fleet.images.marks import read_marks
from fleet.images.placeholder import render_jpeg


def file(width: int, height: int, kind: str = "PNG", mode: str = "RGBA") -> bytes:
    out = io.BytesIO()
    Image.effect_noise((width, height), 80).convert(mode).save(out, kind)
    return out.getvalue()


def size_of(data: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(data)) as image:
        return image.size


def test_a_picture_that_fits_is_not_touched() -> None:
    data = render_jpeg("harbour", "ai_artist")
    assert fit(data, PictureForm(("image/jpeg",), 1_000_000, 0.8, 1.91, 320)) == (data, "image/jpeg")


@pytest.mark.parametrize(
    ("size", "shape", "becomes"),
    [
        ((400, 1000), PictureForm(("image/jpeg",), 10**7, min_ratio=0.8), (400, 500)),
        ((1000, 200), PictureForm(("image/jpeg",), 10**7, max_ratio=2.0), (400, 200)),
        ((200, 100), PictureForm(("image/jpeg",), 10**7, min_width=320), (320, 160)),
    ],
)
def test_ratio_and_width_come_right(size: tuple[int, int], shape: PictureForm, becomes: tuple[int, int]) -> None:
    data, kind = fit(file(*size), shape)
    assert kind == "image/jpeg"
    assert size_of(data) == becomes


def test_a_file_becomes_small_enough_and_keeps_its_marks() -> None:
    drawn = render_jpeg("harbour", "ai_artist")
    data, _ = fit(drawn, PictureForm(("image/jpeg",), 8_000))
    assert len(data) <= 8_000
    assert read_marks(data) == read_marks(drawn)
    noise, _ = fit(file(900, 900), PictureForm(("image/jpeg",), 60_000))
    assert len(noise) <= 60_000


def test_what_no_network_could_take_is_refused() -> None:
    with pytest.raises(InvalidInput, match="too narrow"):
        fit(file(20, 400), PictureForm(("image/jpeg",), 10**7, min_width=320))
    with pytest.raises(InvalidInput):
        fit(b"no picture", PictureForm(("image/jpeg",), 10**7))
