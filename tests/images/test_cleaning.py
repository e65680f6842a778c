"""Pictures from outside are written anew: what was hung onto them is gone, their mark stays, and nothing breaks us."""

from __future__ import annotations

import hashlib
import io
import struct
import threading
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageStat
from PIL.PngImagePlugin import PngInfo

from fleet.core.errors import FleetError
from fleet.images import Marks, PictureSource, checks, cleaning, encode, read_marks, safety
from fleet.images.cleaning import FetchedPicture, clean
from fleet.images.editing import Format
from fleet.images.errors import Unusable
from fleet.images.stamping import stamp
from tests.factories import WITHIN_S
from tests.images.test_images import marked_gif

SECRET = b"sesame-sesame-sesame"


def shape(size: tuple[int, int] = (80, 60), mode: str = "RGB") -> Image.Image:
    """Return a picture that shows something, in any of Pillow's modes."""
    image = Image.radial_gradient("L").resize(size)
    return image if mode == "L" else image.convert("RGB") if mode == "RGB" else image.convert("RGB").convert(mode)


def file(image: Image.Image, format: str = "PNG", **how: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **how)
    return out.getvalue()


def cleaned(data: bytes, side_px: int = 2048) -> FetchedPicture:
    return clean(data, max_bytes=8_000_000, max_pixels=40_000_000, max_side_px=side_px)


def opened(picture: FetchedPicture) -> Image.Image:
    image = Image.open(io.BytesIO(picture.data))
    image.load()
    return image


@pytest.mark.parametrize(
    ("format", "mode", "content_type"),
    [
        ("PNG", "RGB", "image/png"), ("PNG", "RGBA", "image/png"), ("PNG", "P", "image/png"), ("PNG", "1", "image/png"),
        ("PNG", "I;16", "image/png"), ("PNG", "L", "image/png"), ("JPEG", "RGB", "image/jpeg"),
        ("JPEG", "L", "image/jpeg"),
        ("JPEG", "CMYK", "image/jpeg"), ("WEBP", "RGB", "image/webp"), ("WEBP", "RGBA", "image/webp"),
        ("GIF", "P", "image/png"),
    ],
)  # fmt: skip
def test_each_kind_is_kept_as_itself_and_a_gif_as_png(format: str, mode: str, content_type: str) -> None:
    many_greys = shape(mode="L").convert("I").point(lambda grey: grey * 256).convert("I;16")
    image = many_greys if mode == "I;16" else shape(mode=mode)
    picture = cleaned(file(image, format))
    assert (picture.content_type, picture.width, picture.height) == (content_type, 80, 60)
    assert safety.check(picture.data).content_type == content_type
    assert picture.sha256 == hashlib.sha256(picture.data).hexdigest()
    assert 100 < ImageStat.Stat(opened(picture).convert("L")).mean[0] < 180


def exif() -> Image.Exif:
    """Return camera data with a secret, which also says that the picture lies on its side."""
    data = Image.Exif()
    data[0x0112], data[0x010E] = 6, SECRET.decode()
    data.get_ifd(0x8825)[1] = "N"
    return data


def texts() -> PngInfo:
    info = PngInfo()
    info.add_text("Comment", SECRET.decode())
    info.add_itxt("XML:com.adobe.xmp", f"<x>{SECRET.decode()}</x>")
    return info


PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes() + SECRET
CARRIERS = {
    "jpeg-exif": file(shape(), "JPEG", exif=exif()),
    "jpeg-comment": file(shape(), "JPEG", comment=SECRET),
    "jpeg-profile": file(shape(), "JPEG", icc_profile=PROFILE),
    "jpeg-xmp": file(shape(), "JPEG", xmp=b"<x>" + SECRET + b"</x>"),
    "jpeg-tail": file(shape(), "JPEG") + b"<script>" + SECRET,
    "png-text": file(shape(), pnginfo=texts()),
    "png-exif": file(shape(), exif=exif()),
    "png-profile": file(shape(), icc_profile=PROFILE),
    "png-tail": file(shape()) + b"PK\x03\x04" + SECRET,
    "webp-exif": file(shape(), "WEBP", exif=exif()),
    "webp-xmp": file(shape(), "WEBP", xmp=SECRET),
    "gif-comment": file(shape(mode="P"), "GIF", comment=SECRET),
    "gif-tail": file(shape(mode="P"), "GIF") + b"<script>" + SECRET,
}


