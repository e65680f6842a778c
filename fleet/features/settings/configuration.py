"""The settings of this process, and the source of each value. Called by pages and commands that show them.

Shows no secret: only that it is set; passwords within addresses are removed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from pydantic import SecretStr

from fleet.accounts import keystore
from fleet.core import text
from fleet.core.masking import mask
from fleet.core.settings import REPLACED, Settings, mapping_as_json, secrets_of
from fleet.engine import registry
from fleet.engine.deps import Deps, caps_of
from fleet.features.settings.groups import group_of

HIDDEN = "***"
"""Stands for a secret that is set."""
Value = str | int | float | bool | list[str] | None
"""A setting as JSON holds it; a list where there are several."""
# What drivers take as words of an address's query: ?password=..., &sslpassword=...
_IN_QUERY = re.compile(r"(?i)([?&][^=&#]*(?:password|passwd|secret|token|key)[^=&#]*=)[^&#]*")


class SettingSource(StrEnum):
    """Where a value came from."""

    ENVIRONMENT = "environment"
    KEY_STORE = "key store"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting in force, or a part of one ("caps.post.gap_s"). `variable` is the variable that sets it."""

    name: str
    value: Value
    source: SettingSource
    description: str
    is_secret: bool = False

    @property
    def group(self) -> str:
        """The heading that it stands under."""
        return group_of(self.name.partition(".")[0])

    @property
    def variable(self) -> str:
        """The name of its variable, and of the part within."""
        name, _, part = self.name.partition(".")
        return f"FLEET_{name.upper()} {part}".rstrip()

    @property
    def shown(self) -> str:
        """Its value as text, for pages; empty where nothing is set."""
        match self.value:
            case bool():
                return "yes" if self.value else "no"
            case None:
                return ""
            case list():
                return ", ".join(self.value)
            case int() | float() if self.name.endswith("_s"):
                return f"{self.value:,g} s"
            case float():
                return f"{self.value:g}"
        return str(self.value)


def look(deps: Deps) -> list[Setting]:
    """Return every setting of this process, with those of the key store. Raises Unavailable."""
    with deps.db.transaction() as tx:
        stored = [secret.name for secret in keystore.everything(tx)]
    return effective(deps.settings, stored)


def effective(settings: Settings, stored: Collection[str] = ()) -> list[Setting]:
    """Return every setting: the fleet's own, then those of each feature. `stored`: the secrets in the key store.

    `.env` and options of commands count as environment: they win over the key store. Settings that others have replaced
    are left out unless they are set.
    """
    model, secrets = type(settings), secrets_of(type(settings))
    return [
        Setting(name, *_value_of(settings, name, stored), field.description or "", name in secrets)
        for name, field in model.model_fields.items()
        if name not in REPLACED or name in settings.replaced
    ]


CAPS = ("ai_comment_lead", "surface_writes_per_minute", "scan_concurrency")
"""The settings that cap what agents do, beside those of single actions."""


def caps(settings: Settings) -> list[Setting]:
    """Return the caps in force, and the source of each. Raises InvalidInput for caps of unknown actions."""
    by_name = {one.name: one for one in effective(settings)}
    return [by_name["dry_run"], *_action_caps(settings), *(by_name[name] for name in CAPS if name in by_name)]


def _action_caps(settings: Settings) -> Iterator[Setting]:
    given = settings.caps_given()
    for name, cap in caps_of(settings).items():
        noun = registry.current().action_types[name].noun
        set_here = given[name].model_fields_set if name in given else set()
        gap_s = cap.gap.total_seconds()
        parts: tuple[tuple[str, float | int | None, str], ...] = (
            (
                "gap_s",
                gap_s or None,
                f"least time between two {noun}s of one agent: {_by_tempo(gap_s, settings.tempo)}",
            ),
            ("per_day", cap.per_day, f"most {noun}s of one agent in {_by_tempo(86_400, settings.tempo)}"),
        )
        for part, value, description in parts:
            source = SettingSource.ENVIRONMENT if part in set_here else SettingSource.DEFAULT
            if value is not None or part in set_here:
                yield Setting(f"caps.{name}.{part}", value or 0, source, description)


def _by_tempo(seconds: float, tempo: float) -> str:
    """Return a length of time that the tempo scales, and what it is in real time."""
    return text.span(seconds) + (f" ({text.span(seconds / tempo)} in real time)" if tempo != 1 and seconds else "")


def _value_of(settings: Settings, name: str, stored: Collection[str]) -> tuple[Value, SettingSource]:
    if name in settings.model_fields_set:
        return _plain(getattr(settings, name)), SettingSource.ENVIRONMENT
    if name in stored and name in secrets_of(type(settings)):
        return HIDDEN, SettingSource.KEY_STORE
    return _plain(getattr(settings, name)), SettingSource.DEFAULT


def _plain(value: object) -> Value:
    match value:
        case None | bool() | int() | float():
            return value
        case SecretStr():
            return HIDDEN if value.get_secret_value() else ""
        case tuple():
            return [str(_plain(one)) for one in value]
        case Path():
            return str(value)
        case dict():
            return mapping_as_json(value)
    return _IN_QUERY.sub(rf"\g<1>{HIDDEN}", mask(str(value)))
