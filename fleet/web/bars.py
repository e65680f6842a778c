"""Bars as SVG for tables and meters. Pure; colours come from the style sheet and from the text around."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

_W, _H = 120, 10


def nested(values: Sequence[float], most: float) -> Markup:
    """Return one bar of several lengths over one another, the shortest darkest; `most` is the whole width.

    The numbers stand beside it in the table, so nobody needs to be told it.
    """
    strengths = [0.9, 0.45, 0.2]
    parts = [
        Markup('<rect width="{w:.1f}" height="{h}" rx="2" fill="currentColor" opacity="{strength}"/>').format(
            w=_length(value, most, _W), h=_H, strength=strength
        )
        for value, strength in zip(values, strengths, strict=True)
    ]
    return Markup('<svg viewBox="0 0 {w} {h}" width="{w}" height="{h}" aria-hidden="true">{parts}</svg>').format(
        w=_W, h=_H, parts=Markup("").join(reversed(parts))
    )


def _length(value: float, most: float, whole: float) -> float:
    return max(0.0, min(1.0, value / most if most else 0.0)) * whole