@pytest.mark.parametrize("name", CARRIERS)
def test_what_a_file_carries_beside_its_pixels_is_gone(name: str) -> None:
    picture = cleaned(CARRIERS[name])
    found = opened(picture)
    assert SECRET not in picture.data and b"script" not in picture.data
    assert not set(found.info) & {"exif", "icc_profile", "xmp", "comment", "Comment", "XML:com.adobe.xmp"}
    assert not found.getexif()


def test_a_picture_that_lies_on_its_side_is_turned_upright() -> None:
    picture = cleaned(CARRIERS["jpeg-exif"])
    assert (picture.width, picture.height) == (60, 80)


def test_a_large_picture_becomes_smaller_and_keeps_its_proportions() -> None:
    picture = cleaned(file(shape((3000, 1000)), "JPEG"))
    assert (picture.width, picture.height) == (2048, 683) == opened(picture).size
    assert cleaned(file(shape((100, 50))), side_px=2048).width == 100


def test_only_the_first_frame_of_what_moves_is_kept() -> None:
    frames = [shape(mode="P"), Image.new("P", (80, 60)), shape(mode="P")]
    for format in ("GIF", "WEBP", "PNG"):
        data = file(
            frames[0].convert("RGB"), format, save_all=True, append_images=[f.convert("RGB") for f in frames[1:]]
        )
        assert getattr(Image.open(io.BytesIO(data)), "n_frames", 1) > 1
        assert getattr(opened(cleaned(data)), "n_frames", 1) == 1


def test_the_mark_of_a_machine_stays_and_other_words_go() -> None:
    marked = cleaned(encode(shape(), Marks(PictureSource.AI, "sesame prompt"), Format.JPEG))
    kept = read_marks(marked.data)
    assert kept is not None and kept.is_ai_made and kept.description == ""
    assert marked.source == PictureSource.AI
    gif = cleaned(marked_gif(Marks(PictureSource.AI, "sesame prompt")))
    assert (gif.content_type, gif.source) == ("image/png", PictureSource.AI)
    camera = Marks("http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture", "sesame")
    assert read_marks(cleaned(encode(shape(), camera, Format.PNG)).data) is None


@pytest.mark.parametrize(("mode", "content_type"), [("RGB", "image/jpeg"), ("RGBA", "image/webp")])
def test_a_picture_that_packs_badly_is_kept_in_a_form_small_enough_to_be_sent(
    monkeypatch: pytest.MonkeyPatch, mode: str, content_type: str
) -> None:
    monkeypatch.setattr(cleaning, "MAX_BYTES", 12_000)
    noise = Image.effect_noise((200, 200), 90).convert("RGB")
    if mode == "RGBA":
        noise.putalpha(Image.effect_noise((200, 200), 90))
    picture = cleaned(file(noise))
    assert picture.content_type == content_type and len(picture.data) <= 12_000
    assert opened(picture).size == (picture.width, picture.height)
    assert picture.width in (100, 50)


