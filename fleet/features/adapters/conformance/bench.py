"""An adapter on a real server, and what its promises share."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import SecretStr

from fleet.adapters import base, manifest, social
from fleet.adapters.base import Account, Action, CheckingAdapter
from fleet.adapters.manifest import AccountAccess, AdapterType
from fleet.adapters.social import FeedItem, PostPayload
from fleet.core import clock
from fleet.core.errors import FleetError
from fleet.images.placeholder import data_url, render_jpeg

NOBODY: frozenset[str] = frozenset()
SLOWEST_S = 2.0
"""The deadline that is given to calls of a silent server."""
TIMEOUT_S = 20.0


class Broken(Exception):
    """A promise is broken."""


class NotApplicable(Exception):
    """The adapter does not promise this."""


def _somebody() -> Account:
    name = f"conformance_{uuid.uuid4().hex[:8]}"
    return Account(str(uuid.uuid4()), name, "Conformance 画室 🎨", None, bio="Automated account: a test of an adapter.")


@dataclass
class Bench:
    """An adapter on its server, and what the promises share."""

    kind: AdapterType
    address: str
    credentials: str = field(repr=False)
    adapter: Any = None
    account: Account = field(default_factory=_somebody)
    posted: list[tuple[Action[PostPayload], str]] = field(default_factory=list)
    products: list[str] = field(default_factory=list)
    """The ids of the products of a shop that were created."""

    def connect(self, address: str | None = None, credentials: str | None = None, timeout_s: float = TIMEOUT_S) -> Any:
        """Return an adapter of the same kind, perhaps elsewhere."""
        secret = SecretStr(self.credentials if credentials is None else credentials)
        return self.kind.connect(AccountAccess(self.address if address is None else address, secret, timeout_s))

    def needs(self, *operations: str) -> None:
        """Leave a promise out for an adapter that lacks one of these operations."""
        lacks = [name for name in operations
                 if self.kind.operation(name).capability is manifest.Capability.UNSUPPORTED]  # fmt: skip
        if lacks:
            raise NotApplicable(f"it has no {' and no '.join(lacks)}")

    def action(self, one: base.ActionType[Any], *content: Any, **payload: Any) -> Action[Any]:
        """Return an action of the account with a key of its own."""
        return Action(one, self.account, str(uuid.uuid4()), one.payload(*content, **payload), created_at=clock.now())

    def post(self, text: str = "A harbour at dawn.") -> tuple[Action[PostPayload], str]:
        """Publish a post; return its action and the system's id."""
        needs_picture = self.kind.pictures is not None and self.kind.pictures.is_required
        image = data_url(render_jpeg(text, "ai_artist")) if needs_picture else ""
        action = self.uploaded(
            self.action(social.POST, text=text, image_url=image, alt_text="A harbour." if image else "")
        )
        receipt = self.adapter.write(action, timeout_s=TIMEOUT_S)
        if not receipt.remote_id or len(receipt.remote_id) > base.LONGEST_ID:
            raise Broken(f"a post has the id {receipt.remote_id!r}: it needs one of 1 to {base.LONGEST_ID} characters")
        self.posted.append((action, receipt.remote_id))
        return action, receipt.remote_id

    def uploaded(self, action: Action[Any]) -> Action[Any]:
        """Return an action with its uploads, if the adapter needs any."""
        if not isinstance(self.adapter, base.UploadingAdapter):
            return action
        return replace(action, uploads=self.adapter.upload(action, timeout_s=TIMEOUT_S) or {})

    def seen(self, item_id: str) -> FeedItem | None:
        """Return a post as the system shows it; None if there is no way to read it."""
        if self.kind.operation("item").capability is not manifest.Capability.UNSUPPORTED:
            found: FeedItem = self.adapter.item(self.account, item_id)
            return found
        return next((one for one in self.adapter.feed(self.account, limit=20) if one.id == item_id), None)

    def reads(self) -> Callable[[Any], Any]:
        """Return a call that reads, for any adapter of the kind."""
        if isinstance(self.adapter, CheckingAdapter):
            return lambda adapter: adapter.check(timeout_s=SLOWEST_S)
        self.needs("feed")
        return lambda adapter: adapter.feed(self.account, limit=1)


def raises(call: Callable[[], Any], *wanted: type[FleetError]) -> FleetError:
    """Return the error of a call. Raises Broken if it raises another, or none."""
    names = " or ".join(one.__name__ for one in wanted)
    try:
        call()
    except wanted as error:
        return error
    except Exception as error:
        raise Broken(f"it raises {type(error).__name__} ({error}) in place of {names}") from error
    raise Broken(f"it raises nothing in place of {names}")


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
