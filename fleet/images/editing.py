"""Changes to a picture, and its way into a file: the transform and save steps of a workflow.

Called by the gallery's workflows and by `placeholder`. Pure; sizes are checked, so no request can ask for gigabytes.
"""

from __future__ import annotations

import io
from enum import StrEnum
from typing import Any

from PIL import Image, ImageEnhance

from fleet.core.errors import InvalidInput
from fleet.images.marks import Marks, save_options

MAX_SIDE = 4096
_KERNELS = {
    "lanczos": Image.Resampling.LANCZOS,
    "cubic": Image.Resampling.BICUBIC,
    "linear": Image.Resampling.BILINEAR,
    "nearest": Image.Resampling.NEAREST,
}
_MOST_FACTOR = 4.0


class Format(StrEnum):
    """The formats that pictures are written in; the value is Pillow's name."""

    PNG = "PNG"
    JPEG = "JPEG"
    WEBP = "WEBP"

    @property
    def content_type(self) -> str:
        return f"image/{self.value.lower()}"


_OPTIONS: dict[Format, dict[str, Any]] = {
    Format.PNG: {"compress_level": 6},
    Format.JPEG: {"quality": 88, "optimize": True, "subsampling": "4:2:0"},
    Format.WEBP: {"quality": 84, "method": 2},
}


def adjust(image: Image.Image, *, brightness: float = 1.0, contrast: float = 1.0,
           saturation: float = 1.0) -> Image.Image:  # fmt: skip
    """Return the picture with its light changed; 1.0 leaves as it is. Raises InvalidInput outside 0 to 4."""
    changed = image
    factors = (
        ("brightness", ImageEnhance.Brightness, brightness),
        ("contrast", ImageEnhance.Contrast, contrast),
        ("saturation", ImageEnhance.Color, saturation),
    )
    for name, enhance, factor in factors:
        if not 0.0 <= factor <= _MOST_FACTOR:  # also refuses NaN
            raise InvalidInput(f"{name} is {factor}; it must lie between 0 and {_MOST_FACTOR:g}.")
        if factor != 1.0:
            changed = enhance(changed).enhance(factor)
    return changed


def resize(image: Image.Image, width: int, height: int, *, fit: str = "cover",
           kernel: str = "lanczos") -> Image.Image:  # fmt: skip
    """Return the picture in a new size.

    `cover` fills width x height and crops the rest, `contain` fits inside and may come out smaller, `fill` stretches.
    Kernels: lanczos, cubic, linear, nearest. Raises InvalidInput for anything else.
    """
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
        raise InvalidInput(f"{width} x {height} is no size for a picture; each side must be 1 to {MAX_SIDE}.")
    if kernel not in _KERNELS:
        raise InvalidInput(f"Unknown kernel {kernel!r}.", fix=f"Use one of {', '.join(_KERNELS)}.")
    resample = _KERNELS[kernel]
    if fit == "fill":
        return image.resize((width, height), resample)
    if fit == "cover":
        return image.resize((width, height), resample, box=_covering_box(image.size, width, height))
    if fit == "contain":
        scale = min(width / image.width, height / image.height)
        return image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))), resample)
    raise InvalidInput(f"Unknown fit {fit!r}.", fix="Use cover, contain or fill.")


def encode(
    image: Image.Image, marks: Marks | None, format: Format = Format.PNG, *, quality: int | None = None
) -> bytes:
    """Return the picture as a file that carries `marks`, if any. `quality` (1 to 100) is for JPEG and WebP."""
    options = dict(_OPTIONS[format])
    if quality is not None and format is not Format.PNG:
        options["quality"] = quality
    flat = image if image.mode in ("RGB", "L") or (format is not Format.JPEG and image.mode == "RGBA") else None
    out = io.BytesIO()
    options |= save_options(format.value, marks) if marks else {}
    (flat or image.convert("RGB")).save(out, format.value, **options)
    return out.getvalue()


def _covering_box(size: tuple[int, int], width: int, height: int) -> tuple[float, float, float, float]:
    """Return the centre box of a picture of `size` with the proportions of width x height."""
    scale = max(width / size[0], height / size[1])
    part_w, part_h = width / scale, height / scale
    left, top = max(0.0, (size[0] - part_w) / 2), max(0.0, (size[1] - part_h) / 2)
    return left, top, min(size[0], left + part_w), min(size[1], top + part_h)
