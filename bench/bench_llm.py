"""How many tokens a published text takes; run `python -m bench.bench_llm`, with `--quick` for a short look.

Fleet's own writer speaks through the vendor's library to a local server that counts tokens and caches prefixes as
vendors do; the original's way of asking (bench.original_words) speaks to the same server. The same moments, personas,
feeds and answers for all. Nothing is timed: the fleet's hours are numbers, so any machine gives the same figures.
"""

from __future__ import annotations

import json
import random
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import httpx

from bench import original_words as original
from bench.original_words import Body
from bench.results import Goal, Plot, Result, Table, write
from fleet.core import logs
from fleet.features.personas import library as personas
from fleet.llm import prompts
from fleet.llm.base import CommentRequest, PostRequest, PostWords, SeenPost, Speaker, Usage
from fleet.llm.model import Prompt
from fleet.llm.offline.provider import OfflineProvider
from fleet.llm.prices import price_list
from fleet.llm.providers.anthropic_provider import AnthropicModel
from fleet.llm.writer import ModelWriter
from tests.model_server import ModelServer, Question
from tests.token_meter import LEAST_CACHED_TOKENS, NOTHING, Bill, TokenMeter, count

MODEL = "claude-haiku-5-5"
SIZES, GOAL_SIZE = (6, 12, 25, 50, 100, 400), 100
MOMENTS, QUICK_MOMENTS = 600, 60
POSTS_A_DAY, COMMENTS_A_DAY = 20, 30
FEED = 12
SIGNS = {"image model": "image_prompt", "image_prompt alone": "image_prompt", "alt_text alone": "alt_text"}
"""What a question holds that asks for one text, and for which."""
WAYS = ("Fleet", "the original's way, same demands", "the original as it was")
FLEET, LADEN, BARE = WAYS
REASON = "It goes on from the last picture, and nobody has shown rain yet."
COMMENTS = (
    "{author}, the edge where it stops being sharp is the part that I keep going back to.",
    "What did you leave out before it looked this calm?",
    "It reminds me of a stairwell in which nobody had switched the lamps on yet.",
    "Thank you, I would have walked past that colour for another year.",
)


@dataclass(frozen=True)
class Moment:
    """One text that an agent publishes, and what the model says when it is asked for it."""

    at_s: float
    speaker: Speaker
    post: PostRequest | None
    comment: CommentRequest | None
    answer: Mapping[str, str]


@dataclass
class Stand:
    """The server, and whoever asks it. `now_s` is the fleet's time, by which prefixes grow old."""

    server: ModelServer
    writer: ModelWriter
    client: httpx.Client
    now_s: float = 0.0
    answer: Mapping[str, str] = field(default_factory=dict)

    def think(self, question: Question) -> str:
        """Answer with the moment's words: in the shape that was asked for, or the one text that was."""
        if question.fields:
            told: dict[str, str | int] = {"reason": REASON, **self.answer}
            return json.dumps(told if question.is_post else told | {"post": 1}, ensure_ascii=False)
        if "number of the post alone" in question.user:
            return "1"
        asked = next((name for sign, name in SIGNS.items() if sign in question.user), "caption")
        return self.answer.get(asked) or self.answer["text"]

    def ask(self, bodies: Sequence[Body]) -> Bill:
        """Make the original's calls, one after another."""
        bills = NOTHING
        for body in bodies:
            took = self.client.post("/v1/messages", json=body).raise_for_status().json()["usage"]
            bills += Bill(took["input_tokens"], took["cache_read_input_tokens"], took["cache_creation_input_tokens"],
                          took["output_tokens"])  # fmt: skip
        return bills


@contextmanager
def stand(*, least_cached: int = LEAST_CACHED_TOKENS) -> Iterator[Stand]:
    """Start the server on a free port."""
    made: Stand
    meter = TokenMeter(least_cached=least_cached, now_s=lambda: made.now_s)
    with ModelServer(lambda question: made.think(question), meter=meter).running() as server:  # noqa: PLW0108
        writer = ModelWriter(AnthropicModel("none", MODEL, base_url=server.url, effort="low"), price_list())
        with httpx.Client(base_url=server.url, trust_env=False) as client:
            made = Stand(server, writer, client)
            yield made


