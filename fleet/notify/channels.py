"""Channels: addresses in apprise's format, under names that reveal no secret; and one delivery through one channel.

The only file that imports apprise, when something is sent: the import takes longer than most commands.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit, urlunsplit

from pydantic import SecretStr

from fleet.core import logs
from fleet.core.errors import FleetError, InvalidInput, Unavailable
from fleet.notify import guard
from fleet.notify.guard import Admit

if TYPE_CHECKING:
    from apprise import Apprise

log = logs.get(__name__)
LOG = "log"
"""The channel that is always there."""
_TIMEOUT_S = 30.0
_QUOTE_ADDRESSES = ("apprise", "urllib3")
"""Their logs contain whole addresses, and so passwords and tokens."""
USER_KINDS = frozenset(
    {
        "discord", "forms", "gchat", "gotifys", "jsons", "mailtos", "matrixs", "mmosts", "nctalks", "ntfys", "pover",
        "rockets", "slack", "tgram", "webex", "workflows", "wxteams", "xmls", "zulip",
    }
)  # fmt: skip
"""Kinds of address that users may have: each calls a server over TLS. Others run programs or read files of the worker's
machine, or send plain text."""
_PLAIN = frozenset({"form", "gotify", "json", "mailto", "ntfy"})
_FILES = ("pgp", "key", "cert", "file", "template")
"""Parts of parameters that have apprise read a file of the worker's machine."""
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


def check_of_user(address: SecretStr, opened: Callable[[str, int], bool]) -> None:
    """Raise InvalidInput for an address that a user must not have. `opened(host, port)` allows plain text there."""
    try:
        parts = urlsplit(address.get_secret_value())
        kind, host, port = parts.scheme.lower(), parts.hostname or "", parts.port or 0
    except ValueError:
        raise InvalidInput("The address is not understood.", fix=_FIX) from None
    is_plain = kind in _PLAIN and opened(host, port)
    if kind not in USER_KINDS and not is_plain:
        raise InvalidInput(
            f"Notices to a user cannot go to {kind[:30] or 'this address'}.",
            fix=f"Kinds: {', '.join(sorted(USER_KINDS))}; or an e-mail address.",
        )
    for name in parse_qs(parts.query, keep_blank_values=True):
        is_header = name[:1] in (" ", "+", "-", ":")  # a plus in a query means a blank
        if not is_header and any(part in name.lower() for part in _FILES):
            raise InvalidInput(f"The address has the parameter {name[:30]}, which reads a file.", fix="Leave it out.")
    _service(kind, address)


def mail_through(sender: SecretStr, recipient: str) -> SecretStr:
    """Return the address that sends e-mail to one recipient through the server of `sender`."""
    parts = urlsplit(sender.get_secret_value())
    query = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name != "to"]
    return SecretStr(urlunsplit(parts._replace(query=urlencode([*query, ("to", recipient)]))))


def deliver_to(address: SecretStr, notice: Notice, admit: Admit | None) -> None:
    """Send a notice to one address. `admit` refuses hosts that a user's address must not reach; None for a server that
    the settings name. Raises Unavailable when it was not taken.
    """
    kind = address.get_secret_value().partition("://")[0][:30]
    refusals: list[FleetError] = []

    def remember(host: str, port: int, found: Sequence[str]) -> None:
        try:
            (admit or _admit_all)(host, port, found)
        except FleetError as error:  # apprise reports every error as "not taken"
            refusals.append(error)
            raise OSError("refused") from None

    with guard.admitting(remember):
        taken = _service(kind, address).notify(
            f"{notice.body}\n\n[{notice.reference}]", title=notice.title, body_format="text", timeout=_TIMEOUT_S
        )
    if refusals:
        raise refusals[0]
    if not taken:
        raise Unavailable(f"The {kind} address did not take the notice.", fix="Is it up, and right?")


def _admit_all(host: str, port: int, found: Sequence[str]) -> None:
    del host, port, found


def _service(name: str, address: SecretStr) -> Apprise:
    import apprise

    for talkative in _QUOTE_ADDRESSES:
        logging.getLogger(talkative).setLevel(logging.CRITICAL + 1)
    # A receiver that redirects could have us call any address of this network.
    made = apprise.Apprise(asset=apprise.AppriseAsset(http_redirects=False))
    if not made.add(address.get_secret_value()):
        raise InvalidInput(f"The address of the channel {name} is not understood.", fix=_FIX)
    return made
