"""`fleet --server`: a command carried out by a fleet elsewhere, through its REST API and a token.

Called by `command` in the place of the command's own function. Knows HTTP and how answers look in a terminal; what is
called for which command stands in `remote_calls`.
"""

from __future__ import annotations

import ipaddress
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click
import httpx
from click.core import ParameterSource

from fleet.cli.remote_calls import CALLS, Call, Options
from fleet.core import clock
from fleet.core.errors import Conflict, FleetError, InvalidInput, NotFound, Unavailable

if TYPE_CHECKING:
    from fleet.cli.door import Door

_TIMEOUT_S = 30.0
_TRIES = 3
_LARGEST_PAGE = 200
_KINDS: Mapping[int, type[FleetError]] = {
    404: NotFound, 409: Conflict, 412: Conflict, 422: InvalidInput, 429: Unavailable, 503: Unavailable,
}  # fmt: skip
_OURS = frozenset({"as_json", "yes"})
"""Options about this terminal, which no server needs."""
_EVERY = "every"
"""The option of lists, --all, that takes back what they usually leave out."""


def carry_out(door: Door, ctx: click.Context) -> None:
    """Do on the server what the command would do here. Raises FleetError."""
    name = ctx.command_path.partition(" ")[2]
    call = CALLS.get(name)
    if call is None:
        raise InvalidInput(
            f"`fleet {name}` does not work with --server.", fix="Run it on the fleet's machine, or use the dashboard."
        )
    options = {key: value for key, value in ctx.params.items() if value not in (None, (), "")}
    _refuse_unknown(ctx, call, options)
    if call.asks:
        door.confirm(call.asks, yes=bool(options.get("yes")))
    with _client(door) as client:
        for one in _spread(call, options):
            _tell(door, call, one, _send(client, call, one), as_json=bool(options.get("as_json")))


def _refuse_unknown(ctx: click.Context, call: Call, options: Options) -> None:
    """Refuse an option that the API has no place for: to ignore one would do something else than was meant."""
    placed = {*call.query, *_OURS, call.each, *(name for name in options if f"{{{name}}}" in call.path)}
    placed |= {_EVERY} if call.usually else set()
    if call.body is not None and not callable(call.body):
        placed |= set(call.body)
    for name in options:
        said = ctx.get_parameter_source(name) in (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)
        if said and name not in placed and not (callable(call.body) and name != "dry_run"):
            raise InvalidInput(f"{_written(ctx, name)} does not work with --server.", fix="Leave it out.")


def _written(ctx: click.Context, name: str) -> str:
    """Return an option as people write it, which is not always what the code calls it."""
    options = [param for param in ctx.command.params if param.name == name and isinstance(param, click.Option)]
    return next((max(option.opts, key=len) for option in options), name)


def _spread(call: Call, options: Options) -> Iterator[Options]:
    if not call.each:
        yield options
        return
    for value in options[call.each]:
        yield {**options, call.each: value}


def _client(door: Door) -> httpx.Client:
    if not door.token:
        raise InvalidInput("--server needs a token.", fix="Set FLEET_TOKEN; `fleet tokens create` makes one there.")
    server = door.server.rstrip("/")
    if not server.startswith(("http://", "https://")):
        raise InvalidInput(f"--server is no address: {server}.", fix="Write it as https://fleet.example.org.")
    if not door.token.isascii() or not door.token.isprintable():
        raise InvalidInput("FLEET_TOKEN holds signs that no token has.", fix="Set it to the token alone, on one line.")
    headers = {"authorization": f"Bearer {door.token}", "accept": "application/json"}
    try:
        address = httpx.URL(f"{server}/api/v1")
    except httpx.InvalidURL:
        raise InvalidInput(f"--server is no address: {server}.", fix="Write it as https://fleet.example.org.") from None
    is_plain = address.scheme == "http"
    if is_plain and not _is_loopback(address.host):
        raise InvalidInput(
            "--server by http:// sends the token in clear text over the network.",
            fix=f"Write https://, or lead a port there: ssh -L 8630:localhost:8630 {address.host}",
        )
    # What is not encrypted goes to no proxy of the environment either.
    return httpx.Client(base_url=address, headers=headers, timeout=_TIMEOUT_S, follow_redirects=False,
                        trust_env=not is_plain)  # fmt: skip


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _send(client: httpx.Client, call: Call, options: Options) -> Mapping[str, Any]:
    """Make the call. It is made again when the line breaks, under the same key, so that nothing is done twice."""
    _refuse_beginnings(options)
    path = call.path.format(**{name: quote(str(value), safe="") for name, value in options.items()})
    query: dict[str, Any] = {} if options.get(_EVERY) else dict(call.usually)
    query |= {name: _plain(options[key]) for key, name in call.query.items() if key in options}
    if "limit" in query:
        query["limit"] = min(query["limit"], _LARGEST_PAGE)
    body = call.body(options) if callable(call.body) else _body(call.body, options)
    headers = {} if call.method == "GET" else {"idempotency-key": str(uuid.uuid4())}
    for attempt in range(1, _TRIES + 1):
        try:
            answer = client.request(call.method, path, params=query, json=_json(body), headers=headers)
        except httpx.TransportError as error:
            if attempt == _TRIES:
                raise Unavailable(
                    f"The server does not answer ({type(error).__name__}).", fix="Is its address right, and is it up?"
                ) from None
        except httpx.DecodingError:
            raise _stranger(200) from None
        else:
            return _read(answer)
    raise AssertionError("unreachable")


