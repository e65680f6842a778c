"""What the tests of networks share: an account at a contract server, and the steps of the engine around a write."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from pydantic import SecretStr

from fleet.accounts.media import PictureTools
from fleet.adapters import base, registry, social
from fleet.adapters.base import Account, Action, AnyAction, Receipt
from fleet.adapters.manifest import AccountAccess, MediaFile
from fleet.core.settings import Settings
from tests.contracts.meta import PUBLISHED
from tests.contracts.server import Contract

NOBODY: frozenset[str] = frozenset()


class PublicPictures(PictureTools):
    """Publishes pictures at an address that a contract server fetches."""

    published: dict[str, MediaFile] = {}

    def publish(self, file: MediaFile) -> str:
        url = f"https://pictures.test/{uuid.uuid4().hex}.jpg"
        PUBLISHED[url] = file.data
        return url


@dataclass
class Case:
    """A network, its contract server and credentials for it."""

    name: str
    contract: Callable[[], Contract]
    credentials: dict[str, Any]
    needs_picture: bool = False
    needs_video: bool = False
    missing: str = ""
    """The id of a post that is not there."""

    def connect(self, url: str, **changes: Any) -> Any:
        """Return the adapter of the account at a server."""
        credentials = SecretStr(json.dumps({**self.credentials, **changes}))
        access = AccountAccess(url, credentials, timeout_s=10, media=PublicPictures(Settings()))
        return registry.get(self.name).connect(access)


def account_of(adapter: Any) -> Account:
    """Return an agent that uses the account."""
    agent = Account(str(uuid.uuid4()), "ada", "Ada", "ai_artist")
    receipt = adapter.write(Action(social.PROVISION, agent, "k", social.ProvisionPayload()), timeout_s=5)
    return replace(agent, remote_id=receipt.remote_id)


def act(kind: Any, account: Account, **payload: Any) -> AnyAction:
    """Return an action of a job that was added now."""
    return Action(kind, account, str(uuid.uuid4()), kind.payload(**payload), datetime.now(UTC))


def uploaded(adapter: Any, action: AnyAction, *, turns: int = 10) -> AnyAction:
    """Return an action with its uploads, as the engine makes them."""
    for _ in range(turns):
        try:
            found = adapter.upload(action, timeout_s=10)
            return replace(action, uploads=found or {})
        except base.UploadPending as error:
            action = replace(action, uploads=json.loads(json.dumps(error.uploads)))
    raise AssertionError("the upload does not end")


def publish(adapter: Any, action: AnyAction) -> Receipt:
    """Upload and write, as the engine does."""
    receipt: Receipt = adapter.write(uploaded(adapter, action), timeout_s=10)
    return receipt
