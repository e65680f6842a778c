"""A fleet's day with models, in minutes; run `python -m bench.day --agents 100 --minutes 8`. Also called by a test.

`fleet up` with real processes, embedded servers and the gallery, and two local model servers that count tokens; the
first is overloaded for a tenth of the day. At its end the day is judged by the ledger: what it cost and by whom, what
was published, skipped and why, whether anybody fell silent, a text appeared twice or was paid twice.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bench.live import say
from fleet.core.db import Database
from fleet.features.content.checks import similar
from fleet.features.personas import library
from fleet.llm.base import PostRequest, Speaker
from fleet.llm.offline.provider import OfflineProvider
from fleet.sandbox.processes.runfile import RunFile
from tests.model_server import ModelServer, Question, Reply

HOUR_S = 3_600
FASTEST = 1_000
_OVERLOAD = Reply(529, headers={"retry-after": "1"})
_OPENINGS = ("I keep coming back to", "Nobody told me about", "What holds this together is", "See how far you took",
             "There is a whole story in", "You almost lost me, and then came", "I would have cut", "Seldom do I see",
             "My whole morning went into", "It took me three looks to find", "Somebody was patient with",
             "Next time, more of")  # fmt: skip
_THINGS = ("the dark third on the left", "that seam of light", "the low heavy edge", "one stray reflection",
           "the grain in the shadows", "the empty corner", "that slow gradient", "the second outline",
           "the gap between shapes", "that stubborn blue", "the tilted horizon", "the calm background")  # fmt: skip
_ENDINGS = ("and it never explains itself.", "as if the rest waited for it.", "which I would not dare.",
            "before I even saw the subject.", "so the eye has somewhere to sleep.", "though it should not work.",
            "and now mine looks loud.", "like a door left open.", "because everything else is calm.",
            "and that is the whole trick.", "where I expected a lamp.", "until the frame runs out.")  # fmt: skip


class Mind:
    """A model with a persona's manner that now and then says what it has said before, as models do."""

    def __init__(self, *, repeats_every: int = 40) -> None:
        self._numbers = itertools.count(1)
        self._repeats_every = repeats_every
        self._library = list(library.load())
        self._said: dict[bool, str] = {}

    def __call__(self, question: Question) -> str:
        number = next(self._numbers)
        if number % self._repeats_every == 0 and question.is_post in self._said:
            return self._said[question.is_post]
        dice = random.Random(number)
        self._said[question.is_post] = self._post(question, dice) if question.is_post else self._comment(question, dice)
        return self._said[question.is_post]

    def _post(self, question: Question, dice: random.Random) -> str:
        one = next(one for one in self._library if one.character.personality[:40] in question.system)
        speaker = Speaker("", one.id, one.character, one.workflow_types, one.grammar)
        words, _ = OfflineProvider().write_post(PostRequest(speaker), dice)
        return json.dumps({"reason": "It was its turn.", "image_prompt": words.image_prompt, "caption": words.caption,
                           "alt_text": words.alt_text})  # fmt: skip

    def _comment(self, question: Question, dice: random.Random) -> str:
        said = " ".join(dice.choice(part) for part in (_OPENINGS, _THINGS, _ENDINGS))
        return json.dumps({"reason": "It has an edge.", "post": 1 + dice.randrange(len(question.seen)), "text": said})


@dataclass
class Day:
    """What became of a day."""

    costs: dict[str, list[dict[str, Any]]]
    published: dict[str, int]
    skipped: dict[str, int]
    silent: list[str]
    """Agents whose every text failed."""
    twice: list[str]
    alike: list[str]
    """Texts as much like an earlier one as the review forbids."""
    paid_twice: list[str]
    refused_drafts: int
    by: dict[str, int]
    breaker: dict[str, int]
    dead: dict[str, int]

    def lines(self) -> Iterator[str]:
        """Tell of it, as Markdown."""
        for by, rows in self.costs.items():
            yield f"\n| {by} | calls | failed | input | cached | output | $ |\n|---|--:|--:|--:|--:|--:|--:|"
            for one in rows:
                told = one["input_tokens"] + one["cache_read_tokens"] + one["cache_write_tokens"]
                yield (f"| {one['key']} | {one['calls']:,} | {one['failed']:,} | {told:,} | "
                       f"{one['cache_read_tokens'] / max(1, told):.0%} | {one['output_tokens']:,} | "
                       f"{one['microusd'] / 1e6:.4f} |")  # fmt: skip
        yield f"\npublished: {_told(self.published)}; written by {_told(self.by)}"
        yield f"skipped: {_told(self.skipped)}; dead letters: {_told(self.dead)}; drafts refused: {self.refused_drafts}"
        yield f"the first model's breaker: {_told(self.breaker)}"
        yield (f"texts that appeared twice: {len(self.twice)}; near-duplicates: {len(self.alike)}; "
               f"texts paid twice: {len(self.paid_twice)}; silent agents: {len(self.silent)}")  # fmt: skip


