"""Have a picture made by the first provider of the order that can: paid once, stored, marked, cropped for its network.

Called by the post handler and by drafts through `service`. Before a provider is called, an order is committed and the
maximum cost reserved; after it, the file is stored before the order is. A process that dies in between costs at most
that one provider: it is never asked twice for the picture.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from fleet.adapters import registry as adapters
from fleet.core import clock, events, logs
from fleet.core.errors import InvalidInput
from fleet.engine.attempts.work import Work
from fleet.engine.deps import Deps
from fleet.features.costs import budget_guard
from fleet.features.media import records as media_records
from fleet.features.media import service as media
from fleet.features.pictures import providers, records
from fleet.features.pictures.makers.base import MadePicture, PictureProvider, PictureRequest
from fleet.features.pictures.records import MadeOrder, OrderClaim
from fleet.features.pictures.settings import PictureSettings
from fleet.features.pictures.states import PictureOrderState
from fleet.images import Marks, PictureSource, checks, cleaning, read_marks
from fleet.images.errors import Unusable
from fleet.images.export import crops
from fleet.images.stamping import stamp
from fleet.llm.base import Usage
from fleet.llm.breaker import Breaker
from fleet.llm.errors import AuthFailed, ModelError, NotPaidFor, Rejected, Transient

log = logs.get(__name__)
_MOST_BYTES, _MOST_PIXELS, _SIDE_PX = 20 * 1024 * 1024, 40_000_000, 2048
_BEYOND = timedelta(days=1)
_SAME_RATIO = 0.02


@dataclass
class Breakers:
    """The breakers of this process, by provider."""

    known: dict[str, Breaker] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def admit(self, name: str) -> bool:
        """Return whether a provider may be called."""
        with self.lock:
            admitted, self.known[name] = self.known.get(name, Breaker()).admit(clock.monotonic_s())
            return admitted

    def release(self, name: str) -> None:
        """Take back an admission that no call followed."""
        with self.lock:
            self.known[name] = self.known.get(name, Breaker()).released()

    def note(self, name: str, error: ModelError | None) -> None:
        """Tell a breaker the outcome of a call."""
        with self.lock:
            breaker = self.known.get(name, Breaker())
            if error is None or not error.unwell:
                self.known[name] = breaker.succeeded()
                return
            wait_s = (error.retry_after_s or 0.0) if isinstance(error, Transient) else 0.0
            at_once = isinstance(error, AuthFailed | Rejected)
            self.known[name] = breaker.failed(clock.monotonic_s(), at_once=at_once, retry_after_s=wait_s)


def breakers_of(deps: Deps) -> Breakers:
    """Return the breakers of this process."""
    return deps.part("picture_breakers", lambda _: Breakers(), for_all=True)


def make(work: Work, prompt: str, part: str, by_surface: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return what made the picture: a stored file ("key"), the surface's workflow ("url"), or the placeholder.

    Raises the errors of `by_surface`; NotPaidFor where texts wait for budgets too; Unavailable.
    """
    settings = work.deps.keys.fill(work.settings)
    chosen, reasons = settings.of(PictureSettings), list[str]()
    unpaid: list[NotPaidFor] = []
    for name in chosen.pictures_order:
        if name == providers.SURFACE:
            found = by_surface()
            if "url" in found:
                return found
            reasons += [found["why"]] if "why" in found else []
            continue
        if work.gateway.policy.dry_run:
            continue
        try:
            provider = providers.connect(name, settings)
            made = None if provider is None else _by(work, provider, prompt, part)
        except NotPaidFor as error:
            unpaid.append(error)
            reasons.append(f"{name}: {error.message}")
            continue
        except (ModelError, InvalidInput) as error:
            log.warning("picture_provider_passed_over", provider=name, reason=str(error)[:300])
            reasons.append(f"{name}: {error.message}")
            continue
        if made is not None:
            return _step(made)
    if unpaid and work.deps.settings.llm_when_spent == "wait":
        raise min(unpaid, key=lambda error: error.until)
    return {"by": providers.PLACEHOLDER, **({"why": "; ".join(reasons)[:500]} if reasons else {})}


def _step(made: MadeOrder) -> dict[str, Any]:
    """Return an order as a saved step of its job."""
    return {
        "by": made.provider, "model": made.model, "key": made.key, "microusd": made.microusd, "is_ai": made.is_ai,
        "credit": None if made.credit is None else dict(made.credit),
    }  # fmt: skip


def _by(work: Work, provider: PictureProvider, prompt: str, part: str) -> MadeOrder | None:
    """Have one provider make the picture, unless it rests or was asked before. Raises ModelError, NotPaidFor."""
    breakers = breakers_of(work.deps)
    if not breakers.admit(provider.name):
        return None
    try:
        order, request = _claim(work, provider, prompt, part)
        if not isinstance(order, OrderClaim):
            breakers.release(provider.name)
            return order
        made = _paid(work, provider, request, order)
    except ModelError as error:
        breakers.note(provider.name, error)
        raise
    except BaseException:
        breakers.release(provider.name)
        raise
    breakers.note(provider.name, None)
    return _stored(work, provider, request, order, made)


