"""An end to what receivers of notices answer: the libraries that apprise sends with read as much as somebody likes.

Called by `channels`, before anything is sent. Neither library has a place of its own for a limit, so the part of each
that reads is replaced in this process. Must not make a notice that was taken look as if it had not been: it would come
again.
"""

from __future__ import annotations

import smtplib
from typing import Any, BinaryIO

import requests
from requests.adapters import HTTPAdapter

from fleet.core import clock

MOST_BYTES = 1024 * 1024
LONGEST_S = 30.0
_PIECE_BYTES = 1024
_GETREPLY = smtplib.SMTP.getreply


def install() -> None:
    """Have what is sent by HTTP and by mail from now on read short answers only; doing it again changes nothing."""
    requests.sessions.HTTPAdapter = _Adapter  # type: ignore[attr-defined]  # where every new session looks for it
    smtplib.SMTP.getreply = _getreply  # type: ignore[method-assign]


class _Adapter(HTTPAdapter):
    """Reads an answer up to its limits and no further: whether a notice was taken stands in the status before it."""

    def send(self, *args: Any, **options: Any) -> requests.Response:
        response = super().send(*args, **options)
        until_s = clock.monotonic_s() + LONGEST_S
        pieces, size = [], 0
        for piece in response.iter_content(_PIECE_BYTES):
            pieces.append(piece)
            size += len(piece)
            if size >= MOST_BYTES or clock.monotonic_s() > until_s:
                response.close()
                break
        response._content, response._content_consumed = b"".join(pieces), True
        return response


class _Lines:
    """What a mail server says on one connection; a reply may have any number of lines."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._left_bytes = MOST_BYTES

    def readline(self, most: int) -> bytes:
        line = self._file.readline(most)
        self._left_bytes -= len(line)
        if self._left_bytes < 0:
            raise OSError("the mail server says too much")  # which ends the connection
        return line

    def close(self) -> None:
        self._file.close()


def _getreply(self: Any) -> tuple[int, bytes]:
    if self.file is None:
        self.file = _Lines(self.sock.makefile("rb"))
    return _GETREPLY(self)
