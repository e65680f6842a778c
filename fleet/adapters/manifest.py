"""The manifest of an adapter: its name, and how it connects to an account. Read by `registry`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pydantic import SecretStr

from fleet.adapters.base import Adapter
from fleet.adapters.pictures import PictureMaker


@dataclass(frozen=True, slots=True)
class AccountAccess:
    """What an adapter needs to reach an account. The adapter defines the meaning of `credentials`, one secret text."""

    address: str
    credentials: SecretStr
    timeout_s: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterType:
    """An outside system. Connecting makes no call; it raises InvalidInput for a malformed address or credentials."""

    name: str
    help: str
    credentials: str
    """The kind of the credentials, for the person who enters them: "service token (fst_...)"."""
    connect: Callable[[AccountAccess], Adapter]
    connect_pictures: Callable[[AccountAccess], PictureMaker] | None = None
    """The maker of pictures of the same account, if the system has one."""
