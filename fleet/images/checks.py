"""Checks of a picture that a workflow made: its format is as declared, it opens, and it is not blank.

Called by the post handler on the bytes behind the address that a surface gave. Pure; believes no content type.
"""

from __future__ import annotations

from PIL import Image, ImageStat

from fleet.core.errors import InvalidInput
from fleet.images import safety

LEAST_SIDE_PX = 64
LEAST_SPREAD = 3.0
"""Standard deviation of brightness (0 to 255) from which on a picture shows something; the plainest charts have 15."""
LEAST_BITS = 0.6
"""Entropy of brightness a point; the plainest charts and wireframes have 2.4."""
_SAMPLE_PX = 64
_SAYS_NOTHING = ("", "application/octet-stream", "binary/octet-stream")
"""Content types of stores of files. With any other wrong one, browsers that heed it would not show the picture."""


@safety.in_turn
def why_unfit(data: bytes, declared: str = "") -> str | None:
    """Return why a picture must not be posted, or None. `declared` is the content type that came with it, if any."""
    if not data:
        return "The picture is empty."
    try:
        found, image = safety.decode(data)
    except InvalidInput as error:
        return error.message
    said = declared.partition(";")[0].strip().lower().replace("image/jpg", "image/jpeg")
    if said not in (found, *_SAYS_NOTHING):
        return f"The picture came as {said[:40]} and is {found}."
    if min(image.size) < LEAST_SIDE_PX:
        return f"The picture is {image.width} x {image.height}; each side must have {LEAST_SIDE_PX} pixels."
    return "The picture is blank." if is_nearly_blank(image) else None


def is_nearly_blank(image: Image.Image) -> bool:
    """Return whether a picture is blank: one colour, or invisible noise. Transparent pixels count as white."""
    small = image.reduce(max(1, min(image.size) // _SAMPLE_PX)) if image.mode in ("RGB", "RGBA", "L") else image
    if small.mode != "L":
        clear = Image.new("RGBA", small.size, "white")
        small = Image.alpha_composite(clear, small.convert("RGBA"))
    bands = small.convert("RGB").split()
    spread = max(ImageStat.Stat(band).stddev[0] for band in bands)
    return spread < LEAST_SPREAD or max(band.entropy() for band in bands) < LEAST_BITS
