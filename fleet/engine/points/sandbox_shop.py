"""The sandbox shop of `fleet up --with-shop`, for the feature that makes a store of it.

A feature registers `extends={"sandbox.shop": (SETUP,)}` with a `SandboxShopSetup`.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass

from fleet.engine.deps import Deps

POINT = "sandbox.shop"


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxShopSetup:
    """What a feature does with the account of the sandbox shop."""

    prepare: Callable[[Deps, uuid.UUID], None]
    """Called once, after the account exists and while its shop answers: create the store. Called again after a start
    that was killed before it ended, so it must be idempotent."""
    hook_path: str = ""
    """The path below Fleet's web address to which the shop sends its webhooks, with `{account}` for the account's id:
    "/hooks/in/store/{account}". They are signed with the account's `webhook_secret`. Empty: the shop sends none."""
