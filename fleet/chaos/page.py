"""docs/reliability.md and docs/reliability-atproto.md, each generated from one run: faults, checks, results, limits.

Called by `fleet chaos --write-docs`. Text and numbers are generated together so that they stay consistent.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping

from fleet.chaos.kinds import BY_NAME
from fleet.chaos.plan import POINTS
from fleet.chaos.recovery import LAG_S
from fleet.chaos.report import Report, versions
from fleet.chaos.world import LEASE_S, REPUBLISH_S, SETTLE_S
from fleet.chaos.world.words import SurfaceWords

_HEAD = """\
# {title}

Fleet promises that it loses no work and does nothing twice, even when processes are killed, messages are wiped or
connections are cut ([ARCHITECTURE.md](../ARCHITECTURE.md#invariants)). `fleet chaos` tests this promise with injected
faults. It generated this page from one run of {minutes:g} minutes; you can repeat the run:

```console
{command}
```

**{verdict}** {jobs:,} jobs caused {effects:,} effects while {acts} faults were injected: {duplicates}
effects doubled, {losses} lost.
"""

_HOW = """\
## How it works

A run starts a whole fleet of real processes in a temporary folder: Postgres, Valkey, {parts}, the
dashboard, two beats and several workers. The workers differ: threads; forked children; one whose connection to the
database passes a proxy that can cut it during COMMIT; one whose clock is an hour wrong. {others} One in five
is supervised: a simulated person decides about its drafts through the API, and repeats each
request with the same Idempotency-Key until there is a response. A webhook receives events of drafts and pauses; its
receiver sometimes responds with 500, and sometimes accepts a delivery whose response is then lost.

Timeouts are short, so recovery takes seconds: leases last {lease:g} s, an unknown outcome settles for {settle:g} s,
lost messages are published again after {republish:g} s. The production defaults are longer, and recovery
that depends on them takes proportionally longer.

The seed determines the plan of faults: which fault, when, where. Four in ten faults begin while the fleet still
recovers from the previous one. Workers are killed or suspended at random moments and at each failpoint of the
protocol (`fleet/core/failpoints.py`), except those around a call to a model and around the deletion of a picture: this
run does neither, and other tests cover them. Processes that die are restarted after a delay, as a supervisor or an
orchestrator does. Each fault is logged with its actual effect.

At the end, all faults are undone and the agents stop. Jobs that wait for a late retry are made due, then every job has
to end. The checker compares the ledger with {checked}.
It also compares the ledger with the responses that the person got and the events that the webhook's receiver got.

Fleet has **recovered** when every process and server responds; no wake-up, tick, lease or unknown outcome from
before the end of the fault is open; no due job has waited more than {lag:g} s for a claim; and a new effect is visible.
The recovery time starts at the end of the fault: at the kill, or when a longer fault is undone.
"""

_LIMITS = """\
## Limits

- The run kills processes, not machines. The servers do not sync their files to disk, since data that a process wrote
  outlives it; durability on a power failure is up to Postgres and the disk.
- Without privileges a disk cannot be filled for one program. Instead a limit of file sizes (RLIMIT_FSIZE) makes the
  same calls fail, with EFBIG instead of ENOSPC.
- The wrong clock affects `time.time`, Celery's expiry and Fleet's own clock. A worker whose clock is more than a minute
  ahead drops dispatch and sweep messages as expired; other workers process them.
- One machine, loopback networks. Partial network partitions are not tested.
- A seed repeats the plan, not the exact timing. To reproduce a violation that depends on timing, repeat the seed a few
  times.
"""


def page(report: Report, words: SurfaceWords) -> str:
    """Return the whole page."""
    told, verdict = report.numbers, report.verdict
    head = _HEAD.format(
        title=words.title,
        minutes=report.wanted.minutes, command=report.wanted.command(), jobs=sum(told.jobs.values()),
        effects=sum(told.effects.values()), acts=sum(deed.hit for deed in report.deeds),
        duplicates=verdict.duplicates, losses=verdict.losses,
        verdict="Every promise was kept." if report.clean else f"{len(verdict.violations)} promises were broken.",
    )  # fmt: skip
    how = _wrapped(_HOW.format(
        parts=words.parts, others=words.others.format(agents=report.wanted.agents), checked=words.checked,
        lease=LEASE_S, settle=SETTLE_S, republish=REPUBLISH_S, lag=LAG_S,
    ))  # fmt: skip
    limits = _LIMITS.replace("\n\n", "\n\n" + "".join(f"{_point(one)}\n" for one in words.limits), 1)
    parts = (head, how, _faults(report), _points(report), _work(report), limits, words.elsewhere, _ran(report))
    return "\n".join(part for part in parts if part)


def _wrapped(text: str) -> str:
    paragraphs = [textwrap.fill(one, 120, break_long_words=False) for one in text.strip().split("\n\n")]
    return "\n\n".join(paragraphs) + "\n"


def _point(text: str) -> str:
    return textwrap.fill(f"- {text}", 120, subsequent_indent="  ", break_long_words=False)


def _faults(report: Report) -> str:
    rows = [
        (f"`{row.kind}`", BY_NAME[row.kind].about, row.acts, _s(row.median_s), _s(row.p99_s)) for row in report.rows()
    ]
    note = (
        "Recovery times count only faults that no other fault followed before the fleet had recovered. With fewer than"
        " 100 of them, p99 is the longest.\n"
    )
    return "## Faults\n\n" + note + "\n" + _table(("fault", "description", "count", "recovery, median", "p99"), rows)


def _points(report: Report) -> str:
    strikes = report.strikes()
    rows = [(f"`{point}`", strikes.get(point, 0)) for point in POINTS]
    note = "How often a process was killed or suspended at each failpoint:\n"
    return "## Failpoints\n\n" + note + "\n" + _table(("failpoint", "count"), rows)


def _work(report: Report) -> str:
    told = report.numbers
    rows = [
        ("ticks decided", f"{told.ticks:,}"),
        ("jobs", _counts(told.jobs)),
        ("effects on the surface", _counts(told.effects)),
        ("dead letters, by reason", _counts(told.dead) or "none"),
        ("attempts", f"{told.attempts:,}"),
        ("attempts that ended with their worker", f"{told.workers_lost:,}"),
        ("attempts whose outcome was unknown", f"{told.outcomes_unknown:,}"),
        ("effects that a probe found and adopted", f"{told.adopted:,}"),
        ("decisions about drafts that were confirmed to the person", f"{report.verdict.answers:,}"),
        ("events sent to a webhook, each at least once", f"{report.verdict.heard:,}"),
        ("deliveries that its receiver accepted", f"{report.verdict.deliveries:,}"),
        *report.counts.items(),
        ("effects doubled", report.verdict.duplicates),
        ("effects or jobs lost", report.verdict.losses),
    ]
    note = "A dead letter is not lost: it is a row with a reason, and a person can replay it.\n"
    return "## Work during the run\n\n" + note + "\n" + _table(("", ""), rows)


def _ran(report: Report) -> str:
    told = versions(report.numbers.server_versions)
    when = f"{report.began:%Y-%m-%d}, {report.took_s / 60:.0f} minutes including the end"
    return "## Versions\n\n" + _table(("", ""), [("when", when), *told.items()])


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} {name}" for name, number in counts.items())


def _table(head: Iterable[object], rows: Iterable[Iterable[object]]) -> str:
    lines = [list(head), *(list(row) for row in rows)]
    shown = [f"| {' | '.join(str(cell) for cell in line)} |" for line in lines]
    return "\n".join([shown[0], "|" + "---|" * len(lines[0]), *shown[1:]]) + "\n"


def _s(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} s"