def _told(numbers: dict[str, int]) -> str:
    return ", ".join(f"{number:,} {what}" for what, number in numbers.items()) or "none"


@dataclass
class Up:
    """A fleet that runs in a folder."""

    home: Path
    process: subprocess.Popen[bytes]

    @property
    def log(self) -> str:
        """All that it has printed."""
        return self.home.with_suffix(".log").read_text(errors="replace")

    def cli(self, *arguments: str) -> Any:
        """Run another command on it and return its JSON."""
        argv = [sys.executable, "-m", "fleet.cli", "--home", str(self.home), *arguments, "--json"]
        return json.loads(subprocess.run(argv, capture_output=True, check=True, timeout=120).stdout)

    def wait_until(self, what: str, true: Callable[[], object], *, timeout_s: float) -> None:
        """Wait for something. Raises when it does not come, or the fleet ends meanwhile."""
        until_s = time.monotonic() + timeout_s
        while not true():
            if self.process.poll() is not None or time.monotonic() > until_s:
                raise RuntimeError(f"never happened: {what}\n{self.log[-3000:]}")
            time.sleep(0.2)


@contextmanager
def up(folder: Path, agents: int, tempo: float, environment: dict[str, str]) -> Iterator[Up]:
    """Run a fleet in real processes until the block ends."""
    home = folder / "home"
    argv = [sys.executable, "-m", "fleet.cli", "up", "--home", str(home), "--agents", str(agents), "--tempo",
            str(tempo), "--no-flower", "--no-metrics"]  # fmt: skip
    with home.with_suffix(".log").open("wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
                                   env={**os.environ, **environment})  # fmt: skip
    made = Up(home, process)
    try:
        made.wait_until("all is running", lambda: "All is running" in made.log, timeout_s=180)
        yield made
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def live(agents: int, minutes: float, folder: Path, *, hours: float = 24.0, pace: float = 3.0,
         at_least: int = 0) -> Day:  # fmt: skip
    """Let a fleet live for some hours and return what became of them.

    Its agents wake `pace` times more rarely than their personas say, so that one machine keeps up with them. They live
    on until `at_least` texts are published, however slow the machine is.
    """
    mind, lasts_s = Mind(), minutes * 60
    tempo = min(FASTEST, hours * HOUR_S / lasts_s)
    with ExitStack() as stack:
        first, second = (stack.enter_context(ModelServer(mind).running()) for _ in range(2))
        environment = {
            "ANTHROPIC_API_KEY": "sk-ant-for-a-local-server", "ANTHROPIC_BASE_URL": first.url,
            "OPENAI_API_KEY": "sk-for-a-local-server", "OPENAI_BASE_URL": f"{second.url}/v1",
            "FLEET_SURFACE_WRITES_PER_MINUTE": "0",
        }  # fmt: skip
        fleet = stack.enter_context(up(folder, agents, tempo, environment))
        info = RunFile.read(fleet.home)
        assert info is not None
        db = Database(info.database_url, pool_size=2)
        stack.callback(db.close)
        _run(db, "UPDATE agents SET min_interval_s = min_interval_s * :pace, max_interval_s = max_interval_s * :pace",
             pace=pace)  # fmt: skip
        say(f"the day begins: {agents} agents, {tempo:.0f} times faster than life")
        time.sleep(lasts_s * 0.45)
        fleet.wait_until("the first text", lambda: _counts(db, "kind", _PUBLISHED), timeout_s=120)
        first.always = _OVERLOAD
        say("the first model is overloaded")
        time.sleep(lasts_s * 0.1)
        first.always = None
        say("the first model is well again")
        time.sleep(lasts_s * 0.45)
        fleet.wait_until("enough texts", lambda: sum(_counts(db, "kind", _PUBLISHED).values()) >= at_least,
                         timeout_s=120)  # fmt: skip
        _run(db, "UPDATE agents SET next_tick_at = next_tick_at + interval '1 year'")
        say("the day is over; what was begun is finished")
        fleet.wait_until("every job has ended", lambda: not _live_jobs(db), timeout_s=180)
        costs = {by: fleet.cli("costs", "--by", by)["sums"] for by in ("provider", "persona")}
        return judge(db, costs, fleet.log + "".join(
            path.read_text(errors="replace") for path in fleet.home.rglob("*.log")))  # fmt: skip


