"""What the dashboard costs over a large fleet: every page and every list of the API, and 500 live viewers.

Run `python -m bench.bench_web`; `--quick` takes a fiftieth of the rows and few viewers, `--scale 0.1` a tenth of the
rows. `--slow` prints what the database did for the pages that missed the goal. Needs about 10 GB at full size.
"""

from __future__ import annotations

import argparse
import re
import resource
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urljoin, urlsplit

import httpx
import sqlalchemy as sa

from bench import live, web_load, web_viewers
from bench.live import Servers
from bench.results import Goal, Result, Table, write
from bench.web_load import Scene
from bench.web_viewers import Watched
from fleet.access import Permission, Role
from fleet.access.sessions import Visit
from fleet.engine.deps import Deps
from fleet.features.personas.service import personas_of
from fleet.features.users import service as accounts
from fleet.spending import days
from fleet.web.app import create_app
from fleet.web.auth import plain_cookie_name
from tests.browser import rounds

GOAL_MS, GOAL_CORES = 300.0, 1.0
TIMES, WARM = 20, 3
BUSIEST = {
    "agent": "SELECT username FROM agents ORDER BY id = md5('agent0')::uuid DESC LIMIT 1",
    "job": "SELECT id FROM jobs ORDER BY created_at DESC LIMIT 1",
    "dead": "SELECT id FROM jobs WHERE state = 'dead' ORDER BY finished_at DESC LIMIT 1",
    "draft": "SELECT id FROM drafts WHERE status = 'pending' LIMIT 1",
    "request": "SELECT id FROM approval_requests WHERE state = 'pending' LIMIT 1",
    "account": "SELECT name FROM accounts ORDER BY created_at LIMIT 1",
    "tick": "SELECT max(tick_no) FROM ticks WHERE agent_id = md5('agent0')::uuid",
}
RARE = ("hook", "source", "received", "experiment", "invitation", "shelf", "file", "organisation", "notification",
        "campaign", "item", "brand",
        "message", "report", "link", "product", "variant", "import", "order", "store", "run", "conflict",
        "discrepancy", "comparison", "listing", "forecast", "reorder", "price", "tuning")  # fmt: skip
"""Of these a fleet has few, however large it is: an address of one answers 404 here, and is not counted."""
_USER, _PASSWORD = "bench", "only for this benchmark"
_PATIENCE_S = 120
_MOST_WAYS = 12
"""Of one list: its filters and pages, as its own page offers them."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    scene: Scene
    viewers: int
    rate_s: float
    watch_s: float


FULL = Plan(web_load.FULL, viewers=500, rate_s=20.0, watch_s=60.0)
QUICK = Plan(web_load.FULL.times(1 / 50), viewers=50, rate_s=20.0, watch_s=5.0)


@dataclass
class Timed:
    """How long one address took, at the server's door."""

    path: str
    status: int
    kind: str
    took_ms: list[float] = field(default_factory=list)

    @property
    def p50_ms(self) -> float:
        return statistics.median(self.took_ms)

    @property
    def p95_ms(self) -> float:
        return sorted(self.took_ms)[max(0, round(0.95 * len(self.took_ms)) - 1)]


@dataclass(frozen=True, slots=True)
class Found:
    """All addresses with their times, and what the viewers cost."""

    timed: Sequence[Timed]
    watched: Watched
    statements: Mapping[str, str]


def measure(plan: Plan, *, explain: bool) -> Found:
    """Load the scene, serve it in a process of its own, and ask for everything."""
    with live.servers() as servers:
        settings = servers.settings("web")
        live.say(f"loading {plan.scene}")
        with live.connected(settings) as deps:
            web_load.load(servers.postgres, "web", plan.scene, personas_of(deps).ids)
            with deps.db.transaction() as tx:
                days.fold(tx)  # as prune does every minute
            if explain:
                _note_statements(servers)
            process, url = servers.start_web(settings)
            cookie, token = _come_in(deps)
            timed = list(_time_all(url, _places(deps), cookie, token))
            servers.check()
            slow = _slow_statements(servers) if explain else {}
            live.say(f"{plan.viewers} viewers for {plan.watch_s:.0f} s")
            watched = web_viewers.watch(
                deps, url, cookie, process.pid, viewers=plan.viewers, rate_s=plan.rate_s, for_s=plan.watch_s
            )
            return Found(timed, watched, slow)