def speakers(agents: int) -> list[Speaker]:
    """Return the speakers of a fleet whose personas have their shares."""
    library = list(personas.load())
    drawn = random.Random(1).choices(library, [one.share for one in library], k=agents)
    return [Speaker(f"{one.id.title().replace('_', ' ')} {number}", one.id, one.character,
                    one.workflow_types, one.grammar) for number, one in enumerate(drawn)]  # fmt: skip


def moments(agents: int, many: int) -> list[Moment]:
    """Return the next so many texts of a fleet, spread evenly over as many hours as it needs for them."""
    dice, offline, fleet = random.Random(2), OfflineProvider(), speakers(agents)
    hours = many / (agents * (POSTS_A_DAY + COMMENTS_A_DAY)) * 24
    seen = deque((SeenPost("0", "Neon Fox", "A brass lamp on wet slate, third try, no fill light."),), FEED)
    said = {one.name: deque(earlier(one, dice), prompts.MOST_RECENT) for one in fleet}
    made: list[Moment] = []
    for at_s in sorted(dice.uniform(0, hours * 3600) for _ in range(many)):
        speaker = dice.choice(fleet)
        if dice.random() < POSTS_A_DAY / (POSTS_A_DAY + COMMENTS_A_DAY):
            post = PostRequest(speaker, tuple(said[speaker.name]))
            words, _ = offline.write_post(post, dice)
            said[speaker.name].appendleft(words.caption)
            seen.append(SeenPost(str(len(made)), speaker.name, words.caption))
            texts = {"image_prompt": words.image_prompt, "caption": words.caption, "alt_text": words.alt_text}
            made.append(Moment(at_s, speaker, post, None, texts))
        else:
            comment = CommentRequest(speaker, tuple(reversed(seen)))
            text = dice.choice(COMMENTS).format(author=comment.seen[0].author)
            made.append(Moment(at_s, speaker, None, comment, {"text": text}))
    return made


def earlier(speaker: Speaker, dice: random.Random) -> list[str]:
    """Return captions that an agent has posted before."""
    offline = OfflineProvider()
    return [offline.write_post(PostRequest(speaker), dice)[0].caption for _ in range(prompts.MOST_RECENT)]


def by_fleet(here: Stand, moment: Moment, dice: random.Random) -> Bill:
    """Let Fleet write the text."""
    usage: Usage
    if moment.post is not None:
        _, usage = here.writer.write_post(moment.post, dice)
    else:
        assert moment.comment is not None
        _, usage = here.writer.write_comment(moment.comment, dice)
    bills = [Bill(one.input_tokens, one.cache_read_tokens, one.cache_write_tokens, one.output_tokens,
                  one.cache_hour_tokens) for one in usage.calls]  # fmt: skip
    return sum(bills, NOTHING)


def by_laden(here: Stand, moment: Moment, dice: random.Random) -> Bill:
    """Let the original's way write the text, told all that Fleet tells."""
    if moment.post is not None:
        return here.ask(original.laden_post(MODEL, prompts.post(moment.post, dice)))
    assert moment.comment is not None
    one = replace(moment.comment, seen=moment.comment.seen[:1])
    return here.ask(original.laden_comment(MODEL, prompts.comment(moment.comment, dice), prompts.comment(one, dice)))


def by_bare(here: Stand, moment: Moment, dice: random.Random) -> Bill:
    """Let the original's own prompts write the text."""
    if moment.post is not None:
        return here.ask(original.bare_post(MODEL, moment.speaker, examples(moment.speaker), dice))
    assert moment.comment is not None
    return here.ask(original.bare_comment(MODEL, moment.speaker, dice.choice(moment.comment.seen), dice))


def examples(speaker: Speaker) -> list[PostWords]:
    """Return the five example prompts that a persona of the original has."""
    offline, dice = OfflineProvider(), random.Random(1)
    return [offline.write_post(PostRequest(speaker), dice)[0] for _ in range(5)]


BY: dict[str, Callable[[Stand, Moment, random.Random], Bill]] = {FLEET: by_fleet, LADEN: by_laden, BARE: by_bare}


