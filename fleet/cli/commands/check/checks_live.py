"""The checks of what runs: models, broker, gallery, workers, beat. Called by `checks`."""

from __future__ import annotations

from collections.abc import Generator, Iterator

from fleet.adapters.base import Account, AccountMissing, TokenRefused
from fleet.adapters.social import social
from fleet.cli.frame import render
from fleet.cli.frame.check_result import CheckLevel, CheckResult, fail, ok, warn
from fleet.cli.frame.context import Door
from fleet.core import clock, logs, queue
from fleet.core.errors import FleetError
from fleet.core.settings import Settings
from fleet.features.overview import status as fleet_status
from fleet.llm import registry as models
from fleet.llm.errors import ModelError, Transient
from fleet.llm.model import Model
from fleet.llm.prices import Prices, price_list

_PING_S, _PATIENT_PING_S = 1.0, 4.0
_BEAT_WARN_S, _BEAT_FAIL_S = 10.0, 60.0
_LOOK_S = 10.0


def broker(settings: Settings) -> Generator[CheckResult, None, bool]:
    """Yield what there is to say about the broker; returns whether it can be used."""
    try:
        told = queue.describe(queue.make_app(settings.broker_url))
    except FleetError as error:
        fix = "Is it up? Is FLEET_BROKER_URL right?" if settings.broker_url else error.fix
        yield fail("broker", error.message, fix)
        return False
    yield ok("broker", f"{told.driver} answers")
    if told.eviction not in (None, "", "noeviction"):
        yield warn("eviction", f"maxmemory-policy is {told.eviction}: full memory costs messages",
                      "Set it to noeviction. (The sweep sends lost messages again, later.)")  # fmt: skip
    if told.append_only is False:
        yield warn("persistence", "no append-only file: a restart of the broker loses its messages",
                      "Set appendonly yes. (The sweep sends lost messages again, later.)")  # fmt: skip
    return True


def words(settings: Settings) -> Iterator[CheckResult]:
    """Say who writes the words: which models are asked, what they cost, and whether they answer. Costs nothing."""
    try:
        models.check(settings)
        if settings.llm_replay is not None:
            models.connect(settings)
            yield ok("words", f"replayed from {settings.llm_replay}; no model is asked")
            return
        prices = price_list(settings.llm_prices)
        for model in models.connect_models(settings):
            yield _model(model, prices)
    except FleetError as error:
        yield fail("words", error.message, error.fix)
        return
    if not models.configured(settings):
        yield ok("words", "no model is set: the personas' own grammar writes them (docs/models.md)")


def _model(model: Model, prices: Prices) -> CheckResult:
    price = prices.of(model.model, clock.now().date())
    about = f"{model.provider} {model.model}, {_rate(price.input)}/{_rate(price.output)} for a million tokens in/out"
    try:
        model.look(timeout_s=_LOOK_S)
    except Transient as error:
        return warn("words", f"{about}: {error.message}", "Until it answers, the next one writes.")
    except ModelError as error:
        return fail("words", f"{about}: {error.message}", error.fix)
    return ok("words", f"{about}; it answers")


def _rate(microusd: int) -> str:
    return f"${microusd / 1_000_000:g}"


def gallery(door: Door) -> CheckResult:
    """Ask the surface for its feed with our token, as nobody in particular."""
    gateway = door.deps.gateway()
    platform = social(gateway.adapter)
    if not gateway.is_allowed_host:
        message = f"agents may not write to {platform.host}:{platform.port}: it is not among FLEET_ALLOWED_HOSTS"
        return fail("gallery", message, "Add it there if its owner agrees to automated accounts.")
    place = f"{logs.mask(door.settings.gallery_url)} answers"
    nobody = Account("00000000-0000-0000-0000-000000000000", "fleet_check", "fleet check", None)
    try:
        platform.feed(nobody, limit=1)
    except AccountMissing:
        return ok("gallery", f"{place} and knows our token")
    except TokenRefused as error:
        return fail("gallery", error.message, "Set FLEET_SERVICE_TOKEN to the gallery's token.")
    except FleetError as error:
        return fail("gallery", error.message, "Is it up? Is FLEET_GALLERY_URL right?")
    return ok("gallery", f"{place} and takes our token")


def workers(settings: Settings) -> CheckResult:
    """Ask who is there; a worker that is busy in every thread answers all the same."""
    app = queue.make_app(settings.broker_url)
    try:
        # Each question waits its whole time for further answers, so the patient one is asked only if need be.
        names = queue.workers(app, timeout_s=_PING_S) or queue.workers(app, timeout_s=_PATIENT_PING_S)
    except FleetError as error:
        return fail("workers", error.message, "Is the broker up?")
    if not names:
        return fail("workers", "no worker answers", "Start one: `fleet worker`, or all: `fleet up`.")
    return ok("workers", ", ".join(names))


def beat(door: Door) -> CheckResult:
    """Infer from how late the agents are: beat itself leaves no trace, and any dispatcher does its work."""
    seen = fleet_status.read(door.deps)
    late_s = seen.most_overdue_agent_s
    if any(hold.scope == "fleet" for hold in seen.holds):
        return ok("beat", "the whole fleet is paused, so no agent wakes; `fleet status` shows the reason")
    if late_s is None or late_s < _BEAT_WARN_S:
        running = sum(number for (_, status), number in seen.agents.items() if status == "running")
        return ok("beat", f"no agent is late ({running} running)" if running else "no agent is running")
    level = CheckLevel.FAIL if late_s > _BEAT_FAIL_S else CheckLevel.WARN
    return CheckResult("beat", level, f"an agent has been due for {render.span(late_s)} and nothing wakes it",
                   "Start beat: `fleet beat`. If it runs, look whether workers keep up: `fleet status`.")  # fmt: skip
