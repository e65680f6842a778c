"""Lit solids for packshots: turned forms (bottles, jars, cups), boxes and spheres, each on a layer of its own.

Called by `packshot`. A form is a profile turned round its axis; light and dark across it come from one strip of
shades that is bent to the profile, which costs next to nothing.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageChops, ImageDraw

from fleet.sandbox.gallery.art.palette import Color, mix, shade

Profile = Sequence[tuple[float, float]]
"""Points (height from the top, radius), both in parts of the form's height; heights rise downwards."""

_Slice = tuple[tuple[int, int, int, int], tuple[float, ...]]

TILT = 0.17
"""How far round edges open towards the viewer, who looks from a little above."""

_STRIP = 256


@dataclass(frozen=True, slots=True)
class PropPart:
    """One turned piece. `top` is its upper face: none, a flat lid, or an open rim with the colour inside."""

    profile: Profile
    color: Color
    finish: str = "satin"
    top: str = ""
    inside: Color | None = None
    alpha: int = 255
    band: bool = False


@dataclass(frozen=True, slots=True)
class Layer:
    """A drawn form: its picture, where its axis and its foot are in it, and how far it spreads to each side."""

    image: Image.Image
    axis: int
    foot: int
    spread: int

    def reduced(self) -> Layer:
        """Return the form at half the size, with smooth edges."""
        return Layer(self.image.reduce(2), self.axis // 2, self.foot // 2, self.spread // 2)


def turned(parts: Sequence[PropPart], height: int) -> Layer:
    """Draw a form of pieces, from the lowest to the highest, `height` pixels tall."""
    widest = max(radius for part in parts for _, radius in part.profile)
    highest = min(y for part in parts for y, _ in part.profile)
    axis = int(widest * height) + 4
    head = int((widest * TILT - min(0.0, highest)) * height) + 4
    foot = head + height
    layer = Image.new("RGBA", (axis * 2, foot + int(widest * TILT * height) + 4))
    for part in parts:
        points = [(head + y * height, max(1.0, radius * height)) for y, radius in part.profile]
        _piece(layer, part, points, axis)
    return Layer(layer, axis, foot, axis)


def box(width: int, height: int, depth: int, color: Color, side: Color) -> Layer:
    """Draw a box seen a little from the left and from above, with the light on its front."""
    rise = int(depth * 0.42)
    layer = Image.new("RGBA", (width + depth + 8, height + rise + 8))
    pen = ImageDraw.Draw(layer)
    left, top, right, bottom = 2, rise + 2, 2 + width, rise + 2 + height
    front = _upright(width, height, shade(color, 1.08), shade(color, 0.9))
    layer.paste(front, (left, top))
    pen.polygon([(right, top), (right + depth, 2), (right + depth, bottom - rise), (right, bottom)], shade(side, 0.62))
    pen.polygon([(left, top), (left + depth, 2), (right + depth, 2), (right, top)], shade(color, 1.32))
    pen.line([(left, top), (right, top), (right + depth, 2)], shade(color, 1.55), max(2, width // 160))
    pen.line([(right, top), (right, bottom)], shade(color, 1.2), max(2, width // 160))
    return Layer(layer, left + width // 2, bottom, width // 2)


def sphere(diameter: int, color: Color) -> Layer:
    """Draw a ball lit from the upper left."""
    light = Image.radial_gradient("L").resize((diameter * 2, diameter * 2))
    start = int(diameter * 0.68)
    light = light.crop((start, start, start + diameter, start + diameter))
    shades = [mix(shade(color, 1.62), shade(color, 0.36), min(1.0, (v / 150) ** 1.15)) for v in range(256)]
    lit = Image.merge("RGB", [light.point([c[band] for c in shades]) for band in range(3)])
    mask = Image.new("L", (diameter, diameter))
    ImageDraw.Draw(mask).ellipse((0, 0, diameter - 1, diameter - 1), 255)
    lit.putalpha(mask)
    return Layer(lit, diameter // 2, diameter - int(diameter * 0.04), diameter // 2)


def ring_handle(layer: Layer, top: int, bottom: int, reach: int, color: Color, *, thick: int) -> Layer:
    """Put a handle behind the right side of a form."""
    wide = Image.new("RGBA", (layer.image.width + reach + thick, layer.image.height))
    pen = ImageDraw.Draw(wide)
    start = layer.image.width - reach - thick
    edge = (start, top, layer.image.width + reach - 2, bottom)
    pen.ellipse(edge, outline=(*shade(color, 0.72), 255), width=thick)
    inner = (edge[0] + thick // 3, edge[1] + thick // 4, edge[2] - thick // 3, edge[3] - thick // 3)
    pen.arc(inner, 180, 360, (*shade(color, 1.25), 255), max(2, thick // 4))
    wide.alpha_composite(layer.image)
    return Layer(wide, layer.axis, layer.foot, layer.spread)


def smooth(points: Profile, steps: int = 6) -> Profile:
    """Return a profile with rounded corners: a curve through its points that never swings beyond them."""
    heights, radii = ([point[axis] for point in points] for axis in (0, 1))
    bent = zip(_curve(heights, steps), _curve(radii, steps), strict=True)
    return list(bent)


def _curve(values: Sequence[float], steps: int) -> list[float]:
    """Return values along a monotone cubic through `values` (slopes are harmonic means of their neighbours)."""
    rises = [b - a for a, b in itertools.pairwise(values)]
    inner = [2 * a * b / (a + b) if a * b > 0 else 0.0 for a, b in itertools.pairwise(rises)]
    slopes = [rises[0], *inner, rises[-1]]
    out: list[float] = []
    for place, rise in enumerate(rises):
        for step in range(steps):
            t = step / steps
            out.append(values[place] + rise * (3 * t * t - 2 * t**3)
                       + slopes[place] * (t**3 - 2 * t * t + t) + slopes[place + 1] * (t**3 - t * t))  # fmt: skip
    return [*out, values[-1]]


def _piece(layer: Image.Image, part: PropPart, points: list[tuple[float, float]], axis: int) -> None:
    mask = Image.new("L", layer.size)
    pen = ImageDraw.Draw(mask)
    outline = [(axis - r, y) for y, r in points] + [(axis + r, y) for y, r in reversed(points)]
    pen.polygon(outline, fill=part.alpha)
    pen.ellipse(_rim(axis, *points[-1]), fill=part.alpha)
    if part.band:
        pen.ellipse(_rim(axis, *points[0]), fill=0)
    lit = _strip(part).transform(layer.size, Image.Transform.MESH, _bend(points, axis, layer.size),
                                 Image.Resampling.BILINEAR)  # fmt: skip
    low = int(points[-1][0])
    edge = lit.crop((0, low - 2, layer.width, low - 1)).resize((layer.width, max(1, layer.height - low + 2)))
    lit.paste(edge, (0, low - 2))
    _lay(layer, lit, mask)
    if part.top:
        _face(layer, part, axis, *points[0])


def _face(layer: Image.Image, part: PropPart, axis: int, y: float, radius: float) -> None:
    pen = ImageDraw.Draw(layer)
    rim = _rim(axis, y, radius)
    pen.ellipse(rim, (*shade(part.color, 1.28), max(part.alpha, 150)))
    if part.top == "open":
        thick = max(2.0, radius * 0.05)
        pen.ellipse((rim[0] + thick, rim[1] + thick * 0.6, rim[2] - thick, rim[3] - thick * 0.4),
                    (*(part.inside or shade(part.color, 0.45)), 255))  # fmt: skip
    else:
        pen.ellipse((rim[0] + radius * 0.1, rim[1] + radius * 0.02, rim[2] - radius * 0.1, rim[3] - radius * 0.04),
                    (*shade(part.color, 1.14), max(part.alpha, 150)))  # fmt: skip


def _lay(layer: Image.Image, lit: Image.Image, mask: Image.Image) -> None:
    """Lay colour over the layer; where glass lies over nothing, the layer keeps what can be seen through."""
    over = lit.convert("RGBA")
    over.putalpha(mask)
    layer.alpha_composite(over)


def _rim(axis: int, y: float, radius: float) -> tuple[float, float, float, float]:
    return axis - radius, y - radius * TILT, axis + radius, y + radius * TILT


def _bend(points: list[tuple[float, float]], axis: int, size: tuple[int, int]) -> list[_Slice]:
    """Return how the strip of shades is bent: each slice of the profile takes the whole strip across its width."""
    mesh: list[_Slice] = []
    middle = _STRIP * 1.5
    for (y0, r0), (y1, r1) in itertools.pairwise(points):
        top, bottom = max(0, int(y0)), min(size[1], math.ceil(y1))
        if bottom <= top:
            continue
        upper, lower = (min(middle, _STRIP / 2 * axis / r) for r in (r0, r1))
        # Corners of the strip for the slice's NW, SW, SE and NE.
        mesh.append(((0, top, axis * 2, bottom),
                     (middle - upper, 0.5, middle - lower, 3.5, middle + lower, 3.5, middle + upper, 0.5)))  # fmt: skip
    return mesh


def _strip(part: PropPart) -> Image.Image:
    """Return the shades across a form, continued to both sides: a slope's slice reaches beyond its narrow end."""
    shades = [_lit(part, 2 * x / (_STRIP - 1) - 1) for x in range(_STRIP)]
    strip = Image.new("RGB", (_STRIP * 3, 1))
    strip.putdata([shades[0]] * _STRIP + shades + [shades[-1]] * _STRIP)
    return strip.resize((_STRIP * 3, 4))


def _lit(part: PropPart, across: float) -> Color:
    """Return the shade at one place across a form (-1 left edge, 1 right edge), light from the left front."""
    facing = math.sqrt(max(0.0, 1 - across * across))
    diffuse = max(0.0, -0.5 * across + 0.87 * facing)
    softbox = math.exp(-(((across + 0.52) / 0.11) ** 2))
    rim = math.exp(-(((across - 0.9) / 0.07) ** 2))
    if part.finish == "metal":
        bands = 0.5 + 0.5 * math.sin(across * 7.5 + 0.8)
        return shade(part.color, 0.38 + 0.62 * diffuse * (0.55 + 0.6 * bands) + 0.75 * softbox + 0.3 * rim)
    if part.finish == "glass":
        edge = abs(across) ** 5
        return shade(mix(part.color, shade(part.color, 0.4), edge), 0.72 + 0.5 * diffuse + 0.7 * softbox + 0.4 * rim)
    shine = {"gloss": 0.62, "satin": 0.24, "matte": 0.05}[part.finish]
    return shade(part.color, 0.3 + 0.76 * diffuse + shine * softbox + shine * 0.4 * rim)


def _upright(width: int, height: int, left: Color, right: Color) -> Image.Image:
    line = Image.new("RGB", (64, 1))
    line.putdata([mix(left, right, x / 63) for x in range(64)])
    return line.resize((width, height), Image.Resampling.BILINEAR)


def fade_down(image: Image.Image, strength: float) -> Image.Image:
    """Return a picture that fades out towards its lower edge, for reflections."""
    faded = image.copy()
    fall = Image.linear_gradient("L").resize(image.size).point(lambda v: int(max(0, 150 - v) / 150 * 255 * strength))
    faded.putalpha(ImageChops.multiply(image.getchannel("A"), fall))
    return faded
