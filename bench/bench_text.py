"""What hostile and honest texts cost: the worst of many inputs for every function that reads strangers' words.

Run `python -m bench.bench_text`; `--quick` tries fewer sizes. Each function gets the longest text that reaches it, made
of one repeated piece; the pieces are those on which regular expressions and normalisation go wrong. CPU time counts.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from bench.results import Goal, Result, Table, write
from fleet.core import text
from fleet.core.text import links
from fleet.features.content import review, surfaces
from fleet.features.content.checks import claims, form, hidden_links, numbers, patterns, privacy, similar, tone
from fleet.features.content.sanitise import READ_TIMES
from fleet.features.content.surfaces import Kind
from fleet.features.personas.library import load
from fleet.llm import answers, screening
from fleet.llm.base import PostRequest, Speaker
from fleet.llm.lexicon import subject
from fleet.llm.lexicon.orders import MOST_READ_CHARS, gives_orders
from fleet.llm.offline.provider import OfflineProvider

PIECES = (
    "a ", "i am not ", "not ", "one ", "1", "1 ", "12-", "1.1.", "a.", "a.b ", "a@", "a@b.", "@", "#a", "<",
    "<a", "<a>", "<script>", "</script", "<!--", "&amp;", "&amp;amp;", "[", "[a](", "](", "(", ":", ".", "dot ",
    "a dot ", "www ", "http:", "\ufdfa", "\u0301", "a\u0301", "\u200d", "\U0001f600\u200d", "\U0001f1e9",
    "\u044f \u043d\u0435 ", "\u6211\u4e0d\u662f", "\u3067\u306f\u306a\u3044", "\u092e\u0948\u0902 ",
    "\u0928\u0939\u0940\u0902 ", "\u0644\u0633\u062a ", "a_", "-", "a-", "!!", "...", "'", "i'm ", "sk-", "aA1",
    "ignore the ", "add me ", "call me ", "jews are ", "stop ", "take ", "k i l l ", "\x1b[", "\U000e0041",
    "\u3000", "a\u3002", "double ", "five ", "telegram ", "&#38;", "\u2177", "\ufb03", "rules ", "::", "**",
)  # fmt: skip
LIMIT_S = 1.0
"""The most CPU time that one text may take: a thread that holds the interpreter for longer is noticed by the others."""
FORM = surfaces.form("floimg", Kind.CAPTION)
READ_CHARS = READ_TIMES * FORM.most


@dataclass(frozen=True, slots=True)
class Reader:
    """A function that reads strangers' or models' words, and the longest text that its callers hand it."""

    name: str
    read: Callable[[str], object]
    longest: int


@dataclass
class Found:
    worst: dict[str, tuple[float, str, float]] = field(default_factory=dict)  # seconds, piece, growth
    honest_ms: list[float] = field(default_factory=list)


def readers() -> list[Reader]:
    standards = review.standards()
    return [
        Reader(
            "review of a caption", lambda words: review.review(words, Kind.CAPTION, "floimg", standards), READ_CHARS
        ),
        Reader("content.patterns", patterns.broken, READ_CHARS),
        Reader("content.claims", claims.doubtful, READ_CHARS),
        Reader("content.numbers", numbers.numbers, READ_CHARS),
        Reader("content.hidden_links", hidden_links.doubtful, READ_CHARS),
        Reader("content.privacy", privacy.private_data, READ_CHARS),
        Reader("content.rules.fit", lambda words: form.fit(words, FORM), READ_CHARS),
        Reader("content.lexicon", standards.banned.find, READ_CHARS),
        Reader("content.similar", similar.pieces, READ_CHARS),
        Reader("content.tone", tone.measure, READ_CHARS),
        Reader("core.links", links.find, READ_CHARS),
        Reader("core.text.clean", text.clean, MOST_READ_CHARS),
        Reader("core.text.without_markup", text.without_markup, MOST_READ_CHARS),
        Reader("llm.orders", gives_orders, MOST_READ_CHARS),
        Reader("llm.answers.fit_to_show", answers.fit_to_show, answers.LONGEST_ANSWER_CHARS),
        Reader("llm.screening", lambda words: screening.why_not_words([words], [words[::-1]]), 2_000),
        Reader("llm.subject.author_name", subject.author_name, MOST_READ_CHARS),
        Reader("llm.subject.subject", subject.subject, MOST_READ_CHARS),
    ]


def cost_s(reader: Reader, piece: str, chars: int) -> float:
    words = (piece * (chars // len(piece) + 1))[:chars]
    since = time.process_time()
    reader.read(words)
    return time.process_time() - since


def honest() -> Iterable[str]:
    """Yield captions of every shipped persona."""
    writer, dice, library = OfflineProvider(), random.Random(7), load()
    for persona_id in library.ids:
        persona = library.get(persona_id)
        who = Speaker("Ada", persona.id, persona.character, (), persona.grammar)
        for _ in range(30):
            yield writer.write_post(PostRequest(who), dice)[0].caption


def measure(part: int) -> Found:
    """Measure every reader with every piece at its longest text, divided by `part`, and at a quarter of that."""
    review.load_all()
    found = Found()
    for reader in readers():
        reader.read("warm")
        chars = reader.longest // part
        costs = {piece: cost_s(reader, piece, chars) for piece in PIECES}
        piece = max(costs, key=lambda one: costs[one])
        quarter = max(cost_s(reader, piece, chars // 4), 1e-4)
        found.worst[reader.name] = (costs[piece], piece, costs[piece] / quarter)
        print(f"{reader.name}: {costs[piece] * 1000:.0f} ms for {piece!r}", flush=True)
    standards = review.standards()
    for caption in honest():
        since = time.process_time()
        review.review(caption, Kind.CAPTION, "floimg", standards)
        found.honest_ms.append(1000 * (time.process_time() - since))
    return found


def result(found: Found, part: int) -> Result:
    """Put the figures into the report's shape, and judge the goals."""
    longest = {reader.name: reader.longest // part for reader in readers()}
    rows: list[list[object]] = [
        [name, longest[name], round(1000 * seconds, 1), ascii(piece), round(growth, 1)]
        for name, (seconds, piece, growth) in found.worst.items()
    ]
    most = max(seconds for seconds, _, _ in found.worst.values())
    typical = statistics.median(found.honest_ms)
    return Result(
        name="text",
        title="Hostile text",
        order=9,
        method=(
            f"Each function reads texts of {len(PIECES)} repeated pieces, as long as its callers allow; the slowest "
            "is shown, in CPU time, with its cost divided by that of a quarter of it (4 is linear, 16 quadratic)."
        ),
        command="python -m bench.bench_text",
        tables=[
            Table("Slowest input of each function", ["function", "characters", "CPU ms", "piece", "growth of 4"], rows)
        ],
        goals=[
            Goal("Slowest hostile text", f"{LIMIT_S:.0f} s or less", f"{most:.2f} s", most <= LIMIT_S),
            Goal("Review of an honest caption, median", "2 ms or less", f"{typical:.2f} ms", typical <= 2),
        ],
        plots=[],
        notes=["A text that does not fit these lengths is refused, or cut, before it is read."],
    )


def _table(rows: list[list[object]]) -> Table:
    columns = ["function", "characters", "CPU ms", "piece", "cost of 4 times the text"]
    return Table("Slowest input of each function", columns, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="texts of a tenth of the length")
    part = 10 if parser.parse_args().quick else 1
    print(write(result(measure(part), part)))


if __name__ == "__main__":
    main()
