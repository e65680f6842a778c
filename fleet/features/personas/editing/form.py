"""The form of a persona: texts of its fields, the document that they mean, and the field of each problem.

Called by the pages. What was typed is kept as typed; the document is checked as a file is, so the form has no rules of
its own. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from fleet.core.character import TRAITS
from fleet.engine import registry
from fleet.features.personas.persona_file import DAYS
from fleet.llm.offline import grammar

Values = Mapping[str, str]
"""The typed text of each field, by name. A box that is not ticked has none."""
RULE, NEW_RULE, NEW_TEXT, DAY, WEIGHT = "rule.", "new_rule.", "new_rule_text.", "day.", "weight."
SPARE_RULES = 2
DAY_NAMES = tuple(day[:3] for day in (*DAYS[1:], DAYS[0]))
REQUIRED_RULES = tuple(grammar.STARTS)
TIERS = ("casual", "regular", "power")
_LISTS = ("name_templates", "workflow_types")
_TEXTS = ("id", "emoji", "username_prefix", "tier")
_WINDOW = re.compile(r"(\d{1,2})(?::00)?\s*[-–—]\s*(\d{1,2})(?::00)?")
_FIELDS = {
    "interval_seconds": "interval_min", "schedule": "day.mon", "schedule.active_days": "day.mon",
    "schedule.timezone": "timezone", "schedule.peak_hours": "peak_hours", "schedule.sleep_hours": "sleep_hours",
    "schedule.peak_multiplier": "peak_multiplier", "schedule.off_peak_multiplier": "off_peak_multiplier",
    "weights": "weights",
}  # fmt: skip
_EMPTY: Mapping[str, Any] = {
    "emoji": "🙂", "share": 1, "tier": "regular", "interval_seconds": [60, 300],
    "schedule": {
        "timezone": "UTC", "active_days": list(DAY_NAMES), "peak_hours": [[9, 17]], "sleep_hours": [],
        "peak_multiplier": 1.5, "off_peak_multiplier": 0.5,
    },
    "grammar": dict.fromkeys(grammar.STARTS, ()),
}  # fmt: skip


def blank() -> dict[str, str]:
    """Return the texts of a new persona: usual values, and an empty box for each rule that every grammar has."""
    return of({**_EMPTY, "weights": registry.current().default_weights})


def of(document: Mapping[str, Any]) -> dict[str, str]:
    """Return a document as texts for the fields. Takes any mapping: an imported one may be wrong."""
    week = _mapping(document.get("schedule"))
    interval = _sequence(document.get("interval_seconds"))
    values = {name: _plain(document.get(name)) for name in (*_TEXTS, "share")}
    values |= {one.name: _lines(document.get(one.name)) if one.is_list else _plain(document.get(one.name))
               for one in TRAITS}  # fmt: skip
    values |= {name: _lines(document.get(name)) for name in _LISTS}
    values |= {"interval_min": _plain(next(iter(interval), "")), "interval_max": _plain(next(iter(interval[1:]), ""))}
    values |= {WEIGHT + name: _plain(weight) for name, weight in _mapping(document.get("weights")).items()}
    values |= {f"{DAY}{_day(one)}": "1" for one in _sequence(week.get("active_days"))}
    values |= {name: _windows(week.get(name)) for name in ("peak_hours", "sleep_hours")}
    values |= {name: _plain(week.get(name)) for name in ("timezone", "peak_multiplier", "off_peak_multiplier")}
    return values | {RULE + name: _lines(lines) for name, lines in _mapping(document.get("grammar")).items()}


def document(values: Values) -> dict[str, Any]:
    """Return the document that the texts mean. A number or an hour that is none stays text, for the check to refuse."""
    found: dict[str, Any] = {name: values.get(name, "").strip() for name in _TEXTS}
    for one in TRAITS:
        typed = values.get(one.name, "")
        found[one.name] = _items(typed) if one.is_list else typed
    found |= {name: _items(values.get(name, "")) for name in _LISTS}
    found["share"] = _number(values.get("share", ""))
    found["interval_seconds"] = [_number(values.get(name, "")) for name in ("interval_min", "interval_max")]
    weights = {name.removeprefix(WEIGHT): typed for name, typed in values.items() if name.startswith(WEIGHT)}
    found["weights"] = {name: _number(typed) for name, typed in weights.items() if typed.strip()}
    found["schedule"] = {
        "timezone": values.get("timezone", "").strip(),
        "active_days": [day for day in DAY_NAMES if values.get(DAY + day)],
        **{name: _hours(values.get(name, "")) for name in ("peak_hours", "sleep_hours")},
        **{name: _number(values.get(name, "")) for name in ("peak_multiplier", "off_peak_multiplier")},
    }
    return found | {"grammar": _rules(values)}


def problems(found: Sequence[str], values: Values) -> dict[str, str]:
    """Return the first problem of each field; one that belongs to no field is that of the form."""
    told: dict[str, str] = {}
    for line in found:
        path, colon, words = line.partition(": ")
        told.setdefault(_field(path, values) if colon else "form", words if colon else line)
    return told


def rules_of(values: Values) -> list[str]:
    """Return the names of the rules of the grammar that the form has boxes for."""
    return [name.removeprefix(RULE) for name in values if name.startswith(RULE)]


def settled(values: Values) -> dict[str, str]:
    """Return the texts with new rules among the others, so that their boxes are free for more."""
    rules = {RULE + name: "\n".join(lines) for name, lines in _rules(values).items()}
    others = {name: typed for name, typed in values.items() if not name.startswith((NEW_RULE, NEW_TEXT))}
    return {**others, **rules}


def _rules(values: Values) -> dict[str, list[str]]:
    """Return the grammar: a rule whose box is empty is left out, unless every grammar needs it."""
    named = {name: values[RULE + name] for name in rules_of(values)}
    for number in range(SPARE_RULES):
        name = values.get(f"{NEW_RULE}{number}", "").strip()
        if name:
            named.setdefault(name, values.get(f"{NEW_TEXT}{number}", ""))
    return {name: _items(typed) for name, typed in named.items() if typed.strip() or name in grammar.STARTS}


def _field(path: str, values: Values) -> str:
    whole = re.sub(r"\[\d+\].*", "", path)
    if whole in _FIELDS:
        return _FIELDS[whole]
    head, _, rest = whole.partition(".")
    if head == "weights":
        return WEIGHT + rest
    if head == "grammar":
        return RULE + rest if RULE + rest in values else "grammar"
    return whole if whole in (*_TEXTS, *_LISTS, "share", *(one.name for one in TRAITS)) else "form"


def _items(typed: str) -> list[str]:
    return [line for part in typed.splitlines() if (line := part.strip())]


def _number(typed: str) -> int | float | str:
    bare = typed.strip()
    if re.fullmatch(r"\d{1,9}", bare):
        return int(bare)
    return float(bare) if re.fullmatch(r"\d{0,9}\.\d{1,9}", bare) else bare


def _hours(typed: str) -> list[list[int] | str]:
    parts = [part for one in re.split(r"[,\n]", typed) if (part := one.strip())]
    found: list[list[int] | str] = []
    for part in parts:
        hit = _WINDOW.fullmatch(part)
        found.append([int(hit[1]), int(hit[2])] if hit else part)
    return found


def _plain(value: Any) -> str:
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _lines(value: Any) -> str:
    return "\n".join(map(str, _sequence(value)))


def _windows(value: Any) -> str:
    return ", ".join("-".join(map(str, _sequence(window))) for window in _sequence(value))


def _day(value: Any) -> str:
    return DAYS[value][:3] if isinstance(value, int) and 0 <= value <= 6 else str(value).strip().casefold()[:3]


def _sequence(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()


def _mapping(value: Any) -> Mapping[str, Any]:
    return {str(name): one for name, one in value.items()} if isinstance(value, Mapping) else {}
