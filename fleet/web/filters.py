"""Numbers, times and money as pages show them. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime


def number(value: float | None) -> str:
    """Return 12345 as 12,345, and nothing known as a dash."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"


def plural(value: int, noun: str) -> str:
    """Return a number with its noun: 1 as 1 like, 2 as 2 likes."""
    return f"{number(value)} {noun}{'' if value == 1 else 's'}"


def atmost(value: int | None) -> str:
    """Return a count that stops somewhere; None is more than it counts to."""
    return "1,000+" if value is None else number(value)


def money(microusd: int | None) -> str:
    """Return microusd as dollars: cents, or more digits where it is less than one."""
    if microusd is None:
        return "–"
    dollars = microusd / 1_000_000
    return f"${dollars:,.2f}" if dollars == 0 or abs(dollars) >= 0.01 else f"${dollars:,.4f}"


def percent(share: float | None) -> str:
    """Return a share as percent: 0.0123 as 1.2 %."""
    if share is None:
        return "–"
    digits = 1 if 0 < share < 0.1 else 0
    return f"{share:.{digits}%}".replace("%", " %")


@dataclass(frozen=True, slots=True)
class Trend:
    """A value compared with the period before."""

    words: str
    tone: str


def trend(value: float, before: float | None, better: str) -> Trend | None:
    """Return how a figure has moved; `better` is `up`, `down` or empty. None where there is nothing to compare with."""
    if not before:
        return None
    change = (value - before) / before
    if abs(change) < 0.005:
        return Trend("±0 %", "")
    size = f"{abs(change):.0%}".replace("%", " %") if abs(change) < 10 else f"{value / before:,.0f} times"
    tone = "" if not better else "good" if (change > 0) == (better == "up") else "bad"
    return Trend(f"{'▲' if change > 0 else '▼'} {size}", tone)


def span(seconds: float | None) -> str:
    """Return a length of time in its two largest units."""
    if seconds is None:
        return "–"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest and minutes < 10 else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def ago(moment: datetime, now: datetime) -> str:
    """Return how long ago, or how soon, something is."""
    seconds = (now - moment).total_seconds()
    if abs(seconds) < 2:
        return "now"
    return f"{span(seconds)} ago" if seconds > 0 else f"in {span(-seconds)}"


def moment(value: datetime | None) -> str:
    """Return a moment in UTC, to the second."""
    return "–" if value is None else f"{value:%Y-%m-%d %H:%M:%S}"


_BROWSERS = (("Firefox/", "Firefox"), ("Edg/", "Edge"), ("OPR/", "Opera"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS = (("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"), ("Mac OS X", "Mac"),
            ("Linux", "Linux"))  # fmt: skip


def browser(user_agent: str) -> str:
    """Return a browser's name for people, from its User-Agent header; an unknown header as it is."""
    name = next((name for mark, name in _BROWSERS if mark in user_agent), None)
    system = next((system for mark, system in _SYSTEMS if mark in user_agent), None)
    if name is None:
        return user_agent[:60] or "unknown"
    return f"{name} on {system}" if system else name


def pretty(value: object) -> str:
    """Return a list or an object as JSON, as it is read by people."""
    return json.dumps(value, ensure_ascii=False, default=str)
