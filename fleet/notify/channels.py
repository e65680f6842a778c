"""Channels: addresses in apprise's format, under names that reveal no secret; and one delivery through one channel.

The only file that imports apprise, when something is sent: the import takes longer than most commands.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from pydantic import SecretStr

from fleet.core import logs
from fleet.core.errors import FleetError, InvalidInput, Unavailable
from fleet.notify import guard
from fleet.notify.guard import Admit

if TYPE_CHECKING:
    from apprise import NotifyBase

log = logs.get(__name__)
LOG = "log"
"""The channel that is always there."""
_TIMEOUT_S = 30.0
_QUOTE_ADDRESSES = ("apprise", "urllib3")
"""Their logs contain whole addresses, and so passwords and tokens."""
_WEBHOOK = "method + - :"
USER_KINDS = {
    "discord": "avatar avatar_url fields footer footer_logo image ping thread tts",
    "forms": _WEBHOOK,
    "gchat": "key thread token workspace",
    "gotifys": "priority",
    "jsons": _WEBHOOK,
    "mailtos": "bcc cc from mode name pass reply smtp to user",
    "matrixs": "mode msgtype to token version",
    "mmosts": "botname channel channels icon_url image mode team to",
    "nctalks": "secret silent url_prefix",
    "ntfys": "auth click delay email image mode priority to token xtags",
    "pover": "expire interval priority sound to url url_title",
    "rockets": "avatar mode to webhook",
    "slack": "blocks footer image mode timestamp to token",
    "tgram": "detect image mdv preview silent thread to topic",
    "webex": "mode to token",
    "workflows": "api-version id image pa powerautomate route routeid sig ver wrap",
    "wxteams": "mode to token",
    "xmls": _WEBHOOK,
    "zulip": "to token",
}
"""Kinds of address that users may have, each with its parameters. `+`, `-` and `:` begin a parameter of any name.