def _refuse_beginnings(options: Options) -> None:
    """Refuse the first characters of an id, which do at home: the API knows whole ones alone."""
    given = options.get("prefixes") or options.get("prefix") or ()
    for one in (given,) if isinstance(given, str) else given:
        try:
            uuid.UUID(one)
        except ValueError:
            raise InvalidInput(f"{one!r} is no whole id.", fix="Lists with --server show them in full.") from None


def _body(names: Mapping[str, str] | None, options: Options) -> Mapping[str, Any] | None:
    return None if names is None else {field: options[name] for name, field in names.items() if name in options}


def _json(body: Mapping[str, Any] | None) -> Any:
    return None if body is None else {name: _plain(value) for name, value in body.items()}


def _plain(value: Any) -> Any:
    """Return a value as the API takes it; an age becomes the moment that long ago."""
    match value:
        case timedelta():
            return (clock.now() - value).isoformat().replace("+00:00", "Z")
        case tuple() | list():
            return [_plain(one) for one in value]
        case Mapping():
            return {name: _plain(one) for name, one in value.items()}
    return value


def _read(answer: httpx.Response) -> Mapping[str, Any]:
    """Return what was answered, an object always. Raises the FleetError that stands in it."""
    try:
        told = answer.json() if answer.content else {}
        if answer.is_success and isinstance(told, dict):
            return told
        detail, fix = str(told["detail"]), told.get("fix")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise _stranger(answer.status_code) from None
    if answer.status_code == 401:
        raise FleetError("The server does not take this token.", fix="Is FLEET_TOKEN one of that fleet, and not ended?")
    raise _KINDS.get(answer.status_code, FleetError)(detail, fix=None if fix is None else str(fix))


def _stranger(status: int) -> Unavailable:
    return Unavailable(f"The server answers {status}, and not as Fleet would.", fix="Is this the dashboard's address?")


def _tell(door: Door, call: Call, options: Options, told: Mapping[str, Any], *, as_json: bool) -> None:
    from fleet.cli import render

    if as_json:
        door.json(told)
    elif call.done:
        door.say(_done(call, {**options, **told}))
    elif call.columns:
        if not isinstance(told.get("items"), list):
            raise _stranger(200)
        _list(door, call, told["items"])
        if told.get("next"):
            door.note("There are more; --limit shows up to 200.")
    else:
        door.show(render.facts([(name.replace("_", " ").capitalize(), _cell(value)) for name, value in told.items()]))


def _done(call: Call, told: Mapping[str, Any]) -> str:
    if call.already and not isinstance(told.get("changed"), bool):
        raise _stranger(200)
    words = call.done if told.get("changed", True) else call.already
    try:
        return words.format(**told)
    except KeyError:
        raise _stranger(200) from None


def _list(door: Door, call: Call, items: Sequence[Mapping[str, Any]]) -> None:
    from fleet.cli import render

    if not items:
        door.note(call.none)
        return
    table = render.table(*(name.removesuffix("_at").replace("_", " ").capitalize() for name in call.columns))
    for item in items:
        render.row(table, *(_cell(item.get(name)) for name in call.columns))
    door.show(table)


def _cell(value: Any) -> str:
    match value:
        case None:
            return "–"
        case bool():
            return "yes" if value else "no"
        case Mapping():
            return ", ".join(f"{name} {_cell(one)}" for name, one in value.items()) or "–"
        case list():
            return ", ".join(_cell(one) for one in value) or "–"
    return str(value)
