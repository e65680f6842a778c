"""Channels: addresses in apprise's format, under names that reveal no secret; and one delivery through one channel.

The only file that imports apprise, when something is sent: the import takes longer than most commands.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import SecretStr

from fleet.core import logs
from fleet.core.errors import InvalidInput, Unavailable

if TYPE_CHECKING:
    from apprise import Apprise

log = logs.get(__name__)
LOG = "log"
"""The channel that is always there."""
_TIMEOUT_S = 30.0
_QUOTE_ADDRESSES = ("apprise", "urllib3")
"""Their logs contain whole addresses, and so passwords and tokens."""
_FIX = "FLEET_NOTIFY lists addresses as apprise writes them; docs/approvals.md has examples."


@dataclass(frozen=True, slots=True)
class Notice:
    """A message to people. `subject` is the event; `reference` identifies a message that arrives twice."""

    subject: str
    title: str
    body: str
    reference: str


def names(addresses: Sequence[SecretStr]) -> tuple[str, ...]:
    """Return the names of the channels: the log, then each address by its scheme; the second of one is `slack-2`."""
    return (LOG, *_by_name(addresses))


def _by_name(addresses: Sequence[SecretStr]) -> Mapping[str, SecretStr]:
    seen: Counter[str] = Counter()
    found = {}
    for address in addresses:
        scheme = address.get_secret_value().partition("://")[0].strip().lower()[:30]
        seen[scheme] += 1
        found[scheme if seen[scheme] == 1 else f"{scheme}-{seen[scheme]}"] = address
    return found


def check(addresses: Sequence[SecretStr]) -> None:
    """Raise InvalidInput that names the first channel with an invalid address; sends nothing."""
    for name, address in _by_name(addresses).items():
        _service(name, address)


def deliver(addresses: Sequence[SecretStr], channel: str, notice: Notice) -> None:
    """Send a notice through one channel. Raises Unavailable when it was not taken, InvalidInput for a wrong address."""
    if channel == LOG:
        log.info("notice", subject=notice.subject, title=notice.title, text=notice.body, reference=notice.reference)
        return
    address = _by_name(addresses).get(channel)
    if address is None:
        raise InvalidInput(f"There is no channel {channel} any more.", fix=_FIX)
    body = f"{notice.body}\n\n[{notice.reference}]"
    if not _service(channel, address).notify(body, title=notice.title, body_format="text", timeout=_TIMEOUT_S):
        # What apprise knows about it may quote the address, and so the secrets in it.
        raise Unavailable(f"The channel {channel} did not take the notice.", fix="Is it up, and its address right?")


def _service(name: str, address: SecretStr) -> Apprise:
    import apprise

    for talkative in _QUOTE_ADDRESSES:
        logging.getLogger(talkative).setLevel(logging.CRITICAL + 1)
    # A receiver that redirects could have us call any address of this network.
    made = apprise.Apprise(asset=apprise.AppriseAsset(http_redirects=False))
    if not made.add(address.get_secret_value()):
        raise InvalidInput(f"The address of the channel {name} is not understood.", fix=_FIX)
    return made
