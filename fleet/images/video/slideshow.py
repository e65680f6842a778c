"""A slideshow with captions from pictures: 9:16, H.264, for TikTok, reels and stories. Marked as made by AI.

Called by the post handler. PyAV encodes in a child process with limits of memory and time, so that a broken picture or
codec ends that process alone. Its wheel holds libx264 (GPL), so it is the extra `fleet[video]` and in no image of ours.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFilter, ImageFont

from fleet.core.errors import FleetError, InvalidInput, Unavailable
from fleet.images import safety
from fleet.images.export import crops
from fleet.images.marks import Marks, packet
from fleet.images.video import encoder

WIDTH, HEIGHT = 1080, 1920
LEAST_S, MOST_S = 3.0, 60.0
"""Reels and stories take 3 seconds to 60."""
MOST_SLIDES = 8
_LEAST_SLIDE_S, _MOST_SLIDE_S = 2.5, 7.0
_SECONDS_A_WORD = 0.35
_MOST_CAPTION_CHARS = 160
_MEMORY_BYTES, _FILE_BYTES = 2 * 1024**3, 64 * 1024**2
_MOST_SECONDS_TO_ENCODE = 90.0
_FONT_PX, _LINE_CHARS, _MOST_LINES = 62, 30, 6
_UUID_XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
"""The box in which MP4 files carry XMP (XMP specification, part 3)."""
_SENTENCE = re.compile(r"(?<=[.!?…])\s+|\n+")
EXTRA = "pip install 'fleet[video]'"


class VideoFailed(FleetError):
    """A video could not be encoded."""


class Slide(NamedTuple):
    """One slide: the number of its picture, its caption, and how many frames it is shown."""

    picture: int
    caption: str
    frames: int

    @property
    def seconds(self) -> float:
        """How long it is shown."""
        return self.frames / encoder.FPS


def is_available() -> bool:
    """Say whether this installation can make videos."""
    return importlib.util.find_spec("av") is not None


def plan(text: str, pictures: int) -> tuple[Slide, ...]:
    """Return the slides of a text over so many pictures: a sentence a slide, as long as reading it takes. Pure.

    At least 3 seconds in all, at most 60 and 8 slides; what is beyond is left to the caption of the post.
    """
    if pictures < 1:
        raise InvalidInput("A slideshow needs a picture.")
    said = [_shortened(one.strip()) for one in _SENTENCE.split(text) if one.strip()][:MOST_SLIDES]
    captions = [*said, *[""] * (min(pictures, MOST_SLIDES) - len(said))]
    lengths = [_seconds(caption) for caption in captions]
    if sum(lengths) < LEAST_S:
        lengths = [LEAST_S / len(lengths) + 0.1] * len(lengths)
    pace = min(1.0, MOST_S / sum(lengths))
    return tuple(
        Slide(place * pictures // len(captions) if pictures < len(captions) else place, caption,
              int(length * pace * encoder.FPS))
        for place, (caption, length) in enumerate(zip(captions, lengths, strict=True))
    )  # fmt: skip


def make(pictures: Sequence[bytes], text: str, marks: Marks, *, within_s: float = _MOST_SECONDS_TO_ENCODE) -> bytes:
    """Return an MP4 of pictures with the sentences of a text on them, marked by metadata and XMP.

    Raises InvalidInput without the extra, or for a file that is no picture; Unavailable (retryable) if it takes longer
    than `within_s`; VideoFailed.
    """
    if not is_available():
        raise InvalidInput("Videos need the extra `video`, which is not installed.", fix=f"Run `{EXTRA}`.")
    slides = plan(text, len(pictures))
    with tempfile.TemporaryDirectory(prefix="fleet-video-") as name:
        folder = Path(name)
        for place, slide in enumerate(slides):
            _draw(pictures[slide.picture], slide.caption).save(folder / f"{place}.jpg", "JPEG", quality=92)
        told = {
            "width": WIDTH, "height": HEIGHT, "title": "",
            "comment": f"{_label(marks)} Made with {marks.creator_tool}.",
            "memory_bytes": _MEMORY_BYTES, "file_bytes": _FILE_BYTES, "cpu_s": int(min(within_s, 600)) + 1,
            "slides": [{"file": f"{place}.jpg", "frames": one.frames} for place, one in enumerate(slides)],
        }  # fmt: skip
        (folder / "plan.json").write_text(json.dumps(told))
        _encode(folder, within_s)
        return (folder / "out.mp4").read_bytes() + _box(packet(marks))


def pages(pictures: Sequence[bytes], text: str) -> list[Image.Image]:
    """Return the slides as pictures, for a document. Raises InvalidInput for a file that is no picture."""
    return [_draw(pictures[one.picture], one.caption) for one in plan(text, len(pictures))]


def read_packet(video: bytes) -> bytes | None:
    """Return the XMP packet of an MP4; None without one."""
    start = video.rfind(b"uuid" + _UUID_XMP)
    return None if start < 4 else video[start + 20 : start - 4 + int.from_bytes(video[start - 4 : start])]


def _label(marks: Marks) -> str:
    return "AI-generated." if marks.is_ai_made else "Automatically made."


def _box(body: bytes) -> bytes:
    """Return the box that ends the file: nothing before it moves."""
    return (len(body) + 24).to_bytes(4) + b"uuid" + _UUID_XMP + body


def _encode(folder: Path, within_s: float) -> None:
    """Run the encoder: without the environment's secrets, in a session of its own."""
    environment = {"PATH": os.environ.get("PATH", ""), "LANG": "C.UTF-8"}
    command = [sys.executable, "-I", str(Path(encoder.__file__)), str(folder)]
    try:
        done = subprocess.run(
            command, env=environment, cwd=folder, capture_output=True, timeout=within_s, check=False,
            stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"The video is not encoded within {within_s:.0f} seconds.") from error
    if done.returncode != 0:
        why = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or [f"it ended with {done.returncode}"]
        raise VideoFailed(f"The video cannot be encoded: {why[0][:200]}.")


