"""Many people who look at the live stream: raw sockets in one thread, so that the server is what is measured.

Each event that is told carries a number; a sample of the viewers looks for it and notes how long it took.
"""

from __future__ import annotations

import asyncio
import re
import threading
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import psutil

from fleet.core import events
from fleet.engine.deps import Deps
from fleet.web.auth import plain_cookie_name

_NUMBER = re.compile(rb"event-number-(\d+)-")
SAMPLED = 20
_SUBJECTS = ("agent.thought", "job.done", "job.done", "job.retrying")  # in whose lines the words stand


@dataclass
class Watched:
    """What many viewers cost and saw. Delays are seconds from COMMIT to the viewer's socket."""

    viewers: int
    rate_s: float
    took_s: float = 0.0
    processor_s: float = 0.0
    bytes: int = 0
    told: int = 0
    lost: int = 0
    delays_s: list[float] = field(default_factory=list)

    @property
    def cores(self) -> float:
        """Return how much of a core the server used."""
        return self.processor_s / self.took_s

    def delay_ms(self, share: float) -> float:
        """Return the delay that this share of what was seen stayed below."""
        ordered = sorted(self.delays_s) or [float("nan")]
        return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def watch(deps: Deps, url: str, cookie: str, pid: int, *, viewers: int, rate_s: float, for_s: float) -> Watched:
    """Let viewers listen while events are told at a rate, and return what it cost the server process."""
    return asyncio.run(_watch(deps, url, cookie, pid, Watched(viewers, rate_s), for_s))


async def _watch(deps: Deps, url: str, cookie: str, pid: int, found: Watched, for_s: float) -> Watched:
    told: dict[int, float] = {}
    ends = [await _open(url, cookie) for _ in range(found.viewers)]
    listening = [
        asyncio.create_task(_listen(reader, found, told if number < SAMPLED else None))
        for number, (reader, _) in enumerate(ends)
    ]
    await asyncio.sleep(2)  # their first requests are not what is measured
    stop = threading.Event()
    teller = threading.Thread(target=_tell, args=(deps, told, found.rate_s, stop))
    found.bytes = 0
    before_s, began_s = _processor_s(pid), time.monotonic()
    teller.start()
    await asyncio.sleep(for_s)
    found.took_s, found.processor_s = time.monotonic() - began_s, _processor_s(pid) - before_s
    stop.set()
    await asyncio.to_thread(teller.join)
    await asyncio.sleep(3)
    found.told = len(told)
    found.lost = found.told * min(SAMPLED, found.viewers) - len(found.delays_s)
    for task, (_, writer) in zip(listening, ends, strict=True):
        task.cancel()
        writer.close()
    return found


async def _open(url: str, cookie: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    where = urlsplit(url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    writer.write(
        f"GET /live?feed=1 HTTP/1.1\r\nHost: {where.netloc}\r\nCookie: {plain_cookie_name(where.port)}={cookie}\r\n"
        "Accept: text/event-stream\r\n\r\n".encode()
    )
    await writer.drain()
    status = await reader.readline()
    if b" 200 " not in status:
        raise RuntimeError(f"/live answers {status.decode().strip()}")
    return reader, writer


async def _listen(reader: asyncio.StreamReader, found: Watched, told: dict[int, float] | None) -> None:
    seen: set[int] = set()
    rest = b""
    while chunk := await reader.read(65536):
        found.bytes += len(chunk)
        if told is None:
            continue
        now_s = time.monotonic()
        rest += chunk
        for match in _NUMBER.finditer(rest):
            number = int(match[1])
            if number not in seen and number in told:
                seen.add(number)
                found.delays_s.append(now_s - told[number])
        rest = rest[-200:]


def _tell(deps: Deps, told: dict[int, float], rate_s: float, stop: threading.Event) -> None:
    number, began_s = 0, time.monotonic()
    while not stop.is_set():
        subject = _SUBJECTS[number % len(_SUBJECTS)]
        words = f"event-number-{number}-"
        with deps.db.transaction() as tx:
            # Known before COMMIT returns: a viewer may be told sooner than this thread is woken.
            told[number] = time.monotonic()
            events.emit(tx, subject, agent="Ada Bright", persona="ai_artist", kind="comment", action="comment",
                        to="Zoe", thought=words, text=words, error=words, fields=[words])  # fmt: skip
        number += 1
        stop.wait(max(0.0, began_s + number / rate_s - time.monotonic()))


def _processor_s(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)
