"""Incoming webhooks: verify, store once, emit an event. And commands on sources.

Refusals reveal nothing: an unknown source, one that is switched off, a wrong signature and a lost secret get the same
response, after the same work.
"""

from __future__ import annotations

import re
import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from fleet.access import audit
from fleet.accounts import keys
from fleet.accounts.sealing import Keyring, LostKey
from fleet.core import events, ids, logs, masking, text
from fleet.core.db import Tx
from fleet.core.errors import FleetError, InvalidInput, NotFound, Unavailable
from fleet.engine import registry
from fleet.engine.deps import Deps
from fleet.features.webhooks import secrets as hook_secrets
from fleet.features.webhooks import sources
from fleet.features.webhooks.outbound.subscriptions import SealedSecret
from fleet.features.webhooks.signatures import Scheme, is_genuine
from fleet.features.webhooks.sources import InboundSource, ReceivedItem

RECEIVED = "webhooks.received"
"""The extension point for features that take what a source sends: `take(deps, tx, source, external_id, body)` is called
once for each event, in the transaction that stores it. Raises InvalidInput: then nothing is stored.
"""
MOST_BYTES = 262_144
"""Maximum size of a body."""
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}", re.A)
_HEADER = re.compile(r"[A-Za-z0-9-]{1,100}", re.A)
_PATH = re.compile(r"[\w$-]+(?:\.[\w$-]+)*", re.A)
_SECRET_CHARS = (8, 1000)
_NOBODY = (Scheme("plain", "x-nobody"), secrets.token_urlsafe(32))
log = logs.get(__name__)


class NotGenuine(FleetError):
    """The request does not prove that it comes from a source."""

    def __init__(self) -> None:
        super().__init__("The signature does not fit.")


@dataclass(frozen=True, slots=True)
class Given:
    """The result of a received event: its id if it is new, None for a duplicate."""

    id: uuid.UUID | None


def receive(deps: Deps, name: str, headers: Mapping[str, str], body: bytes) -> Given:
    """Store a received event, once for each of its source's ids, and emit it. Raises NotGenuine, InvalidInput,
    Unavailable.

    `headers` have names in lower case.
    """
    if len(body) > MOST_BYTES:
        raise InvalidInput(f"This is longer than {MOST_BYTES} bytes.")
    try:
        ring = keys.ring(deps.settings)
    except FleetError as error:  # the response to every caller
        raise Unavailable("Nothing can be verified now.") from error
    with deps.db.transaction() as tx:
        source, now = (sources.named(tx, name) if _NAME.fullmatch(name) else None), tx.now()
    scheme, secret = _NOBODY if source is None else (source.scheme, _opened(ring, source))
    genuine = is_genuine(scheme, secret, headers, body, now_s=now.timestamp())
    if source is None or not source.active or not genuine:
        raise NotGenuine
    external = sources.external_id(source, headers, body)
    content_type = text.clean(headers.get("content-type", ""))
    with deps.db.transaction() as tx:
        received = sources.store(tx, source, external, body, content_type)
        if received is not None:
            events.emit(
                tx, "hook.received", source=source.name, received=str(received), external_id=external, bytes=len(body)
            )
            for take in registry.current().extensions(RECEIVED):
                take(deps, tx, source.name, external, body)
    return Given(received)


def _opened(ring: Keyring, source: InboundSource) -> str:
    """Return a source's secret; if it is lost, a random one: another response would reveal that the source exists."""
    try:
        return hook_secrets.of_source(ring, source)
    except LostKey as error:
        log.error("source_cannot_be_verified", source=source.name, reason=str(error))  # noqa: TRY400 - no trace of ours
        return _NOBODY[1]


@dataclass(frozen=True, slots=True)
class SourceFields:
    """The editable fields of a source. Without a `secret` one is made."""

    name: str
    scheme: Scheme
    description: str = ""
    id_header: str = ""
    id_path: str = ""
    secret: str = ""


def create(deps: Deps, wanted: SourceFields, *, by: str) -> str:
    """Add a source and return its secret. Raises InvalidInput, Conflict."""
    secret = _secret(wanted.secret)
    scheme = _checked(wanted)
    source = InboundSource(
        ids.new(), wanted.name, text.clean(wanted.description)[:200], True, scheme, wanted.id_header, wanted.id_path,
        SealedSecret(b"", ""), by, deps.now(),
    )  # fmt: skip
    sealed = hook_secrets.seal_sources(keys.ring(deps.settings), source.id, secret)
    with deps.db.transaction() as tx:
        sources.create(tx, replace(source, secret=sealed))
        _tell(tx, "hook.source.created", wanted.name, by, after=_shown(source))
    return secret


