"""docs/reliability.md, generated from one run: faults, checks, results, and limits.

Called by `fleet chaos --write-docs`. Text and numbers are generated together so that they stay consistent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fleet.chaos.kinds import BY_NAME
from fleet.chaos.plan import POINTS
from fleet.chaos.recovery import LAG_S
from fleet.chaos.report import Report, versions
from fleet.chaos.world import LEASE_S, REPUBLISH_S, SETTLE_S

_HEAD = """\
# Reliability

Fleet promises that nothing is lost and nothing doubled, whatever is killed, wiped or cut
([ARCHITECTURE.md](../ARCHITECTURE.md), Invariants). This page is the measurement. It is written by the program that
measures, from one run of {minutes:g} minutes that anybody can repeat:

```console
{command}
```

**{verdict}** {jobs:,} jobs brought about {effects:,} effects while {acts} faults were injected: {duplicates}
effects doubled, {losses} lost.
"""

_HOW = """\
## How it is done

A run starts a whole fleet of real processes in a folder of its own: Postgres, Valkey, the sandbox gallery, the
dashboard, two beats, and workers of every sort: threads; forked children; one whose database link runs through a proxy
that can cut it during COMMIT; one whose wall clock is an hour off for the whole run. {agents} agents are as busy as
agents may be. One in five is supervised: a person decides about its posts and comments through the API, and sends a
request again under the same Idempotency-Key until it is answered. A webhook hears of drafts and controls; its
receiver says 500 now and then, and now and then has taken a delivery when its answer is lost.

Leases are {lease:g} s, so that a lost one costs seconds; an unknown outcome settles for {settle:g} s before it is
looked into, and an unanswered message is sent again after {republish:g} s. Production defaults are longer; what takes
its time from them takes longer in proportion.

The nemesis follows a plan that is drawn from the seed alone: which fault, when, on whom. Four in ten
faults strike while the fleet is still recovering from the one before. Workers are struck at random moments and at
each named line of the protocol (`fleet/core/failpoints.py`) where two facts could part, but for the two around a call
to a model: here words are made offline, and tests of their own strike those. Whatever dies is started again
after a delay, as a supervisor or an orchestrator would. Every act is written down with what really happened.

At the end all faults are taken back and the agents rest. What waits for a distant retry is pulled forward, as a
person could do; then every job has to come to its end. The checker compares the ledger with the gallery's own
tables, which know nothing of Fleet's, and with the gallery's record of every write that reached it; and it holds the
ledger to what the person was answered and to what the webhook's receiver heard.

Fleet is **well again** when every process and server answers, no waking, tick, lease or unknown outcome from before
the fault's end is still open, no due job has waited more than {lag:g} s for a claim, and a new effect has been
shown. Recovery is counted from the fault's end: for a kill from the kill, for anything that lasts from the moment
it is taken back.
"""

_LIMITS = """\
## Where it ends

- A process that is suspended between its last look at its lease and the socket, and goes on after the lease, sends
  late. No client can prevent that; every write carries an idempotency key so that the surface can. The harness
  suspends workers of many threads, slows writes beyond the lease and delivers requests twice only while its gallery
  honours keys. Pool children, which do one thing at a time, are suspended without that help, everywhere but at that
  one point.
- A probe is as good as the surface's own list: what a surface begins to show after the settling time could be sent
  twice.
- Processes die here, machines do not. The servers' files are not synced to disk, since what a process wrote
  outlives it; whether a disk keeps its promises is between Postgres and the disk.
- A disk cannot be filled for one program without privileges. It is told instead that no file may grow
  (RLIMIT_FSIZE), which fails the same calls; the errno is EFBIG where a full disk says ENOSPC.
- The wrong clock is wrong for `time.time`, Celery's expiry and Fleet's own clock. A worker whose clock is ahead by
  more than a minute drops dispatch and sweep messages as expired; others serve them.
- One machine, loopback networks. A partition that lets some packets pass is not among the faults.
- A seed repeats the plan, not the microseconds. A violation that needs luck may need the same seed a few times.
"""


def page(report: Report) -> str:
    """Return the whole page."""
    told, verdict = report.numbers, report.verdict
    head = _HEAD.format(
        minutes=report.wanted.minutes, command=report.wanted.command(), jobs=sum(told.jobs.values()),
        effects=sum(told.effects.values()), acts=sum(deed.hit for deed in report.deeds),
        duplicates=verdict.duplicates, losses=verdict.losses,
        verdict="Every promise was kept." if report.clean else f"{len(verdict.violations)} promises were broken.",
    )  # fmt: skip
    how = _HOW.format(
        agents=report.wanted.agents, lease=LEASE_S, settle=SETTLE_S, republish=REPUBLISH_S, lag=LAG_S
    )  # fmt: skip
    return "\n".join((head, how, _faults(report), _points(report), _work(report), _LIMITS, _ran(report)))


def _faults(report: Report) -> str:
    rows = [
        (f"`{row.kind}`", BY_NAME[row.kind].about, row.acts, _s(row.median_s), _s(row.p99_s)) for row in report.rows()
    ]
    note = (
        "Recovery is told where no other fault came before it was over. Of fewer than a hundred times the 99th"
        " percentile is the longest.\n"
    )
    return (
        "## The faults\n\n"
        + note
        + "\n"
        + _table(("fault", "what happens", "times", "well again, median", "p99"), rows)
    )


def _points(report: Report) -> str:
    strikes = report.strikes()
    rows = [(f"`{point}`", strikes.get(point, 0)) for point in POINTS]
    note = "How often a process was killed or suspended exactly there:\n"
    return "## The lines of the protocol\n\n" + note + "\n" + _table(("point", "times"), rows)


def _work(report: Report) -> str:
    told = report.numbers
    rows = [
        ("ticks decided", f"{told.ticks:,}"),
        ("jobs", _counts(told.jobs)),
        ("effects on the surface", _counts(told.effects)),
        ("dead letters, by reason", _counts(told.dead) or "none"),
        ("attempts", f"{told.attempts:,}"),
        ("attempts that were lost with their worker", f"{told.workers_lost:,}"),
        ("attempts whose outcome was unknown", f"{told.outcomes_unknown:,}"),
        ("effects that a probe found and adopted", f"{told.adopted:,}"),
        ("decisions about drafts that a person was told are made", f"{report.verdict.answers:,}"),
        ("events told to a webhook, each at least once", f"{report.verdict.heard:,}"),
        ("deliveries of them that its receiver took", f"{report.verdict.deliveries:,}"),
        ("effects doubled", report.verdict.duplicates),
        ("effects or jobs lost", report.verdict.losses),
    ]
    note = "A dead letter is no loss: it is a row that a person sees, with its reason, and can bring back to life.\n"
    return "## What the fleet did meanwhile\n\n" + note + "\n" + _table(("", ""), rows)


def _ran(report: Report) -> str:
    told = versions(report.numbers.server_versions)
    when = f"{report.began:%Y-%m-%d}, {report.took_s / 60:.0f} minutes with the rest at the end"
    return "## What ran\n\n" + _table(("", ""), [("when", when), *told.items()])


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} {name}" for name, number in counts.items())


def _table(head: Iterable[object], rows: Iterable[Iterable[object]]) -> str:
    lines = [list(head), *(list(row) for row in rows)]
    shown = [f"| {' | '.join(str(cell) for cell in line)} |" for line in lines]
    return "\n".join([shown[0], "|" + "---|" * len(lines[0]), *shown[1:]]) + "\n"


def _s(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} s"
