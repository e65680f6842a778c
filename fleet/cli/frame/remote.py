"""`fleet --server`: a command carried out by a fleet elsewhere, through its REST API and a token.

Called by `command` in the place of the command's own function. Knows HTTP and how answers look in a terminal; each
command declares its call (`remote_call`).
"""

from __future__ import annotations

import ipaddress
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click
import httpx
from click.core import ParameterSource

from fleet.cli.frame.remote_call import Call, Options
from fleet.core import clock
from fleet.core.errors import Conflict, FleetError, InvalidInput, NotFound, Unavailable
from fleet.core.workarounds import httpx as http_deadline

if TYPE_CHECKING:
    from fleet.cli.frame.context import Door

_TIMEOUT_S = 30.0
_TRIES = 3
_MOST_BYTES = 16 * 1024 * 1024
"""Far more than any page of the API has; whoever sends more is no Fleet."""
_LARGEST_PAGE = 200
_KINDS: Mapping[int, type[FleetError]] = {
    404: NotFound, 409: Conflict, 412: Conflict, 422: InvalidInput, 429: Unavailable, 503: Unavailable,
}  # fmt: skip
_OURS = frozenset({"as_json", "yes"})
"""Options about this terminal, which no server needs."""
_UNITS = ("_at", "_microusd", "_s")
_ID_CHARS = 36
_ABSURD = 10**15
_EVERY = "every"
"""The option of lists, --all, that takes back what they usually leave out."""


def carry_out(door: Door, ctx: click.Context, call: Call | None) -> None:
    """Do on the server what the command would do here. Raises InvalidInput where no call does that, FleetError."""
    name = ctx.command_path.partition(" ")[2]
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
    headers = {"authorization": f"Bearer {door.token}", "accept": "application/json", "accept-encoding": "identity"}
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
    client = httpx.Client(base_url=address, headers=headers, timeout=_TIMEOUT_S, follow_redirects=False,
                          trust_env=not is_plain)  # fmt: skip
    http_deadline.bound(client, httpx.ReadTimeout)
    return client


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
            with client.stream(call.method, path, params=query, json=_json(body), headers=headers) as answer:
                http_deadline.read(answer, _MOST_BYTES, httpx.DecodingError)
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
    from fleet.cli.frame import render

    if as_json:
        door.json(told)
    elif call.done:
        door.say(_done(call, {**options, **told}))
    elif call.columns:
        items = told.get("items")
        if not isinstance(items, list) or not all(isinstance(one, Mapping) for one in items):
            raise _stranger(200)
        _list(door, call, items)
        if told.get("next"):
            door.note("There are more; --limit shows up to 200.")
    else:
        now = clock.now()
        door.show(render.facts([(_heading(name), _cell(value, _unit(name), now)) for name, value in told.items()]))


def _done(call: Call, told: Mapping[str, Any]) -> str:
    if call.already and not isinstance(told.get("changed"), bool):
        raise _stranger(200)
    words = call.done if told.get("changed", True) else call.already
    try:
        return words.format(**told)
    except KeyError:
        raise _stranger(200) from None


def _list(door: Door, call: Call, items: Sequence[Mapping[str, Any]]) -> None:
    from fleet.cli.frame import render

    if not items:
        door.note(call.none)
        return
    now = clock.now()
    table = render.table(*((_heading(name), {"min_width": _ID_CHARS} if name == "id" else {}) for name in call.columns))
    for item in items:
        render.row(table, *(_cell(item.get(name), _unit(name), now) for name in call.columns))
    door.show(table)


def _unit(name: str, of_the_whole: str = "") -> str:
    """Return the unit that the API writes at the end of a field's name, or that of what it is a part of."""
    return "_at" if name == "until" else next((unit for unit in _UNITS if name.endswith(unit)), of_the_whole)


def _heading(name: str) -> str:
    """Return a field's name for people, without the unit: that stands with the value."""
    return name.removesuffix(_unit(name)).replace("_", " ").capitalize()


def _cell(value: Any, unit: str, now: datetime) -> str:
    """Return a value as the same command says it at home: moments from now, amounts in dollars."""
    from fleet.cli.frame import render
    from fleet.spending.budgets import dollars

    match value:
        case None:
            return "–"
        case bool():
            return "yes" if value else "no"
        case Mapping():
            parts = ((name, _unit(name, unit), one) for name, one in value.items())
            return ", ".join(f"{name.removesuffix(own)} {_cell(one, own, now)}" for name, own, one in parts) or "–"
        case list():
            return ", ".join(_cell(one, unit, now) for one in value) or "–"
        case str() if unit == "_at":
            return _when(value, now)
        case int() | float() if unit == "_s" and 0 <= value < _ABSURD:
            return render.span(value)
        case int() if unit == "_microusd" and 0 <= value < _ABSURD:
            return dollars(value)
    return str(value)


def _when(written: str, now: datetime) -> str:
    from fleet.cli.frame import render

    try:
        return render.when(datetime.fromisoformat(written), now)
    except (ValueError, TypeError):  # no moment, or one without a zone
        return written