def _come_in(deps: Deps) -> tuple[str, str]:
    accounts.create_user(deps, _USER, Role.OWNER, _PASSWORD)
    cookie, _ = accounts.log_in(deps, _USER, _PASSWORD, Visit("127.0.0.1", "bench"))
    return cookie, accounts.issue_token(deps, _USER, "bench", tuple(Permission), None)


def _places(deps: Deps) -> list[tuple[str, str]]:
    """Return every page and every answer of the API; of each kind of thing the busiest."""
    app = create_app(deps)
    names = dict.fromkeys(RARE, "none") | {"persona": personas_of(deps).ids[0], "user": _USER, "setting": "dry_run"}
    with deps.db.transaction() as tx:
        names |= {what: str(tx.scalar(sa.text(query))) for what, query in BUSIEST.items()}
    pages = [(stop.path, "page") for stop in rounds.stops(app, names)]
    return [*pages, *((stop.path, "api") for stop in rounds.answers(app, names))]


def _time_all(url: str, places: Sequence[tuple[str, str]], cookie: str, token: str) -> Iterator[Timed]:
    headers = {
        "page": {"cookie": f"{plain_cookie_name(urlsplit(url).port)}={cookie}"},
        "api": {"authorization": f"Bearer {token}"},
    }
    done: set[str] = set()
    for place, kind in places:
        first = httpx.get(url + place, headers=headers[kind], timeout=_PATIENCE_S, trust_env=False)
        if first.is_redirect:  # an old address of another page
            continue
        for path in [place, *_ways(place, first)[:_MOST_WAYS]]:
            if path not in done:
                done.add(path)
                # A connection for each address: the server closes the one on which it broke.
                with httpx.Client(base_url=url, headers=headers[kind], timeout=_PATIENCE_S, trust_env=False) as client:
                    timed = _time(client, path, kind)
                live.say(f"{timed.status} p50 {timed.p50_ms:7.1f} ms, p95 {timed.p95_ms:7.1f} ms  {path}")
                yield timed


def _ways(place: str, answer: httpx.Response) -> list[str]:
    """Return the filters and pages that a page itself offers: its links to itself, and one choice of each select."""
    if not answer.headers.get("content-type", "").startswith("text/html"):
        return []
    named = re.findall(r'<a[^>]*href="([^"#]+)(?:#[^"]*)?"', answer.text)
    links = [urljoin(place, link.replace("&amp;", "&")) for link in named]
    found = [link for link in links if urlsplit(link).path == urlsplit(place).path and urlsplit(link).query]
    asking = " ".join(re.findall(r'<form[^>]*method="get".*?</form>', answer.text, re.S))
    for name, inner in re.findall(r'<select[^>]*name="([^"]+)"[^>]*>(.*?)</select>', asking, re.S):
        values = [value for value in re.findall(r'<option[^>]*value="([^"]+)"', inner) if value]
        found += [f"{place}?{name}={value}" for value in values[-1:]]
    if re.search(r'<input[^>]*name="q"', asking):
        found += [f"{place}?q=agent_99", f"{place}?q=nothing-like-this"]
    return list(dict.fromkeys(found))


def _time(client: httpx.Client, path: str, kind: str) -> Timed:
    timed = Timed(path, 0, kind)
    for number in range(WARM + TIMES):
        began_s = time.perf_counter()
        timed.status = client.get(path).status_code
        took_ms = 1000 * (time.perf_counter() - began_s)
        if number >= WARM or timed.status >= 500:
            timed.took_ms.append(took_ms)
        if timed.status >= 500 or took_ms > 20 * GOAL_MS:
            timed.took_ms = timed.took_ms or [took_ms]
            break  # it is known to be broken, or to miss the goal by far
    return timed


def _note_statements(servers: Servers) -> None:
    with servers.postgres.connect("web") as connection:
        connection.execute("ALTER SYSTEM SET log_min_duration_statement = 100")
        connection.execute("SELECT pg_reload_conf()")


