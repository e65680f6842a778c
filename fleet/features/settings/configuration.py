"""What this process is set to, and where each value came from. Called by doors that show it.

Nothing here tells a secret: of one it is said that it is set, and passwords within addresses are taken out.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from pydantic import SecretStr

from fleet.accounts import keystore
from fleet.core.masking import mask
from fleet.core.settings import SECRETS, Settings
from fleet.engine.deps import Deps

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
    """One setting as it counts now. `variable` is what sets it."""

    name: str
    value: Value
    source: SettingSource
    description: str
    is_secret: bool = False

    @property
    def variable(self) -> str:
        """The name of its variable."""
        return f"FLEET_{self.name.upper()}"

    @property
    def shown(self) -> str:
        """Its value in words, for pages; empty where nothing is set."""
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
    """Return every setting of this process, with the key store looked at. Raises Unavailable."""
    with deps.db.transaction() as tx:
        stored = [secret.name for secret in keystore.everything(tx)]
    return effective(deps.settings, stored)


def effective(settings: Settings, stored: Collection[str] = ()) -> list[Setting]:
    """Return every setting in the order of their definition; `stored` are the secrets that the key store holds.

    `.env` and what a command was told count as environment: they stand before the key store.
    """
    return [
        Setting(name, *_value_of(settings, name, stored), field.description or "", name in SECRETS)
        for name, field in Settings.model_fields.items()
    ]


CAPS = ("dry_run", "post_gap_s", "comment_gap_s", "posts_per_day", "comments_per_day", "likes_per_day",
        "connects_per_day", "ai_comment_lead", "surface_writes_per_minute", "scan_concurrency")  # fmt: skip
"""The settings that cap what agents do."""


def caps(settings: Settings) -> list[Setting]:
    """Return the caps in force, and the source of each."""
    by_name = {one.name: one for one in effective(settings)}
    return [by_name[name] for name in CAPS]


def _value_of(settings: Settings, name: str, stored: Collection[str]) -> tuple[Value, SettingSource]:
    if name in settings.model_fields_set:
        return _plain(getattr(settings, name)), SettingSource.ENVIRONMENT
    if name in SECRETS and name in stored:
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
    return _IN_QUERY.sub(rf"\g<1>{HIDDEN}", mask(str(value)))