@dataclass(frozen=True)
class Spent:
    """What the texts of one run took, posts and comments apart."""

    posts: list[Bill]
    comments: list[Bill]

    @property
    def all(self) -> list[Bill]:
        return self.posts + self.comments

    def a_text(self, bills: list[Bill] | None = None) -> float:
        """Return the tokens billed for one text."""
        chosen = self.all if bills is None else bills
        return sum(bill.billed for bill in chosen) / len(chosen)

    @property
    def microusd(self) -> float:
        """What one text costs."""
        usages = [
            Usage("anthropic", MODEL, one.fresh, one.read, one.written, one.output, cache_hour_tokens=one.hour)
            for one in self.all
        ]
        prices = price_list()
        today = next(iter(prices.listed[MODEL])).since
        return sum(prices.cost(usage, today) for usage in usages) / len(usages)


def spent(agents: int, many: int, way: str, *, least_cached: int = LEAST_CACHED_TOKENS) -> Spent:
    """Let one way write the next texts of a fleet of that size."""
    found = Spent([], [])
    with stand(least_cached=least_cached) as here:
        for number, moment in enumerate(moments(agents, many)):
            here.now_s, here.answer = moment.at_s, moment.answer
            bill = BY[way](here, moment, random.Random(number))
            (found.posts if moment.post is not None else found.comments).append(bill)
    return found


def _prompt(one: Moment, what: str) -> Prompt | None:
    """Return what Fleet asks a model for a moment; None if another kind of text is wanted."""
    if what == "post":
        return None if one.post is None else prompts.post(one.post, random.Random(1))
    return None if one.comment is None else prompts.comment(one.comment, random.Random(1))


def parts(many: int) -> list[list[str | float | int]]:
    """Return where Fleet's tokens go, a post's and a comment's on average, by part of the prompt."""
    made = moments(GOAL_SIZE, many)
    rows: list[list[str | float | int]] = []
    for what in ("post", "comment"):
        asked = [prompt for one in made if (prompt := _prompt(one, what)) is not None]

        def mean(part: Callable[[Prompt], str], asked: list[Prompt] = asked) -> int:
            return round(sum(count(part(prompt)) for prompt in asked) / len(asked))

        rows += [
            [what, "schema of the answer", "cached", mean(lambda one: json.dumps(dict(one.schema)))],
            [what, "rules of the house", "cached", mean(lambda one: one.house)],
            [what, "persona", "cached", mean(lambda one: one.persona)],
            [what, "moment: feed, own captions, spark, task", "", mean(lambda one: one.moment)],
        ]
    return rows


@dataclass(frozen=True)
class Runs:
    """What was measured. Only Fleet's tokens depend on how many agents share its cache."""

    fleet: Mapping[int, Spent]
    uncached: Spent
    ways: Mapping[str, Spent]


def run(many: int) -> Runs:
    """Let everybody write."""
    fleet = {size: spent(size, many, FLEET) for size in SIZES}
    ways = {way: spent(GOAL_SIZE, many, way) for way in (LADEN, BARE)}
    return Runs(fleet, spent(GOAL_SIZE, many, FLEET, least_cached=4_096), {FLEET: fleet[GOAL_SIZE], **ways})


def result(many: int) -> Result:
    """Measure everything."""
    runs = run(many)
    fleet = runs.ways[FLEET].a_text()
    laden, bare = (runs.ways[way].a_text() / fleet for way in (LADEN, BARE))
    what = f"Tokens billed for a text, {GOAL_SIZE} agents"
    return Result(
        name="llm",
        title="Words: tokens for a published text",
        order=6,
        method=METHOD,
        command="python -m bench.bench_llm",
        tables=[_by_size(runs), _by_kind(runs), _parts(many)],
        goals=[
            Goal(f"{what}: the original's way, same demands ÷ Fleet", "5 or more", f"{laden:.1f}", laden >= 5),
            Goal(f"{what}: the original's bare prompts ÷ Fleet", "5 or more", f"{bare:.1f}", bare >= 5),
        ],
        plots=[_plot(runs)],
        notes=_notes(runs),
    )


def _by_size(runs: Runs) -> Table:
    laden, bare = (runs.ways[way].a_text() for way in (LADEN, BARE))
    rows = []
    for size, one in runs.fleet.items():
        total, own = sum(one.all, NOTHING), one.a_text()
        cached = 100 * total.read / (total.read + total.written)
        rows.append([size, round(own), round(cached), round(laden / own, 1), round(bare / own, 1)])
    columns = ["agents", "Fleet, tokens billed", "% of the prefixes read from the cache", "same demands ÷ Fleet",
               "as it was ÷ Fleet"]  # fmt: skip
    note = f"{LADEN.capitalize()}: {laden:,.0f}; {BARE}: {bare:,.0f}, whatever the size."
    return Table("A text, by size of the fleet", columns, rows, note)