def _slow_statements(servers: Servers) -> Mapping[str, str]:
    """Return the slow statements that the server has logged, each once with its longest time."""
    with servers.postgres.connect("web") as connection:
        connection.execute("ALTER SYSTEM RESET log_min_duration_statement")
        connection.execute("SELECT pg_reload_conf()")
    found: dict[str, float] = {}
    for log in servers.folder.rglob("*.log"):
        text = log.read_text(errors="replace")
        for took_ms, statement in re.findall(
            r"duration: ([\d.]+) ms  (?:execute[^:]*|statement): (.*(?:\n\t.*)*)", text
        ):
            found[statement] = max(found.get(statement, 0.0), float(took_ms))
    ordered = sorted(found.items(), key=lambda one: -one[1])
    return {statement: f"{took_ms:.0f} ms" for statement, took_ms in ordered}


def result(plan: Plan, found: Found) -> Result:
    """Put the figures into the report's shape, and judge the goals."""
    answered = [one for one in found.timed if one.status < 400]
    slowest = max(answered, key=lambda one: one.p95_ms)
    broken = [one for one in found.timed if one.status >= 500]
    watched = found.watched
    return Result(
        name="web",
        title="The dashboard over a large fleet",
        order=60,
        method=(
            f"A database of {plan.scene} is served by one `fleet web` process, and every page, the filters and further "
            f"pages that it offers, and every GET of the API are requested {TIMES} times, one after another over "
            f"loopback, after {WARM} warm-up requests. Then {watched.viewers} viewers listen to the live stream for "
            f"{plan.watch_s:.0f} s while {watched.rate_s:.0f} events a second occur; {web_viewers.SAMPLED} of them "
            "record when each arrives."
        ),
        command="python -m bench.bench_web",
        tables=[_table("Pages", "page", answered), _table("API", "api", answered), _viewers(watched)],
        goals=[
            Goal(f"Slowest p95 of {len(answered)} addresses", f"under {GOAL_MS:.0f} ms",
                 f"{slowest.p95_ms:.0f} ms, {_plain(slowest.path)}", slowest.p95_ms < GOAL_MS),
            Goal(f"Processor time of the server for {watched.viewers} live viewers", f"under {GOAL_CORES:g} core",
                 f"{watched.cores:.2f} cores", watched.cores < GOAL_CORES),
            Goal("Addresses that answered with an error of the server", "0",
                 ", ".join(_plain(one.path) for one in broken) or "0", not broken),
            Goal("Events that a viewer missed", "0", str(watched.lost), watched.lost == 0),
        ],
        notes=["Times are those of a client on the same machine: server, template, database and loopback."],
    )  # fmt: skip


def _plain(path: str) -> str:
    """Return an address without ids that are different each time."""
    return re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "…", path)


def _table(title: str, kind: str, timed: Sequence[Timed]) -> Table:
    rows = [[f"`{_plain(one.path)}`", round(one.p50_ms, 1), round(one.p95_ms, 1)] for one in timed if one.kind == kind]
    return Table(title, ["address", "p50, ms", "p95, ms"], rows)


def _viewers(watched: Watched) -> Table:
    rows: list[list[object]] = [
        ["viewers", watched.viewers],
        ["events told", watched.told],
        ["cores of the server", round(watched.cores, 2)],
        ["KiB a second to all viewers", round(watched.bytes / watched.took_s / 1024)],
        ["from COMMIT to the viewer, p50, ms", round(watched.delay_ms(0.50))],
        ["from COMMIT to the viewer, p95, ms", round(watched.delay_ms(0.95))],
        ["events missed by those who note them", watched.lost],
    ]
    return Table("Live viewers", ["what", "figure"], rows)


def _let_many_sockets() -> None:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a fiftieth of the rows, a tenth of the viewers")
    parser.add_argument("--scale", type=float, default=1.0, help="so many times the rows")
    parser.add_argument("--viewers", type=int, help="how many listen to the live stream")
    parser.add_argument("--slow", action="store_true", help="print the statements that took longest")
    arguments = parser.parse_args()
    plan = QUICK if arguments.quick else FULL
    plan = replace(plan, scene=plan.scene.times(arguments.scale) if arguments.scale != 1.0 else plan.scene,
                   viewers=arguments.viewers or plan.viewers)  # fmt: skip
    _let_many_sockets()
    found = measure(plan, explain=arguments.slow)
    for statement, took in found.statements.items():
        print(f"{took}: {statement}\n")
    print(write(result(plan, found)))


if __name__ == "__main__":
    main()
