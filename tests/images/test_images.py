"""Pictures: a prompt always draws the same, styles differ, marks survive files, what comes from outside is checked."""

from __future__ import annotations

import base64
import io
import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageStat
from PIL.PngImagePlugin import PngInfo

from fleet import images
from fleet.core.errors import InvalidInput
from fleet.images import Format, Marks, PictureSource, checks, placeholder, safety, stamping
from fleet.images.marks import packet
from fleet.sandbox.gallery.art import render

FORMATS = tuple(Format)


def picture(width: int = 40, height: int = 20) -> Image.Image:
    return render("a quiet mountain", "somebody_new", max(16, width), max(16, height)).resize((width, height))


def pixels(image: Image.Image) -> bytes:
    return image.convert("RGB").tobytes()


def png_header_only(width: int, height: int) -> bytes:
    """A PNG that claims a size and has nothing to show for it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


def marked_gif(marks: Marks) -> bytes:
    """A GIF with a mark, in the block and with the trailer that the XMP specification gives it."""
    out = io.BytesIO()
    picture().save(out, "GIF")
    head, end = out.getvalue()[:-1], out.getvalue()[-1:]
    trailer = b"\x01" + bytes(range(255, -1, -1)) + b"\x00"
    return head + b"\x21\xff\x0bXMP DataXMP" + packet(marks) + trailer + end


# Editing


def test_cover_fills_the_size_and_contain_stays_inside_it() -> None:
    wide = picture(400, 200)
    assert images.resize(wide, 100, 100, fit="cover").size == (100, 100)
    assert images.resize(wide, 100, 100, fit="contain").size == (100, 50)
    assert images.resize(wide, 100, 100, fit="fill").size == (100, 100)


def test_cover_keeps_the_middle() -> None:
    image = Image.new("RGB", (300, 100), (255, 0, 0))
    image.paste((0, 0, 255), (100, 0, 200, 100))
    assert images.resize(image, 50, 50, fit="cover", kernel="nearest").getcolors() == [(2500, (0, 0, 255))]


def test_nearest_makes_no_new_colours() -> None:
    image = Image.new("RGB", (2, 1), (0, 0, 0))
    image.putpixel((1, 0), (255, 255, 255))
    assert len(images.resize(image, 64, 32, kernel="nearest").getcolors() or []) == 2
    assert len(images.resize(image, 64, 32, kernel="lanczos").getcolors() or []) > 2


@pytest.mark.parametrize("change", [{"fit": "squeeze"}, {"kernel": "magic"}, {"width": 0}, {"height": 99_999}])
def test_resize_refuses_what_it_cannot_do(change: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        images.resize(picture(), **{"width": 10, "height": 10, **change})  # type: ignore[arg-type]


def test_adjust_changes_light_and_leaves_ones_alone() -> None:
    image = picture(64, 64)
    assert images.adjust(image) is image
    brighter = images.adjust(image, brightness=1.5)
    assert sum(ImageStat.Stat(brighter).mean) > sum(ImageStat.Stat(image).mean)
    assert ImageStat.Stat(images.adjust(image, saturation=0.0).convert("HSV")).mean[1] < 1


@pytest.mark.parametrize("factor", [-0.1, 4.1, float("nan"), float("inf")])
def test_adjust_refuses_absurd_factors(factor: float) -> None:
    with pytest.raises(InvalidInput, match="contrast"):
        images.adjust(picture(), contrast=factor)


# Marks


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("source", list(PictureSource))
def test_marks_survive_every_format(file_format: Format, source: PictureSource) -> None:
    data = images.encode(picture(), Marks(source, "Ein Bild, 一枚の絵, <b> & \"'"), file_format)
    assert images.sniff(data) == file_format.content_type
    assert images.read_marks(data) == Marks(source, "Ein Bild, 一枚の絵, <b> & \"'", "Fleet")
    with Image.open(io.BytesIO(data)) as decoded:
        decoded.load()
        assert decoded.size == (40, 20)


@given(description=st.text(max_size=300), file_format=st.sampled_from(FORMATS))
@settings(max_examples=40)
def test_no_description_breaks_the_mark(description: str, file_format: Format) -> None:
    found = images.read_marks(images.encode(picture(), Marks(PictureSource.AI, description), file_format))
    assert found is not None
    assert found.is_ai_made
    assert found.source == PictureSource.AI


def test_only_what_a_model_made_counts_as_ai_made() -> None:
    assert Marks(PictureSource.AI).is_ai_made
    assert not Marks(PictureSource.FORMULA).is_ai_made


def test_a_plain_file_has_no_marks() -> None:
    out = io.BytesIO()
    picture().save(out, "PNG")
    assert images.read_marks(out.getvalue()) is None
    assert images.read_marks(b"not a picture") is None


def test_marks_written_by_others_as_elements_are_read() -> None:
    theirs = packet(Marks(PictureSource.AI)).decode()
    as_attribute = f' Iptc4xmpExt:DigitalSourceType="{PictureSource.AI}"'
    assert as_attribute in theirs
    element = f'<Iptc4xmpExt:DigitalSourceType rdf:resource="{PictureSource.AI}"/>'
    theirs = theirs.replace(as_attribute, "").replace("<dc:description>", f"{element}<dc:description>")
    out, info = io.BytesIO(), PngInfo()
    info.add_itxt("XML:com.adobe.xmp", theirs)
    picture().save(out, "PNG", pnginfo=info)
    found = images.read_marks(out.getvalue())
    assert found is not None
    assert found.source == PictureSource.AI


def test_the_mark_of_a_gif_is_read() -> None:
    file = marked_gif(Marks(PictureSource.AI, "ein Hafen, 港"))
    assert images.read_marks(file) == Marks(PictureSource.AI, "ein Hafen, 港")
    assert images.read_marks(file[:-400]) is None
    assert images.read_marks(plain_file("GIF")) is None


def test_a_mark_with_a_document_type_is_not_parsed() -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa">]>' + packet(Marks(PictureSource.AI)).decode()
    out = io.BytesIO()
    picture().save(out, "JPEG", xmp=bomb.encode())
    assert images.read_marks(out.getvalue()) is None


# Safety


@pytest.mark.parametrize("file_format", FORMATS)
def test_check_tells_what_a_picture_is(file_format: Format) -> None:
    checked = images.check(images.encode(picture(48, 32), Marks(PictureSource.AI), file_format))
    assert (checked.content_type, checked.width, checked.height) == (file_format.content_type, 48, 32)


@pytest.mark.parametrize(
    "data",
    [b"", b"GIF", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"<html>", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xffxx"],
    ids=["empty", "short", "svg", "html", "png head", "jpeg head"],
)  # fmt: skip
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput):
        images.check(data)


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_picture_that_was_cut_off_is_refused(file_format: Format) -> None:
    data = images.encode(picture(200, 200), Marks(PictureSource.AI), file_format)
    with pytest.raises(InvalidInput, match="broken or cut off"):
        images.check(data[: len(data) * 2 // 3])


def test_a_small_file_that_unfolds_to_gigabytes_is_refused_by_its_header() -> None:
    with pytest.raises(InvalidInput, match="pixels"):
        images.check(png_header_only(60_000, 60_000))
    with pytest.raises(InvalidInput, match="10 x 2000"):
        images.check(png_header_only(10, 2000), max_pixels=10_000)


def test_too_many_bytes_are_refused() -> None:
    with pytest.raises(InvalidInput, match="at most 10 are accepted"):
        images.check(images.encode(picture(), Marks(PictureSource.AI)), max_bytes=10)


# Stamping


def plain_file(file_format: str, **options: object) -> bytes:
    out = io.BytesIO()
    picture(90, 70).save(out, file_format, **options)
    return out.getvalue()


def pixels_of(data: bytes) -> bytes:
    with Image.open(io.BytesIO(data)) as image:
        return pixels(image)


@pytest.mark.parametrize(
    "data",
    [
        plain_file("PNG"), plain_file("JPEG"), plain_file("WEBP", lossless=True), plain_file("GIF"),
        plain_file("JPEG", progressive=True, exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"),
        plain_file("JPEG", xmp=b"<x:xmpmeta xmlns:x='adobe:ns:meta/'></x:xmpmeta>"),
        images.encode(picture(90, 70), Marks("http://example.org/camera")),
        images.encode(picture(90, 70), Marks("http://example.org/camera"), Format.JPEG),
    ],
)  # fmt: skip
def test_a_stamped_picture_has_the_mark_and_the_same_pixels(data: bytes) -> None:
    stamped = stamping.stamp(data, Marks(PictureSource.AI, "ein Hafen, 港"))
    assert images.read_marks(stamped) == Marks(PictureSource.AI, "ein Hafen, 港")
    assert pixels_of(stamped) == pixels_of(data)
    assert images.check(stamped)


def test_stamping_keeps_what_else_a_file_tells() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for file_format in ("PNG", "JPEG"):
        stamped = stamping.stamp(plain_file(file_format, icc_profile=profile, dpi=(300, 300)), Marks(PictureSource.AI))
        with Image.open(io.BytesIO(stamped)) as image:
            assert image.info["icc_profile"] == profile
            assert round(image.info["dpi"][0]) == 300


def test_a_file_too_large_to_send_becomes_a_smaller_one() -> None:
    noise = Image.effect_noise((2400, 2400), 90)
    data = images.encode(noise, Marks(""))
    stamped = stamping.stamp(data, Marks(PictureSource.AI))
    assert len(data) > stamping.MAX_BYTES > len(stamped)
    assert images.check(stamped) == images.Checked("image/jpeg", 2048, 2048)
    assert images.read_marks(stamped) == Marks(PictureSource.AI)


def test_a_stamped_picture_is_upright_without_exif(monkeypatch: pytest.MonkeyPatch) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    monkeypatch.setattr(stamping, "MAX_BYTES", 2_000)  # the JPEG becomes a smaller one
    for file_format in ("WEBP", "JPEG"):
        with Image.open(
            io.BytesIO(stamping.stamp(plain_file(file_format, exif=turned), Marks(PictureSource.AI)))
        ) as image:
            assert image.height > image.width and not image.getexif()


def test_what_was_transparent_is_white_where_a_smaller_file_knows_no_transparency(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stamping, "MAX_BYTES", 100)
    unseen = Image.new("RGBA", (80, 80), (200, 0, 0, 0))
    stamped = stamping.stamp(images.encode(unseen, None), Marks(PictureSource.AI))
    with Image.open(io.BytesIO(stamped)) as image:
        assert image.convert("RGB").getextrema() == ((255, 255),) * 3


def test_a_picture_of_many_greys_is_neither_blank_nor_white() -> None:
    greys = Image.linear_gradient("L").resize((128, 128)).convert("I").point(lambda grey: grey * 256).convert("I;16")
    out = io.BytesIO()
    greys.save(out, "PNG")
    assert checks.why_unfit(out.getvalue()) is None
    _, image = safety.decode(out.getvalue())
    assert image.mode == "L" and abs(ImageStat.Stat(image).mean[0] - 127) < 2


def test_what_is_no_picture_is_not_stamped() -> None:
    with pytest.raises(InvalidInput):
        stamping.stamp(b"\x89PNG\r\n\x1a\n", Marks(PictureSource.AI))


# The placeholder


@pytest.mark.parametrize("style", ["ai_artist", "data_viz", "somebody_new"])
def test_the_placeholder_is_a_small_jpeg_marked_as_drawn_by_formula(style: str) -> None:
    data = placeholder.render_jpeg("flow of silk, sunset picnic, dashboard", style)
    checked, marks = images.check(data), images.read_marks(data)
    assert (checked.content_type, checked.width, checked.height) == ("image/jpeg", 768, 768)
    assert len(data) < 120_000
    assert marks is not None
    assert marks.source == PictureSource.FORMULA
    assert checks.why_unfit(data, "image/jpeg") is None


def test_every_attempt_at_a_post_draws_the_same_placeholder_and_no_other_post_does() -> None:
    drawn = {(prompt, style): placeholder.render_jpeg(prompt, style) for prompt in ("a", "\ud800") for style in "xy"}
    assert placeholder.render_jpeg("a", "x") == drawn["a", "x"]
    assert len(set(drawn.values())) == len(drawn)


def test_a_data_url_holds_the_picture_unchanged() -> None:
    data = images.encode(picture(), Marks(PictureSource.AI), Format.WEBP)
    head, _, body = placeholder.data_url(data).partition(",")
    assert head == "data:image/webp;base64"
    assert base64.b64decode(body, validate=True) == data
    with pytest.raises(InvalidInput):
        placeholder.data_url(b"<svg/>")