def _by_kind(runs: Runs) -> Table:
    rows: list[list[str | float | int]] = []
    for way, one in runs.ways.items():
        for what, bills in (("post", one.posts), ("comment", one.comments)):
            total = sum(bills, NOTHING)
            each = [round(tokens / len(bills)) for tokens in (total.fresh, total.read, total.written, total.output)]
            rows.append([way, what, *each, round(one.a_text(bills))])
    columns = ["who", "text", "fresh", "read from cache", "written to cache", "output", "billed"]
    costs = ", ".join(f"{way} {one.microusd:.0f}" for way, one in runs.ways.items())
    note = f"In millionths of a dollar for a text, at the prices of {MODEL}: {costs}."
    return Table(f"What a text takes, {GOAL_SIZE} agents", columns, rows, note)


def _parts(many: int) -> Table:
    return Table("Where Fleet's tokens go", ["text", "part of the prompt", "cached", "tokens"], parts(many))


def _plot(runs: Runs) -> Plot:
    series = {"Fleet": [round(one.a_text()) for one in runs.fleet.values()]}
    series |= {way: [round(runs.ways[way].a_text())] * len(SIZES) for way in (LADEN, BARE)}
    return Plot("llm", "Tokens billed for a published text", "agents", "tokens", list(SIZES), series, log_x=True)


def _notes(runs: Runs) -> list[str]:
    fleet, laden, bare = (runs.ways[way].a_text() for way in WAYS)
    output = sum(bill.output for bill in runs.ways[FLEET].all) / len(runs.ways[FLEET].all)
    short = runs.uncached.a_text()
    return [
        "The original's bare prompts are short because they lack features: no alt text, no choice among posts, no "
        "rule against orders in texts of outsiders, no earlier texts, no schema. A fleet with these features "
        f"needs {fleet / bare:.1f} times the tokens. The goal of five times fewer tokens than bare prompts "
        f"is impossible: Fleet's responses alone are {output:.0f} tokens a text, and the bare calls in all "
        f"{bare:.0f}.",
        "A cache entry of an hour costs twice the price to write, which pays off: agents of one persona "
        "write minutes apart, and an entry of five minutes has often expired by then.",
        f"A model that caches only from 4,096 tokens on caches none of these prefixes: {short:.0f} tokens a text, "
        f"{laden / short:.1f} times fewer than the original's way, same demands.",
    ]


METHOD = (
    "Tokens billed for one published text: those of the prompt and of the answer, with what is read from the vendor's "
    "cache at a tenth of the price, and what is written to it to live for an hour at twice the price. A local server "
    "counts them. It has no vendor's tokenizer: a word counts one, and one more for each four letters beyond seven; "
    "three digits, or two signs, count one (some 4.1 characters of English). It caches prefixes from "
    f"{LEAST_CACHED_TOKENS:,} tokens on that match to the byte, the schema of the answer included, and forgets them "
    f"when their time is over. Agents of the shipped personas publish at random moments, {POSTS_A_DAY} posts and "
    f"{COMMENTS_A_DAY} comments a day each, before a feed of {FEED} posts. *The original* is the gallery fleet from "
    "whose design Fleet grew ([designs.md](designs.md)). It asked its model for each text by itself, with nothing "
    "cached and no schema; `bench/original_words.py` rebuilds its prompts in our own words, with the same "
    "inputs, limits and length. Fleet and two versions of the original request the same texts at "
    "the same moments and get the same responses. *The original as it was* sends prompts as short as its own: a call "
    "for the image prompt, one for the caption, one for the comment, nothing cached. *The original's way, same "
    "demands* makes such calls for everything in Fleet's responses, with the same input: image prompt, caption and "
    "alt text; the choice of a post, and the comment on it (whose call gets that post alone). Nothing is timed."
)


def main() -> None:
    logs.configure("warning")
    print(write(result(QUICK_MOMENTS if "--quick" in sys.argv else MOMENTS)))


if __name__ == "__main__":
    main()
