"""The steps of `fleet up` that need the database, Celery or pydantic. They run in its helper, which then ends.

`run` calls them by name. `known` is what is known of the settings so far; each step reads the settings with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from fleet import app
from fleet.access import Actor, Via, audit
from fleet.accounts import keys
from fleet.cli.commands import migrate, processes
from fleet.cli.commands.check import env_check
from fleet.cli.commands.processes import Program
from fleet.cli.commands.up import first_posts
from fleet.cli.commands.up.answers import Known, UpSettings, UpSummary
from fleet.cli.frame import paths
from fleet.cli.frame.paths import HomeSettings
from fleet.core import logs, queue
from fleet.core.errors import InvalidInput
from fleet.core.settings import Settings
from fleet.engine import deps as runtime_deps
from fleet.engine import registry
from fleet.engine.agents.queries import AgentFilter
from fleet.engine.deps import Deps
from fleet.engine.events import positions, restore_check
from fleet.engine.system_agents import staff
from fleet.features.activity import queries as activity_queries
from fleet.features.agents import commands as agent_commands
from fleet.features.controls.cli import held
from fleet.features.overview import status as fleet_status
from fleet.features.users import invite
from fleet.images import signing
from fleet.llm import registry as models

_WHO_ACT = AgentFilter(kind="gallery")
_FIRST_POSTS = 60
"""New agents among which one of each persona is asked for a post."""


def read(home: Path | None, said: Known) -> UpSettings:
    """Return the settings, those `said` on the command line first. Raises InvalidInput."""
    given = paths.given(home, **said)
    models.check(given)
    if given.llm_record is not None or given.llm_replay is not None:
        models.connect(given)  # what is wrong with the file would be noticed only when the first text is written
    signing.check(given)
    place = given.home.absolute()
    token = given.service_token.get_secret_value()
    if not token and not given.gallery_url:
        token = paths.service_token(place)  # of this home's own gallery
    return UpSettings(
        home=place, tempo=given.tempo, log_level=given.log_level, pool_size=given.pool_size,
        gallery_url=given.gallery_url, database_url=given.database_url, database_owner_url=given.database_owner_url,
        broker_url=given.broker_url, service_token=token,
        is_usual_home=place == Settings.model_fields["home"].default.absolute(),
    )  # fmt: skip


def notices() -> list[str]:
    """Return a sentence for each variable of the environment that nothing reads."""
    return env_check.found()


def bring_up_to_date(known: Known, owner_url: str, app_url: str) -> None:
    """Migrate the database, and make the keys that seal secrets."""
    migrate.bring_up_to_date(owner_url, app_url)
    keys.make_ring(_settings(known))


def missing_agents(known: Known, by: str, wanted: int) -> int:
    """Check what must hold before the fleet runs, and return how many agents are missing. Raises InvalidInput."""
    with acting(known, by) as deps:
        for check in registry.current().parts("checks_before_serving"):
            check(deps)
        _ = deps.signer  # what cannot be signed would be noticed only when the first picture is posted
        restore_check.settle(deps.db)
        staff(deps.db)
        _, there = agent_commands.list_agents(deps, _WHO_ACT, limit=1)
        return max(0, wanted - there)


def make_agents(known: Known, by: str, count: int, seed_no: int) -> list[str]:
    """Make agents and start them; return those that are to be asked for a first post, one of each persona."""
    with acting(known, by) as deps:
        made = agent_commands.seed(deps, count=count, seed_no=seed_no, by=by, start=True)
        return first_posts.one_of_each_persona(deps, made[:_FIRST_POSTS])


def ask_for_first_posts(known: Known, by: str, usernames: list[str]) -> list[str]:
    """Ask agents for a first post; return those that have no account yet."""
    with acting(known, by) as deps:
        return first_posts.ask(deps, usernames, by=by)


def require_token(known: Known, by: str) -> None:
    """Raise InvalidInput unless there is a token for the gallery that the settings name."""
    with acting(known, by) as deps:
        if not deps.keys.settings.service_token.get_secret_value():
            lost = deps.keys.lost.get("service_token")
            raise lost or InvalidInput(
                "FLEET_GALLERY_URL is set without a token.",
                fix="Set FLEET_SERVICE_TOKEN to that gallery's, or `fleet secrets set service_token`.",
            )


def begin(known: Known, by: str) -> str:
    """Keep what other commands need to know of this fleet; return the position of the latest event."""
    settings = _settings(known)
    token = settings.service_token.get_secret_value()
    paths.store(settings.home, HomeSettings(token, settings.tempo, settings.sandbox))
    with acting(known, by) as deps:
        return positions.written(activity_queries.tail(deps))


def program(known: Known, which: str, options: Mapping[str, object]) -> Program:
    """Return a program of `commands.processes`, such as "web"."""
    made: Program = getattr(processes, f"{which}_program")(_settings(known), **options)
    return made


def has_metrics() -> bool:
    """Return whether the feature that serves metrics is not left out."""
    return "metrics" in registry.current().commands


def takes_messages(broker_url: str, name: str, timeout_s: float) -> bool:
    """Return whether a worker answers."""
    return bool(queue.workers(queue.make_app(broker_url), timeout_s=timeout_s, names=[name]))


def summary(known: Known, by: str, web: str | None) -> UpSummary:
    """Return what is to be shown of the fleet; links for the first owner of former starts are void."""
    with acting(known, by) as deps:
        seen = fleet_status.read(deps)
        _, those_acting = agent_commands.list_agents(deps, _WHO_ACT, limit=1)
        key = None if web is None else invite.first_owner_key(deps)
        return UpSummary(
            login=None if key is None or web is None else invite.link(deps.settings.web_url or web, key),
            words=words(deps.keys.settings),
            agents=sum(seen.agents.values()),
            running=sum(number for (_, status), number in seen.agents.items() if status == "running"),
            acting=those_acting,
            holds=[held({**asdict(hold), "words": hold.words()}) for hold in seen.holds],
        )


def words(settings: Settings) -> str:
    """Say who writes the words."""
    if settings.llm_replay is not None:
        return f"replayed from {settings.llm_replay}; no model is asked"
    asked = [f"{name} {getattr(settings, f'{name}_model')}" for name in models.configured(settings)]
    return ", then ".join([*asked, "the personas' own grammar"]) + (
        f"; recorded to {settings.llm_record}" if settings.llm_record is not None else ""
    )


def log_to(path: Path, level: str) -> None:
    """Append this process's log to a file."""
    logs.configure(level, json=True, stream=path.open("a", encoding="utf-8"))


def _settings(known: Known) -> Settings:
    return paths.given(None, **known)


@contextmanager
def acting(known: Known, by: str) -> Iterator[Deps]:
    """Connect for one step; what it does stands in the audit log under the person's name."""
    settings = _settings(known)
    app.load(settings.features)
    deps = runtime_deps.build(settings)
    try:
        with audit.acting(Actor(by.removeprefix("cli:"), "", Via.TERMINAL)):
            yield deps
    finally:
        deps.close()
