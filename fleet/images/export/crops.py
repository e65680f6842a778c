"""Crop one picture to the ratio of each network, around the part of it that has the most detail.

Called by `fitting` and by features that adapt one message to several networks. Pure: the same file gives the same
crop. A picture is enlarged by `MOST_ENLARGED` at most; below that it stays smaller than the network's usual size.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from PIL import Image, ImageFilter

from fleet.core.errors import InvalidInput
from fleet.images import safety
from fleet.images.editing import MAX_SIDE, Format, encode
from fleet.images.marks import read_marks

MOST_ENLARGED = 1.5
"""Pixels per pixel of the original, in each direction. Beyond it pictures look blurred."""
RATIOS: Mapping[str, float] = MappingProxyType({"1:1": 1.0, "4:5": 0.8, "16:9": 16 / 9, "1.91:1": 1.91, "9:16": 9 / 16})
"""The ratios that networks show, as they write them: width to height."""
_WIDTHS = {"1:1": 1080, "4:5": 1080, "16:9": 1600, "1.91:1": 1200, "9:16": 1080}
_USUAL_SIDE_PX = 1080
"""The shorter side of a crop of any other ratio."""
_NARROWEST, _WIDEST = 0.2, 5.0
_SAMPLE_PX = 128
_NOISE = 12.0
"""Contrast (0 to 255) between neighbours that counts as noise or grain, not as detail."""
_ALMOST = 1e-6
_FORMATS = {one.content_type: one for one in Format}


class FocusPoint(NamedTuple):
    """The point of a picture that a crop must show, in parts of its width and height: (0, 0) is the top left."""

    x: float = 0.5
    y: float = 0.5


CENTRE = FocusPoint()


class CroppedPicture(NamedTuple):
    """A crop's file and size in pixels. `scale` is its size compared with the same part of the original."""

    data: bytes
    content_type: str
    width: int
    height: int
    scale: float
    focus: FocusPoint


def ratio_of(name: str) -> float:
    """Return width divided by height of a ratio such as `4:5`. Raises InvalidInput."""
    if name in RATIOS:
        return RATIOS[name]
    wide, _, high = name.partition(":")
    try:
        ratio = float(wide) / float(high)
    except (ValueError, ZeroDivisionError):
        ratio = math.nan
    if not _NARROWEST <= ratio <= _WIDEST:
        raise InvalidInput(f"{name[:20]!r} is no ratio of a picture.", fix=f"Write one such as {', '.join(RATIOS)}.")
    return ratio


@safety.in_turn
def crop(data: bytes, ratio: float, *, focus: FocusPoint | None = None, width_px: int | None = None) -> CroppedPicture:
    """Return the largest part of a picture with a ratio (width divided by height) around a focus point.

    Without `focus` it is the centre of detail. `width_px` is the wanted width; without it, that of the network's usual
    size. The file keeps its type (a GIF becomes a PNG) and its marks. Raises InvalidInput for a file that is no picture
    and for a ratio that no network shows.
    """
    if not _NARROWEST <= ratio <= _WIDEST:  # also refuses NaN
        raise InvalidInput(f"{ratio:g} is no ratio of a picture.", fix=f"Use {_NARROWEST:g} to {_WIDEST:g}.")
    found, image = safety.decode(data)
    turned = safety.upright(image)
    at = focus_of(turned) if focus is None else _inside(focus)
    box = crop_box(turned.size, ratio, at)
    width, height = _size(box[2] - box[0], ratio, width_px)
    part = turned.crop(box)
    if part.mode not in ("RGB", "RGBA", "L"):  # a palette's numbers cannot be averaged
        part = part.convert("RGBA" if part.has_transparency_data else "RGB")
    if part.size != (width, height):
        part = part.resize((width, height), Image.Resampling.LANCZOS)
    format = _FORMATS.get(found, Format.PNG)
    written = encode(part, read_marks(data), format)
    return CroppedPicture(written, format.content_type, width, height, width / (box[2] - box[0]), at)


def crop_box(size: tuple[int, int], ratio: float, focus: FocusPoint = CENTRE) -> tuple[int, int, int, int]:
    """Return (left, top, right, bottom) of the largest part with a ratio, as near around the focus as it fits."""
    width, height = size
    # Rounded down: a network that takes at most 1.91:1 refuses what is a pixel wider.
    part_w = min(width, max(1, int(height * ratio + _ALMOST)))
    part_h = min(height, max(1, int(width / ratio + _ALMOST)))
    left = min(max(0, round(focus.x * width - part_w / 2)), width - part_w)
    top = min(max(0, round(focus.y * height - part_h / 2)), height - part_h)
    return left, top, left + part_w, top + part_h


def focus_of(image: Image.Image) -> FocusPoint:
    """Return the centre of a picture's detail: the mean place of its edges, by their strength; blank: its centre."""
    grey = _grey(image)
    if min(grey.size) < 3:
        return CENTRE
    inner = (1, 1, grey.width - 1, grey.height - 1)  # the filter does not compute the outermost pixels
    edges = grey.filter(ImageFilter.FIND_EDGES).crop(inner).point(lambda edge: max(0.0, edge - _NOISE))
    strong = edges.convert("F")
    return FocusPoint(
        _mean_place(strong.resize((strong.width, 1), Image.Resampling.BOX), strong.width),
        _mean_place(strong.resize((1, strong.height), Image.Resampling.BOX), strong.height),
    )


def _grey(image: Image.Image) -> Image.Image:
    """Return a small copy in greys, with transparent pixels white."""
    small = image.convert("RGBA" if image.has_transparency_data else "RGB")
    small.thumbnail((_SAMPLE_PX, _SAMPLE_PX), Image.Resampling.BOX, reducing_gap=None)
    if small.mode == "RGBA":
        small = Image.alpha_composite(Image.new("RGBA", small.size, "white"), small)
    return small.convert("L")


def _mean_place(line: Image.Image, length: int) -> float:
    """Return the mean place of a line's weights, from 0 to 1."""
    weights = [float(weight) for weight in line.get_flattened_data()]  # type: ignore[arg-type]
    whole = sum(weights)
    if whole <= 0:
        return 0.5
    return round(sum((place + 0.5) * weight for place, weight in enumerate(weights)) / whole / length, 4)


def _inside(focus: FocusPoint) -> FocusPoint:
    if not (0 <= focus.x <= 1 and 0 <= focus.y <= 1):  # also refuses NaN
        raise InvalidInput("The focus lies outside of the picture.", fix="Both numbers lie between 0 and 1.")
    return FocusPoint(*focus)


def _size(part_w: int, ratio: float, width_px: int | None) -> tuple[int, int]:
    """Return the size of the crop: the wanted one, unless that enlarges the part too much."""
    wanted = width_px or next(
        (_WIDTHS[name] for name, known in RATIOS.items() if math.isclose(known, ratio, rel_tol=0.005)),
        round(_USUAL_SIDE_PX * max(1.0, ratio)),
    )
    scale = min(wanted / part_w, MOST_ENLARGED, MAX_SIDE / part_w, MAX_SIDE * ratio / part_w)
    width = max(1, round(part_w * scale))
    return width, max(1, round(width / ratio))