def _claim(
    work: Work, provider: PictureProvider, prompt: str, part: str
) -> tuple[OrderClaim | MadeOrder | None, PictureRequest]:
    chosen = work.settings.of(PictureSettings)
    within_s = min(chosen.picture_timeout_s, max(1.0, work.lease.left_s() / 2))
    seed = work.dice(f"photo{part}").getrandbits(31)
    with work.deps.db.transaction() as tx:
        request = PictureRequest(prompt, _ratio(work) or 1.0, seed, within_s, records.used_photos(tx))
        order = records.claim(
            tx, job_id=work.claim.job_id, part=part, provider=provider.name, model=provider.model,
            agent_id=work.agent.id, most_microusd=provider.estimate(request),
        )  # fmt: skip
    return order, request


def _paid(work: Work, provider: PictureProvider, request: PictureRequest, order: OrderClaim) -> MadePicture:
    """Call the provider within the budgets. Its usage is charged when the picture is stored."""
    purse, most = budget_guard.purse_of(work, for_what="picture"), provider.estimate(request)
    try:
        reserved = purse.reserve(provider.name, most)
    except NotPaidFor as error:
        _end(work, order, PictureOrderState.FAILED, error.message, 0)
        raise
    try:
        made = provider.make(request)
    except ModelError as error:
        is_lost = getattr(error, "unmetered", False) or error.usage.microusd > 0
        usage = error.usage.but(microusd=max(error.usage.microusd, most if is_lost else 0))
        _end(
            work, order, PictureOrderState.LOST if is_lost else PictureOrderState.FAILED, error.message, usage.microusd
        )
        purse.settle(reserved, [usage])
        raise
    except Exception as error:
        # No error in our reading of an answer silences an agent; the call may have been billed.
        log.exception("picture_failed", provider=provider.name)
        lost = Transient(
            f"unexpected: {type(error).__name__}", Usage(provider.name, provider.model, microusd=most), unmetered=True
        )
        _end(work, order, PictureOrderState.LOST, lost.message, most)
        purse.settle(reserved, [lost.usage])
        raise lost from error
    purse.settle(reserved, [made.usage])
    return made


def _stored(
    work: Work, provider: PictureProvider, request: PictureRequest, order: OrderClaim, made: MadePicture
) -> MadeOrder | None:
    """Store a picture ready to be published, and record it; None for an unfit one."""
    try:
        data, is_ai = _finished(made, request.prompt, _ratio(work))
    except InvalidInput as error:
        _end(work, order, PictureOrderState.UNFIT, error.message, made.usage.microusd)
        with work.deps.db.transaction() as tx:
            events.emit(
                tx, "picture.unfit", agent_id=work.claim.agent_id, job_id=work.claim.job_id, agent=work.agent.name,
                persona=work.agent.persona_id, why=f"{provider.name}: {error.message}"[:500],
            )  # fmt: skip
        return None
    key = media.store(work.deps, data)
    credit = None if made.credit is None else made.credit.data()
    with work.deps.db.transaction() as tx:
        media_records.discard_later(tx, key, timedelta(days=work.deps.settings.retention_days) + _BEYOND)
        records.made(
            tx, order, key=key, microusd=made.usage.microusd, is_ai=is_ai, remote_id=made.remote_id, credit=credit
        )
    return MadeOrder(provider.name, provider.model, key, made.usage.microusd, is_ai, credit)


def _finished(made: MadePicture, prompt: str, ratio: float | None) -> tuple[bytes, bool]:
    """Return the file as it is published, and whether it is marked as made by a machine. Raises InvalidInput."""
    try:
        clean = cleaning.clean(made.data, max_bytes=_MOST_BYTES, max_pixels=_MOST_PIXELS, max_side_px=_SIDE_PX)
    except Unusable as error:
        raise InvalidInput(error.message) from error
    why = checks.why_unfit(clean.data)
    if why is not None:
        raise InvalidInput(why)
    data = clean.data
    if ratio is not None and abs(clean.width / clean.height / ratio - 1) > _SAME_RATIO:
        data = crops.crop(data, ratio).data
    if made.is_ai:
        return stamp(data, Marks(PictureSource.AI, prompt)), True
    marks = read_marks(data)  # a library may hold pictures of models
    return data, marks is not None and marks.is_machine_made


def _ratio(work: Work) -> float | None:
    """Return the ratio that the network of the job shows best; None if it has no best one."""
    surface = work.claim.surface
    rule = adapters.get(surface).pictures if surface in adapters.names() else None
    return None if rule is None else rule.best_ratio


def _end(work: Work, order: OrderClaim, state: PictureOrderState, why: str, microusd: int) -> None:
    with work.deps.db.transaction() as tx:
        records.end(tx, order, state, why, microusd)
