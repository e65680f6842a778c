"""Settings of this feature: the channels to operators, and how notices reach users."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BaseModel, Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from fleet.core import masking
from fleet.core.settings import AtRunTime, CommaSeparatedHosts


class NoticesSettings(BaseModel):
    """Settings of notices to operators."""

    notify: Annotated[tuple[SecretStr, ...], NoDecode, AtRunTime(is_sealed=True)] = Field(
        (), description="addresses for notices, as apprise URLs, separated by blanks or commas"
    )

    notify_mail: SecretStr = Field(
        SecretStr(""), description="mail server for e-mail to users, as an apprise URL with `from`"
    )
    notify_allow: CommaSeparatedHosts = Field(
        (),
        examples=["HOST:PORT"],
        description="HOST:PORT of this machine that users' addresses may name; for tests and sandboxes only",
    )

    @field_validator("notify", mode="before")
    @classmethod
    def _addresses(cls, value: object) -> object:
        """Split addresses at the beginning of each: an address may contain commas."""
        if not isinstance(value, str):
            return value
        kind = r"[A-Za-z][\w+.-]*://"
        parts = re.split(rf"[\s,]+(?={kind})", value.strip())
        # The part before the first :// names the channel for people: it must contain no password.
        if value.strip() and not all(re.match(kind, part) for part in parts):
            raise ValueError("an address begins with its kind, as in mailto:// or slack://")
        return tuple(part.strip(", ") for part in parts if part)

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        # Not in a validator, which `settings.changed` calls with what people set: they could choose words that events
        # need, and have them masked.
        for address in (*self.notify, self.notify_mail):
            masking.conceal_address(address.get_secret_value())
