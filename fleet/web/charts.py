"""Charts as SVG, made here: no script, no library. Pure; colours come from the style sheet."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup, escape

_W, _H = 120, 32


def sparkline(values: Sequence[float], label: str) -> Markup:
    """Return a line through the values, oldest first; `label` says what it shows to whoever cannot see it."""
    if not values:
        return Markup('<svg class="spark" viewBox="0 0 120 32" role="img" aria-label="{}"></svg>').format(label)
    top = max(*values, 0.0) if len(values) > 1 else max(values[0], 0.0)
    step = _W / max(1, len(values) - 1)
    points = [
        f"{index * step:.1f},{_H - 2 - (value / top if top else 0) * (_H - 4):.1f}"
        for index, value in enumerate(values)
    ]
    line = " ".join(points)
    area = f"0,{_H} {line} {_W},{_H}"
    return Markup(
        '<svg class="spark" viewBox="0 0 {w} {h}" preserveAspectRatio="none" role="img" aria-label="{label}">'
        '<polygon class="spark-area" points="{area}"/><polyline class="spark-line" points="{line}"/></svg>'
    ).format(w=_W, h=_H, label=escape(label), area=area, line=line)