Other kinds run programs, read files of the worker's machine or send UDP. Other parameters read files (`template`,
`pgpkey`), follow redirects or turn off the check of certificates.
"""
_EVERY_KIND = "emojis format overflow tz"
_FIX = "FLEET_NOTIFY lists addresses as apprise writes them; docs/approvals.md has examples."


@dataclass(frozen=True, slots=True)
class Notice:
    """A message to people. `subject` is the event; `reference` identifies a message that arrives twice."""

    subject: str
    title: str
    body: str
    reference: str


@dataclass(frozen=True, slots=True)
class NoticeReach:
    """What an address that a user added may call: `opened(host, port)` allows plain text there, `admit` sees each name
    that is resolved.
    """

    opened: Callable[[str, int], bool]
    admit: Admit


ReachOf = Callable[[SecretStr], NoticeReach | None]


def names(addresses: Sequence[SecretStr]) -> tuple[str, ...]:
    """Return the names of the channels: the log, then each address by its scheme; the second of one is `slack-2`."""
    return (LOG, *_by_name(addresses))


def _by_name(addresses: Sequence[SecretStr]) -> Mapping[str, SecretStr]:
    seen: Counter[str] = Counter()
    found = {}
    for address in addresses:
        scheme = _kind(address)
        seen[scheme] += 1
        found[scheme if seen[scheme] == 1 else f"{scheme}-{seen[scheme]}"] = address
    return found


def _kind(address: SecretStr) -> str:
    """Return the part of an address that holds no secret."""
    return address.get_secret_value().partition("://")[0].strip().lower()[:30]


def check(addresses: Sequence[SecretStr], reach_of: ReachOf = lambda _: None) -> None:
    """Raise InvalidInput that names the first channel with an invalid address; sends nothing. See `deliver`."""
    for name, address in _by_name(addresses).items():
        _service(name, address, reach_of(address))


def deliver(addresses: Sequence[SecretStr], channel: str, notice: Notice, reach_of: ReachOf = lambda _: None) -> None:
    """Send a notice through one channel. `reach_of` returns what its address may call; None for one that is trusted.

    Raises Unavailable when it was not taken, InvalidInput for a wrong address.
    """
    if channel == LOG:
        log.info("notice", subject=notice.subject, title=notice.title, text=notice.body, reference=notice.reference)
        return
    address = _by_name(addresses).get(channel)
    if address is None:
        raise InvalidInput(f"There is no channel {channel} any more.", fix=_FIX)
    _send(channel, address, notice, reach_of(address))


def deliver_to(address: SecretStr, notice: Notice, reach: NoticeReach | None) -> None:
    """Send a notice to one address; None for one on a server that the settings name. Raises as `deliver`."""
    _send(_kind(address), address, notice, reach)


def mail_through(sender: SecretStr, recipient: str) -> SecretStr:
    """Return the address that sends e-mail to one recipient through the server of `sender`."""
    parts = urlsplit(sender.get_secret_value())
    query = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name != "to"]
    return SecretStr(urlunsplit(parts._replace(query=urlencode([*query, ("to", recipient)]))))


def check_of_user(address: SecretStr, reach: NoticeReach) -> None:
    """Raise InvalidInput for an address that a user must not have. Sends nothing and resolves no name."""
    _service(_kind(address), address, reach)


def _service(name: str, address: SecretStr, reach: NoticeReach | None) -> NotifyBase:
    """Return the one service of an address. Raises InvalidInput."""
    parsed = _parsed(name, address)
    if reach is not None:
        _check_parameters(parsed)
    made = _built(name, parsed)
    # An e-mail server may be another host than the address names.
    server = str(getattr(made, "smtp_host", "") or made.host).lower().strip("[]")
    if reach is not None and not _is_secure(made) and not reach.opened(server, made.port or 80):
        raise InvalidInput(f"An address of the kind {parsed['schema']} sends plain text.", fix=_kinds())
    return made


def _check_parameters(parsed: Mapping[str, Any]) -> None:
    """Raise InvalidInput for a kind that users must not have, or a parameter that is not of its list."""
    kind = str(parsed["schema"])
    allowed = USER_KINDS.get(kind, USER_KINDS.get(f"{kind}s"))
    if allowed is None:
        raise InvalidInput(f"An address that a user adds cannot be of the kind {kind[:30]}.", fix=_kinds())
    known = {*allowed.split(), *_EVERY_KIND.split()}
    for parameter in parsed["qsd"]:
        if parameter and parameter not in known and parameter[0] not in known:
            raise InvalidInput(
                f"An address of the kind {kind} cannot have the parameter {parameter[:30]!r}.", fix="Leave it out."
            )


def _is_secure(made: NotifyBase) -> bool:
    """Return whether a service calls its server over TLS."""
    mode = getattr(made, "secure_mode", None)  # of e-mail, whatever its scheme
    return mode != "insecure" if mode else made.protocol is None or made.secure


def _kinds() -> str:
    return f"Kinds: {', '.join(USER_KINDS)}."


def _send(name: str, address: SecretStr, notice: Notice, reach: NoticeReach | None) -> None:
    service = _service(name, address, reach)  # checked again: what is allowed changes between versions
    taken = _notify(service, notice) if reach is None else _notify_within(reach, service, notice)
    if not taken:
        # What apprise knows about it may quote the address, and so the secrets in it.
        raise Unavailable(f"The channel {name} did not take the notice.", fix="Is it up, and its address right?")


def _notify_within(reach: NoticeReach, service: NotifyBase, notice: Notice) -> bool:
    refusals: list[FleetError] = []

    def remember(host: str, port: int, found: Sequence[str]) -> None:
        try:
            reach.admit(host, port, found)
        except FleetError as error:  # apprise reports every error as "not taken"
            refusals.append(error)
            raise OSError("refused") from None

    with guard.admitting(remember):
        taken = _notify(service, notice)
    if refusals:
        raise refusals[0]
    return taken


def _notify(service: NotifyBase, notice: Notice) -> bool:
    import apprise

    sender = apprise.Apprise(service, asset=service.asset)
    body = f"{notice.body}\n\n[{notice.reference}]"
    return bool(sender.notify(body, title=notice.title, body_format="text", timeout=_TIMEOUT_S))


def _parsed(name: str, address: SecretStr) -> dict[str, Any]:
    """Return an address as apprise understands it. Raises InvalidInput, also for two addresses in one text."""
    from apprise.plugins import url_to_dict
    from apprise.utils.parse import parse_urls

    for talkative in _QUOTE_ADDRESSES:
        logging.getLogger(talkative).setLevel(logging.CRITICAL + 1)
    written = address.get_secret_value()
    if len(parse_urls(written)) > 1:  # type: ignore[no-untyped-call]
        raise InvalidInput(f"The channel {name} has several addresses in one.", fix="Add each by itself.")
    parsed: dict[str, Any] | None = url_to_dict(written)  # type: ignore[no-untyped-call]
    if not parsed:
        raise InvalidInput(f"The address of the channel {name} is not understood.", fix=_FIX)
    return parsed


def _built(name: str, parsed: dict[str, Any]) -> NotifyBase:
    import apprise

    # A receiver that redirects could have us call any address of this network.
    made = apprise.Apprise.instantiate(parsed, asset=apprise.AppriseAsset(http_redirects=False))
    if made is None:
        raise InvalidInput(f"The address of the channel {name} is not understood.", fix=_FIX)
    return made
