"""Bars as SVG for tables and meters. Pure; colours come from the style sheet and from the text around."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

_W, _H = 120, 10
_WIDE, _HIGH = 600, 90
_STRENGTHS = (0.9, 0.45, 0.2)


def nested(values: Sequence[float], most: float) -> Markup:
    """Return one bar of up to three lengths over one another, the shortest darkest; `most` is the whole width.

    The numbers stand beside it in the table, so it is hidden from screen readers.
    """
    parts = [
        Markup('<rect width="{w:.1f}" height="{h}" rx="2" fill="currentColor" opacity="{strength}"/>').format(
            w=_length(value, most, _W), h=_H, strength=strength
        )
        for value, strength in zip(values, _STRENGTHS, strict=False)
    ]
    return Markup('<svg viewBox="0 0 {w} {h}" width="{w}" height="{h}" aria-hidden="true">{parts}</svg>').format(
        w=_W, h=_H, parts=Markup("").join(reversed(parts))
    )


def _length(value: float, most: float, whole: float) -> float:
    return max(0.0, min(1.0, value / most if most else 0.0)) * whole


def meter(used: float, soon: float, whole: float, label: str) -> Markup:
    """Return a meter: the used and reserved parts of a limit; it warns from four fifths on.

    `label` describes it for screen readers.
    """
    share = (used + soon) / whole if whole else 1.0
    state = "bad" if share >= 1 else "warn" if share >= 0.8 else ""
    return Markup(
        '<svg class="meter {state}" viewBox="0 0 100 8" preserveAspectRatio="none" role="img" aria-label="{label}">'
        '<rect class="rest" width="100" height="8"/><rect class="soon" width="{soon:.1f}" height="8"/>'
        '<rect class="used" width="{used:.1f}" height="8"/></svg>'
    ).format(state=state, label=label, soon=_length(used + soon, whole, 100), used=_length(used, whole, 100))


def columns(values: Sequence[tuple[str, float]], label: str) -> Markup:
    """Return a column for each value, oldest first; each shows its text on hover."""
    most = max((value for _, value in values), default=0.0)
    wide = _WIDE / max(1, len(values))
    parts = [
        Markup(
            '<g><title>{words}</title><rect class="slot" x="{x:.1f}" width="{wide:.1f}" height="{whole}"/>'
            '<rect class="mark" x="{inner:.1f}" y="{y:.1f}" width="{narrow:.1f}" height="{high:.1f}" rx="2"/></g>'
        ).format(
            words=words, x=n * wide, wide=wide, whole=_HIGH, inner=n * wide + wide * 0.12, narrow=wide * 0.76,
            y=_HIGH - _length(value, most, _HIGH), high=_length(value, most, _HIGH),
        )
        for n, (words, value) in enumerate(values)
    ]  # fmt: skip
    return Markup('<svg class="plot" viewBox="0 0 {w} {h}" role="img" aria-label="{label}">{parts}</svg>').format(
        w=_WIDE, h=_HIGH, label=label, parts=Markup("").join(parts)
    )