def _seconds(caption: str) -> float:
    return min(_MOST_SLIDE_S, max(_LEAST_SLIDE_S, len(caption.split()) * _SECONDS_A_WORD))


def _shortened(caption: str) -> str:
    if len(caption) <= _MOST_CAPTION_CHARS:
        return caption
    return caption[: _MOST_CAPTION_CHARS - 1].rpartition(" ")[0] + "…"


def _draw(picture: bytes, caption: str) -> Image.Image:
    """Return a slide: the crop around the picture's detail, or the whole picture before its own blur if it is wide."""
    _, found = safety.decode(picture)
    image = safety.upright(found).convert("RGB")
    slide = _filling(image)
    if image.width > image.height:
        scale = WIDTH / image.width
        whole = image.resize((WIDTH, max(1, round(image.height * scale))), Image.Resampling.LANCZOS)
        slide = slide.filter(ImageFilter.GaussianBlur(40))
        slide.paste(whole, (0, (HEIGHT - whole.height) // 2))
    return _captioned(slide, caption) if caption else slide


def _filling(image: Image.Image) -> Image.Image:
    box = crops.crop_box(image.size, WIDTH / HEIGHT, crops.focus_of(image))
    return image.crop(box).resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)


def _captioned(slide: Image.Image, caption: str) -> Image.Image:
    """Write a caption above the lower fifth, which networks cover with their own buttons."""
    font = ImageFont.load_default(_FONT_PX)
    lines = _wrapped(caption)
    pen = ImageDraw.Draw(slide, "RGBA")
    height = int(_FONT_PX * 1.35)
    top = int(HEIGHT * 0.78) - len(lines) * height
    pen.rectangle((0, top - height // 2, WIDTH, top + len(lines) * height + height // 3), fill=(0, 0, 0, 150))
    for place, line in enumerate(lines):
        pen.text((WIDTH // 2, top + place * height), line, font=font, fill="white", anchor="ma")
    return slide


def _wrapped(caption: str) -> list[str]:
    lines: list[str] = [""]
    for word in caption.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > _LINE_CHARS:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word[:_LINE_CHARS]}".strip()
    return lines[:_MOST_LINES]
