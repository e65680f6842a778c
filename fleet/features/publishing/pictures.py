"""The picture of a post: ordered and paid for once, checked before it is posted, always marked as made by AI.

Called by the post handler. If the workflow fails or its picture may not be shown, Fleet draws one itself. Budgets, the
kill switch and the like are no failures of the workflow and never lead there.
"""

from __future__ import annotations

import uuid
from functools import partial
from typing import Any

from fleet.accounts.models import key_of
from fleet.adapters import base, gateway
from fleet.adapters.gateway import PictureGateway
from fleet.adapters.pictures import PictureFile, PictureOrder
from fleet.adapters.social import POST
from fleet.core import events, logs
from fleet.core.db import Tx
from fleet.engine import controls, registry
from fleet.engine.attempts.work import Work
from fleet.features.publishing.settings import PublishingSettings
from fleet.features.publishing.words.voice import speaker_of
from fleet.images import Marks, PictureSource, checks, read_marks
from fleet.images.placeholder import data_url, render_jpeg
from fleet.images.stamping import MAX_BYTES, stamp

log = logs.get(__name__)

_PAUSE_LOOK_S = 300.0


def picture(work: Work, prompt: str) -> str:
    """Return the address of the workflow's picture, or the marked file of one as a data URL."""
    ordered = _ordered(work, prompt)
    if "key" in ordered:
        _tell(work, ordered)
        return data_url(_kept(work, ordered))
    made = _fit_to_post(work, ordered["url"], prompt) if "url" in ordered else None
    if made is not None:
        show(work, (work.known("picture") or {}).get("preview"))
        return made
    # Fleet's own picture is drawn again from its prompt each time rather than stored.
    drawn = _drawn(work, prompt)
    show(work, _preview(work, drawn))
    return data_url(_as_sent(work, drawn))


def _preview(work: Work, picture: bytes) -> str | None:
    """Return the key of a small copy for the dashboard, kept by the feature that stores pictures, if there is one.

    Nothing is kept of a post that is not sent.
    """
    if work.gateway.policy.dry_run:
        return None
    for keep in registry.current().extensions("publishing.previews"):
        found: str | None = keep(work, picture)
        return found
    return None


def show(work: Work, key: str | None) -> None:
    """Have the job's result and event name our copy of the picture."""
    if key is not None:
        work.told = {**work.told, "picture": key}


def rendered(work: Work, prompt: str, part: str = "") -> tuple[bytes, str]:
    """Return the file of a picture as it will be published, and what made it; for drafts, which people see first.

    `part` tells the pictures of one job apart: each is ordered and paid for once. Raises as `picture`.
    """
    ordered = _ordered(work, prompt, part)
    if "key" in ordered:
        line = (ordered["credit"] or {}).get("line")
        return _kept(work, ordered), f"{ordered['by']} ({line or ordered['model']})"
    if "url" in ordered:
        fetched: list[PictureFile] = []
        looked = _looked(work, ordered["url"], fetched, part)
        made = None if "why" in looked else _file(work, ordered["url"], prompt, fetched, part)
        if made is not None:
            return _as_sent(work, made), f"workflow {ordered['workflow']}".strip()
    return _as_sent(work, _drawn(work, prompt)), "Fleet itself"


def is_paid(work: Work, part: str = "") -> bool:
    """Return whether a picture was ordered: then no other job may order it again."""
    return not {"url", "key"}.isdisjoint(work.known(f"image{part}") or {})


def show_ordered(work: Work) -> None:
    """Have the job's result name the picture that an earlier attempt ordered; nothing is made or fetched."""
    ordered = work.known("image") or {}
    if "key" in ordered:
        _tell(work, ordered)
    else:
        show(work, (work.known("picture") or {}).get("preview"))


def credited(work: Work, key: str | None, caption: str, alt_text: str) -> tuple[str, str]:
    """Return the texts of a post with the credit of its stored picture; without a key, of the picture it ordered."""
    key = key or (work.known("image") or {}).get("key")
    source = _source()
    return (caption, alt_text) if key is None or source is None else source.credit(work, str(key), caption, alt_text)


def _source() -> Any:
    """Return the feature that has pictures made by providers; None in a fleet without it."""
    return next(iter(registry.current().extensions("publishing.picture_sources")), None)


def _tell(work: Work, ordered: dict[str, Any]) -> None:
    told = {"picture": ordered["key"], "picture_by": ordered["by"], "picture_microusd": ordered["microusd"]}
    work.told = {**work.told, **told}


def _kept(work: Work, ordered: dict[str, Any]) -> bytes:
    """Return the stored file of a provider's picture as it is sent. Photos that no machine made are not signed."""
    data: bytes = _source().read(work, ordered)
    return _as_sent(work, data) if ordered["is_ai"] else data


def _drawn(work: Work, prompt: str) -> bytes:
    return render_jpeg(prompt, work.agent.persona_id or "default")


def _ordered(work: Work, prompt: str, part: str = "") -> dict[str, Any]:
    step = f"image{part}"
    ordered: dict[str, Any] = work.step(
        step, lambda: _order(work, prompt, part, f"{work.claim.job_id}:{step}"), also=partial(_replaced, work, step)
    )  # fmt: skip
    return ordered


def _order(work: Work, prompt: str, part: str, key: str) -> dict[str, Any]:
    """Order the picture. Nothing is ordered for a forbidden post."""
    work.gateway.permit(POST)
    source = _source()
    if source is None:
        return _order_workflow(work, prompt, key)
    made: dict[str, Any] = source.make(work, prompt, part, lambda: _order_workflow(work, prompt, key))
    return made