def listed(deps: Deps) -> list[InboundSource]:
    """Return all sources by name."""
    with deps.db.transaction() as tx:
        return sources.listed(tx)


def get(deps: Deps, name: str) -> InboundSource:
    """Return a source. Raises NotFound."""
    with deps.db.transaction() as tx:
        return sources.get(tx, name)


def change_secret(deps: Deps, name: str, secret: str = "", *, by: str) -> str:
    """Replace a source's secret by a given or a random one; return it. Raises NotFound."""
    secret = _secret(secret)
    with deps.db.transaction() as tx:
        source = sources.get(tx, name)
        sources.seal(tx, name, hook_secrets.seal_sources(keys.ring(deps.settings), source.id, secret))
        _tell(tx, "hook.source.rotated", name, by)
    return secret


def switch(deps: Deps, name: str, *, on: bool, by: str) -> bool:
    """Listen to a source, or no more; False if it was so. Raises NotFound."""
    with deps.db.transaction() as tx:
        changed = sources.switch(tx, name, on=on)
        if changed:
            _tell(tx, "hook.source.enabled" if on else "hook.source.disabled", name, by, after={"active": on})
        return changed


def remove(deps: Deps, name: str, *, by: str) -> None:
    """Remove a source and its received events. Raises NotFound."""
    with deps.db.transaction() as tx:
        before = _shown(sources.get(tx, name))
        sources.remove(tx, name)
        _tell(tx, "hook.source.removed", name, by, before=before)


def history(deps: Deps, name: str, *, limit: int = 50, before: uuid.UUID | None = None) -> Sequence[ReceivedItem]:
    """Return a source's received events, newest first. Raises NotFound."""
    with deps.db.transaction() as tx:
        return sources.page(tx, sources.get(tx, name).id, limit=limit, before_id=before)


def body_of(deps: Deps, received_id: uuid.UUID) -> bytes:
    """Return the very bytes that a source sent. Raises NotFound."""
    with deps.db.transaction() as tx:
        body = sources.body_of(tx, received_id)
    if body is None:
        raise NotFound("This was not received, or so long ago that it is gone.")
    return body


def _secret(given: str) -> str:
    given = given.strip()
    if not given:
        return hook_secrets.fresh()
    shortest, longest = _SECRET_CHARS
    if not shortest <= len(given) <= longest or not given.isprintable():
        raise InvalidInput(f"A secret has {shortest} to {longest} characters, on one line.")
    masking.conceal(given)
    return given


def _checked(wanted: SourceFields) -> Scheme:
    """Return the scheme of a source that can work. Raises InvalidInput."""
    scheme = wanted.scheme
    if not _NAME.fullmatch(wanted.name):
        raise InvalidInput(
            "The name of a source has lower case letters, digits, dashes and underscores, 60 at most.",
            fix="It is part of the address that the source calls: /hooks/in/NAME.",
        )
    if not _HEADER.fullmatch(scheme.header):
        raise InvalidInput("Name the header that holds the signature.", fix="For example X-Hub-Signature-256.")
    if scheme.form == "stamped" and (scheme.prefix or scheme.timestamp_header or scheme.encoding != "hex"):
        raise InvalidInput("A stamped signature has its time in itself, is hex, and has no prefix.")
    if len(scheme.prefix) > 20 or not scheme.prefix.isprintable() or not 1 <= scheme.tolerance_s <= 86_400:
        raise InvalidInput("A prefix has 20 characters at most, and the tolerance is between a second and a day.")
    for header in (scheme.timestamp_header, wanted.id_header):
        if header and not _HEADER.fullmatch(header):
            raise InvalidInput(f"{header[:60]!r} is no name of a header.")
    if wanted.id_header and wanted.id_path:
        raise InvalidInput("The sender's id is in a header or in the body, not in both.")
    if wanted.id_path and (len(wanted.id_path) > 200 or not _PATH.fullmatch(wanted.id_path)):
        raise InvalidInput(f"{wanted.id_path[:60]!r} is no path.", fix="Write it with dots, like data.id.")
    return scheme


def _shown(source: InboundSource) -> dict[str, object]:
    scheme = source.scheme
    return {
        "form": scheme.form, "header": scheme.header, "encoding": scheme.encoding, "prefix": scheme.prefix,
        "timestamp_header": scheme.timestamp_header, "tolerance_s": scheme.tolerance_s,
        "id_header": source.id_header, "id_path": source.id_path, "description": source.description,
    }  # fmt: skip


def _tell(tx: Tx, what: str, name: str, by: str, *, before: Mapping[str, object] | None = None,
          after: Mapping[str, object] | None = None) -> None:  # fmt: skip
    events.emit(tx, what, source=name, by=by)
    audit.note(tx, what, f"source:{name}", before=before, after=after)