def chunk(kind: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


_PARTS: dict[str, tuple[str, Callable[[bytes], int], bytes]] = {
    # In the place that is named, a part of a file that means nothing, or that is put together with all those before it.
    "Exif of a byte": ("JPEG", lambda _: 2, b"\xff\xe1\x00\x09Exif\x00\x00a"),
    "comments": ("JPEG", lambda _: 2, b"\xff\xfe\x00\x02"),
    "fill bytes": ("JPEG", lambda _: 2, b"\xff" * 10),
    "texts": ("PNG", lambda _: 33, chunk(b"tEXt", b"a\x00b")),
    "empty data": ("PNG", lambda data: data.index(b"IDAT") - 4, chunk(b"IDAT")),
    "extensions": ("GIF", lambda data: data.index(b"\x2c"), b"!\xfe\x01a\x00"),
}


@pytest.mark.long
@pytest.mark.parametrize("name", _PARTS)
def test_a_file_of_nothing_but_tiny_parts_is_not_read_to_its_end(name: str) -> None:
    """Symptom: a JPEG of 700,000 bits of Exif data held all threads of a worker up for half a minute."""
    format, place, part = _PARTS[name]
    whole = file(shape(), format)
    at = place(whole)
    data = whole[:at] + part * 60_000 + whole[at:]
    for look in (cleaned, stamp_it):
        with pytest.raises(FleetError, match="broken or cut off"):
            look(data)
    assert "broken" in str(checks.why_unfit(data))
    assert read_marks(data) is None


def stamp_it(data: bytes) -> bytes:
    return stamp(data, Marks(PictureSource.AI, "x"))


def test_of_large_pictures_one_is_open_at_a_time_and_small_ones_need_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Symptom: as many as a worker has threads took half a gigabyte each, out of files of 40 kB."""
    monkeypatch.setattr(safety, "_LARGE_PIXELS", 80 * 60)
    large, small = file(shape((81, 60))), file(shape((80, 60)))
    is_open, may_close = threading.Event(), threading.Event()
    decode = safety.decode

    def slow(data: bytes, **limits: int) -> tuple[str, Image.Image]:
        if data == large:
            is_open.set()
            assert may_close.wait(WITHIN_S)
        return decode(data, **limits)

    monkeypatch.setattr(safety, "decode", slow)
    thread = threading.Thread(target=cleaned, args=(large,))
    thread.start()
    assert is_open.wait(WITHIN_S)
    assert cleaned(small).width == 80
    assert not safety._turn.acquire(blocking=False), "the next large one waits"
    may_close.set()
    thread.join(WITHIN_S)
    assert safety._turn.acquire(blocking=False)
    safety._turn.release()


@pytest.mark.parametrize("look", [cleaned, checks.why_unfit, read_marks, stamp_it, safety.check])
def test_large_pictures_are_processed_one_at_a_time(
    look: Callable[[bytes], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    turns: list[str] = []

    class Turn:
        def __enter__(self) -> None:
            turns.append("taken")

        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr(safety, "_LARGE_PIXELS", 80 * 60)
    monkeypatch.setattr(safety, "_turn", Turn())
    look(file(shape((81, 80))))
    assert turns


def test_a_jpeg_of_a_thousand_layers_is_not_opened() -> None:
    progressive = file(shape((640, 640)), "JPEG", progressive=True)
    assert cleaned(progressive).width == 640
    scan = progressive[progressive.index(b"\xff\xda") : progressive.rindex(b"\xff\xda")]
    with pytest.raises(Unusable, match="layers"):
        cleaned(progressive.replace(scan, scan * 100))


FILES = [
    *CARRIERS.values(), file(shape(), "WEBP"), file(shape(mode="RGBA")), file(shape(), "JPEG", progressive=True),
]  # fmt: skip


@given(st.sampled_from(FILES), st.data())
def test_a_file_with_bytes_changed_is_cleaned_or_refused_and_breaks_nothing(data: bytes, draw: st.DataObject) -> None:
    broken = bytearray(data)
    for at in draw.draw(st.lists(st.integers(0, len(data) - 1), max_size=12)):
        broken[at] = draw.draw(st.integers(0, 255))
    end = draw.draw(st.integers(0, len(data)))
    try:
        picture = cleaned(bytes(broken[:end]) if draw.draw(st.booleans()) else bytes(broken))
    except FleetError as error:
        assert isinstance(error, Unusable)
        return
    assert safety.check(picture.data).width == picture.width
