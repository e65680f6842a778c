"""Slideshows: what is planned is shown, in the form that networks take, marked, within limits; decoded to see it."""

from __future__ import annotations

import io
import subprocess
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageStat

from fleet.core.errors import InvalidInput, Unavailable
from fleet.images.marks import Marks, PictureSource
from fleet.images.video import encoder, slideshow
from fleet.images.video.slideshow import MOST_S, MOST_SLIDES, VideoFailed, make, plan, read_packet

needs_av = pytest.mark.skipif(not slideshow.is_available(), reason="the extra `video` is not installed")
MARKS = Marks(PictureSource.AI, "two colours")


def file(color: str, size: tuple[int, int] = (540, 960)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, color).save(out, "PNG")
    return out.getvalue()


@given(st.text(max_size=3000), st.integers(1, 12))
def test_a_plan_is_as_long_as_networks_take_and_shows_its_pictures_in_order(text: str, pictures: int) -> None:
    slides = plan(text, pictures)
    assert 1 <= len(slides) <= MOST_SLIDES
    assert 3.0 <= sum(one.seconds for one in slides) <= MOST_S
    shown = [one.picture for one in slides]
    assert shown == sorted(shown) and shown[0] == 0
    assert set(shown) == set(range(min(pictures, len(slides))))


@needs_av
def test_a_video_has_the_form_that_networks_take_and_shows_its_slides() -> None:
    import av

    data = make([file("#d02020"), file("#2040d0", (1600, 900))], "First sentence here. Then the second one.", MARKS)
    slides = plan("First sentence here. Then the second one.", 2)
    with av.open(io.BytesIO(data)) as found:
        video, audio = found.streams.video[0], found.streams.audio[0]
        assert (video.codec_context.name, video.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (video.width, video.height, video.average_rate) == (1080, 1920, encoder.FPS)
        assert (audio.codec_context.name, audio.codec_context.sample_rate) == ("aac", 48_000)
        assert "AI-generated" in found.metadata["comment"]
        frames = [frame.to_image() for frame in found.decode(video)]
    assert len(frames) == sum(one.frames for one in slides)
    first, second = frames[2], frames[slides[0].frames + 2]
    assert _mean(first, (100, 100, 900, 400))[0] > 180 > 100 > _mean(second, (100, 900, 900, 1000))[0]
    assert _mean(second, (100, 900, 900, 1000))[2] > 180
    band = first.crop((100, int(1920 * 0.70), 980, int(1920 * 0.78))).convert("L")
    assert band.getextrema()[1] > 220, "the caption is white"
    assert data.index(b"moov") < data.index(b"mdat"), "faststart"
    packet = read_packet(data)
    assert packet is not None and PictureSource.AI.encode() in packet


def _mean(image: Image.Image, box: tuple[int, int, int, int]) -> list[float]:
    return ImageStat.Stat(image.crop(box)).mean


@needs_av
def test_the_encoder_ends_at_its_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Unavailable):
        make([file("red")], "One.", MARKS, within_s=0.05)
    monkeypatch.setattr(slideshow, "_MEMORY_BYTES", 48 * 1024**2)
    with pytest.raises(VideoFailed):
        make([file("red")], "One.", MARKS)


@needs_av
def test_the_encoder_gets_none_of_the_environments_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[bytes]:
        seen.update(options, command=command)
        raise subprocess.TimeoutExpired(command, 1)

    monkeypatch.setenv("FLEET_SECRET_KEYS", "secret")
    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(Unavailable):
        make([file("red")], "One.", MARKS)
    assert set(seen["env"]) == {"PATH", "LANG"} and seen["timeout"] > 0


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slideshow, "is_available", lambda: False)
    with pytest.raises(InvalidInput, match="extra `video`") as error:
        make([file("red")], "One.", MARKS)
    assert "fleet[video]" in str(error.value.fix)