def _order_workflow(work: Work, prompt: str, key: str) -> dict[str, Any]:
    """Order the picture by one of the persona's workflows."""
    maker = work.deps.picture_account(work.claim.account_id)
    if maker is None:
        return {"by": "placeholder"}
    is_guest = maker.id != key_of(work.claim.account_id)
    if is_guest and (hold := controls.account_hold(work.deps.db, maker.id)) is not None:
        why = f"the account {maker.name}, which makes the pictures, is paused: {hold}"
        raise base.Throttled(why, retry_after_s=_PAUSE_LOOK_S)
    ways = speaker_of(work.deps, work.agent).workflow_types
    way = work.dice("workflow").choice(ways) if ways else ""
    order = PictureOrder(work.account, prompt, key, way, is_guest=is_guest)
    try:
        with work.calling(maker):
            url = _maker(work, maker.id).make(order, work.lease)
        return {"url": url, "by": "workflow", "workflow": way, "account": str(maker.id)}
    except gateway.DryRun:
        return {"by": "placeholder"}
    except base.Refused as error:
        return {"by": "placeholder", "why": str(error)}
    except base.Uncertain as error:
        # It may have been made and paid for: retry with the same key before giving it up.
        if work.claim.attempts == 0:
            raise
        return {"by": "placeholder", "why": str(error)}


def _maker_id(work: Work, part: str = "") -> uuid.UUID:
    """Return the account through which the picture was made."""
    recorded = (work.known(f"image{part}") or {}).get("account")
    return key_of(work.claim.account_id) if recorded is None else uuid.UUID(recorded)


def _fit_to_post(work: Work, url: str, prompt: str) -> str | None:
    """Check the picture once, with the result saved: a new check never pays again. None if it is unfit."""
    is_sent = _maker_id(work) != key_of(work.claim.account_id)  # no other system shows a picture by its address
    signed = work.deps.signer is not None
    if not work.settings.of(PublishingSettings).check_images and not signed and not is_sent:
        return url
    fetched: list[PictureFile] = []
    looked = _looked(work, url, fetched, is_posted=True)
    if "why" in looked:
        return None
    if not signed and not is_sent and (looked["marked"] or not work.settings.label_agents):
        return url
    made = _file(work, url, prompt, fetched)
    return None if made is None else data_url(_as_sent(work, made))


def _looked(
    work: Work, url: str, fetched: list[PictureFile], part: str = "", *, is_posted: bool = False
) -> dict[str, Any]:  # fmt: skip
    """Check a picture once, with the result saved; a small copy is kept of one that is posted. Drafts store theirs."""
    step = f"picture{part}"
    looked: dict[str, Any] = work.step(
        step, lambda: _look_at(work, url, fetched, part, is_posted=is_posted), also=partial(_replaced, work, step)
    )  # fmt: skip
    return looked


def _look_at(work: Work, url: str, fetched: list[PictureFile], part: str, *, is_posted: bool) -> dict[str, Any]:
    found = _fetch(work, url, part)
    if isinstance(found, str):
        return {"fit": False, "why": found}
    why = checks.why_unfit(found.data, found.content_type)
    if why is not None:
        return {"fit": False, "why": why}
    fetched.append(found)
    marks = read_marks(found.data)
    fit = {"fit": True, "marked": marks is not None and marks.is_machine_made}
    return {**fit, "preview": _preview(work, found.data)} if is_posted else fit


def _file(work: Work, url: str, prompt: str, fetched: list[PictureFile], part: str = "") -> bytes | None:
    """Return the picture's file with marks, if the surface added none. The bytes are not stored between attempts."""
    found = fetched[0] if fetched else _fetch(work, url, part)
    if isinstance(found, str):
        log.warning("picture_cannot_be_marked", job_id=str(work.claim.job_id), reason=found)
        return None
    marks = read_marks(found.data)
    if marks is None or not marks.is_machine_made:
        return stamp(found.data, Marks(PictureSource.AI, prompt))
    return found.data if len(found.data) <= MAX_BYTES else stamp(found.data, marks)


def _as_sent(work: Work, picture: bytes) -> bytes:
    """Return a marked picture as it is sent: signed, by a fleet that signs. Raises NotSigned: the job waits."""
    signer = work.deps.signer
    return picture if signer is None else signer.sign(picture)


def _maker(work: Work, account_id: uuid.UUID | None) -> PictureGateway:
    """Return the picture maker of an account, under the rules for the job's agent."""
    return work.deps.pictures(account_id, work.agent.id, work.agent.organisation_id)


def _fetch(work: Work, url: str, part: str) -> PictureFile | str:
    """Return the picture, or why it cannot be fetched; temporary errors are retried once first."""
    try:
        return _maker(work, _maker_id(work, part)).fetch(url, work.lease)
    except (base.Refused, base.Vanished) as error:
        return str(error)
    except (base.Uncertain, base.Unreachable) as error:
        if work.claim.attempts == 0:
            raise
        return str(error)


def _replaced(work: Work, name: str, tx: Tx) -> None:
    """Record that our own picture takes the place of the workflow's, paid or not, and why."""
    step = work.known(name)
    if "why" in step:
        events.emit(
            tx, "picture.replaced", agent_id=work.claim.agent_id, job_id=work.claim.job_id, agent=work.agent.name,
            persona=work.agent.persona_id, why=step["why"][:500],
        )  # fmt: skip
        log.warning("picture_replaced", job_id=str(work.claim.job_id), reason=step["why"])
