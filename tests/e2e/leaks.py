"""Looking for secrets in everything that a run has written: files, tables, the broker, what commands print.

Knows nothing of how secrets are masked, so that it cannot share a mistake with it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import redis
import sqlalchemy as sa


def forms(secret: str) -> dict[str, bytes]:
    """Return the ways in which a secret may stand somewhere, by their names."""
    found = {
        "plain": secret, "url": quote(secret, safe=""), "form": quote_plus(secret), "json": json.dumps(secret)[1:-1],
        "hex": secret.encode().hex(),
    }  # fmt: skip
    for shift in range(3):
        # The letters at both ends also hold bits of the neighbours.
        inside = base64.b64encode(b"x" * shift + secret.encode()).decode().rstrip("=")
        found[f"base64+{shift}"] = inside[shift + 1 if shift else 0 : -1]
        found[f"base64url+{shift}"] = found[f"base64+{shift}"].translate(str.maketrans("+/", "-_"))
    return {name: form.encode() for name, form in found.items()}


def leaks(places: Mapping[str, bytes], secrets: Mapping[str, str]) -> list[str]:
    """Return where which secret stands, and how it is written."""
    wanted = [(name, how, form) for name, secret in secrets.items() for how, form in forms(secret).items()]
    return [
        f"{name} ({how}) in {place}: {_around(data, form)}"
        for place, data in places.items()
        for name, how, form in wanted
        if form in data
    ]


def _around(data: bytes, form: bytes) -> str:
    at = data.index(form)
    return repr(data[max(0, at - 80) : at] + b"[HERE]" + data[at + len(form) : at + len(form) + 40])


def files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Return every file below a folder."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield str(path.relative_to(folder)), path.read_bytes()


def tables(url: str) -> Iterator[tuple[str, bytes]]:
    """Return all columns of all tables as text; what is binary there, in hexadecimal."""
    engine = sa.create_engine(url)
    try:
        with engine.connect() as connection:
            for table in sa.inspect(connection).get_table_names():
                rows = connection.execute(sa.text(f'SELECT row_to_json(t)::text FROM "{table}" t'))
                yield f"table {table}", "\n".join(row[0] for row in rows).encode()
    finally:
        engine.dispose()


def broker(url: str) -> Iterator[tuple[str, bytes]]:
    """Return everything that the broker holds."""
    with redis.Redis.from_url(url) as client:
        readers: dict[bytes, Any] = {
            b"list": lambda key: client.lrange(key, 0, -1), b"hash": lambda key: list(client.hgetall(key).items()),
            b"set": lambda key: list(client.smembers(key)), b"zset": lambda key: client.zrange(key, 0, -1),
            b"string": lambda key: [client.get(key)],
        }  # fmt: skip
        for key in client.scan_iter():
            held = readers[client.type(key)](key)
            yield f"broker {key!r}", b"\n".join([key, *map(_bytes, held)])


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else b" ".join(map(_bytes, value))