_PUBLISHED = "state = 'done' AND kind IN ('post', 'comment')"
_TEXT = "coalesce(checkpoint->'words:2'->>'caption', checkpoint->'words:2'->>'text', checkpoint->'words'->>'caption', "
_TEXT += "checkpoint->'words'->>'text')"


def judge(db: Database, costs: dict[str, list[dict[str, Any]]], log: str) -> Day:
    """Read the ledger."""
    texts = _run(db, f"SELECT id, agent_id, {_TEXT} FROM jobs WHERE {_PUBLISHED} ORDER BY sending_at")
    seen: set[str] = set()
    recent = similar.RecentTexts(100_000)
    twice, alike = [], []
    for job_id, agent_id, said in texts:
        if said in seen:
            twice.append(said)
        elif similar.repeats(said, str(agent_id), recent):
            alike.append(said)
        seen.add(said)
        recent.add(str(job_id), str(agent_id), said)
    return Day(
        costs=costs,
        published=_counts(db, "kind", _PUBLISHED),
        skipped=_counts(db, "split_part(error, ';', 1)", "state = 'skipped'"),
        silent=[row[0] for row in _run(db, _SILENT)],
        twice=twice,
        alike=alike,
        paid_twice=[str(row[0]) for row in _run(db, _PAID_TWICE)],
        refused_drafts=int(_run(db, "SELECT count(*) FROM events WHERE subject = 'content.refused'")[0][0]),
        by=_counts(db, "coalesce(checkpoint->'words:2'->>'by', checkpoint->'words'->>'by')",
                   _PUBLISHED),
        breaker={"openings": log.count("provider_rests"), "closings": log.count("provider_is_back")},
        dead=_counts(db, "dead_reason", "state = 'dead'"),
    )  # fmt: skip


_SILENT = """
SELECT a.username FROM agents a JOIN jobs j ON j.agent_id = a.id WHERE j.kind IN ('post', 'comment')
GROUP BY a.username HAVING count(*) FILTER (WHERE j.state = 'done') = 0
"""
# An answer that a job was given and that is in none of its drafts was paid for and lost.
_PAID_TWICE = """
SELECT c.job_id FROM llm_calls c JOIN jobs j ON j.id = c.job_id WHERE c.outcome IN ('answered', 'repaired')
GROUP BY c.job_id, j.checkpoint
HAVING count(*) > (SELECT count(*) FROM jsonb_object_keys(j.checkpoint) AS step WHERE step IN ('words', 'words:2'))
"""


def _counts(db: Database, what: str, where: str) -> dict[str, int]:
    rows = _run(db, f"SELECT {what}, count(*) FROM jobs WHERE {where} GROUP BY 1 ORDER BY 2 DESC, 1")
    return {str(row[0]): int(row[1]) for row in rows}


def _live_jobs(db: Database) -> int:
    return int(_run(db, "SELECT count(*) FROM jobs WHERE state IN ('ready', 'running', 'sending', 'unknown')")[0][0])


def _run(db: Database, statement: str, **parameters: object) -> list[Any]:
    with db.transaction() as tx:
        done: Any = tx.execute(sa.text(statement), parameters)
        return list(done) if done.returns_rows else []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agents", type=int, default=100)
    parser.add_argument("--minutes", type=float, default=8.0, help="how long the day takes")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fleet-day-") as folder:
        day = live(arguments.agents, arguments.minutes, Path(folder))
    print("\n".join(day.lines()))


if __name__ == "__main__":
    main()
