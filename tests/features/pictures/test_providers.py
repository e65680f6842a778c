"""Pictures come from the first provider that can, are paid once, marked or credited, and recorded: through `perform`.

The providers are contract servers on loopback, called by the safe fetcher.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image

from fleet.adapters.base import Action
from fleet.adapters.manifest import TextRule, TextUnit
from fleet.adapters.social import PostPayload
from fleet.core.errors import InvalidInput
from fleet.core.failpoints import Point, arm
from fleet.core.settings import SettingScope
from fleet.engine.attempts.perform import perform
from fleet.engine.jobs.states import JobState
from fleet.engine.settings import store
from fleet.engine.settings.store import ScopeKey
from fleet.features.pictures import providers, queries
from fleet.features.pictures.makers.base import search_words
from fleet.features.pictures.makers.prices import prices_of
from fleet.features.pictures.rules import credited
from fleet.images import PictureSource, read_marks
from fleet.spending import ledger
from fleet.spending.budgets import Period, Scope
from tests.contracts.pictures import PictureContract
from tests.contracts.server import Reply
from tests.engine.test_perform import add, settle
from tests.factories import Fleet, make_fleet
from tests.web_client import Web

CREDIT = "Photo by Ada Photographer"


class Killed(BaseException):
    """The process dies here."""


@pytest.fixture
def server() -> Iterator[PictureContract]:
    with PictureContract().serve() as made:
        yield made


class Posts:
    """A fleet whose pictures come from the server, and what it posted."""

    def __init__(self, database_url: str, server: PictureContract, *names: str, **settings: Any) -> None:
        self.fleet: Fleet = make_fleet(database_url, **{**server.settings(*names), **settings})
        self.sent: list[PostPayload] = []
        self.fleet.surface.faults = [self._note] * 9

    def _note(self, action: Action[PostPayload]) -> None:
        self.sent.append(action.payload)

    def post(self) -> Any:
        """Have a new agent post; return the job."""
        job_id = add(self.fleet, self.fleet.agent(persona_id="ai_artist"), "post")
        settle(self.fleet, job_id)
        return self.fleet.job(job_id)

    def orders(self) -> list[tuple[str, str, int]]:
        found = self.fleet.sql("SELECT provider, state, microusd FROM picture_orders ORDER BY asked_at, id")
        return [(row.provider, row.state, row.microusd) for row in found]

    def calls(self) -> list[tuple[str, str, int]]:
        found = self.fleet.sql(
            "SELECT provider, outcome, microusd FROM llm_calls WHERE purpose = 'picture' ORDER BY id"
        )
        return [(row.provider, row.outcome, row.microusd) for row in found]

    def picture(self, number: int = -1) -> bytes:
        return base64.b64decode(self.sent[number].image_url.partition(",")[2])


@pytest.fixture
def posts(database_url: str, server: PictureContract, request: pytest.FixtureRequest) -> Iterator[Posts]:
    names = request.param if hasattr(request, "param") else ("openai",)
    made = Posts(database_url, server, *names)
    yield made
    made.fleet.deps.close()


@pytest.mark.parametrize(
    ("posts", "provider", "cost"),
    [(("openai",), "openai", 45_200), (("stability",), "stability", 30_000), (("compatible",), "compatible", 2_000)],
    indirect=["posts"],
)
def test_a_models_picture_is_marked_recorded_and_charged(posts: Posts, provider: str, cost: int) -> None:
    job = posts.post()
    assert job.state == JobState.DONE
    marks = read_marks(posts.picture())
    assert marks is not None and marks.source == PictureSource.AI
    assert (job.result["picture_by"], job.result["picture_microusd"]) == (provider, cost)
    assert posts.orders() == [(provider, "made", cost)]
    assert posts.calls() == [(provider, "answered", cost)]
    assert posts.fleet.surface.images_paid == []


def test_a_compatible_server_may_lack_options_and_answer_with_an_address(
    database_url: str, server: PictureContract
) -> None:
    server.refuses_options = server.by_url = True
    posts = Posts(database_url, server, "compatible")
    posts.post()
    assert read_marks(posts.picture()) is not None
    assert [sorted(one) for one in server.drawn] == [["model", "n", "prompt", "size"]]
    posts.fleet.deps.close()


@pytest.mark.parametrize("posts", [("unsplash",), ("pexels",)], indirect=True)
def test_a_stock_photo_is_credited_not_marked_and_taken_once(posts: Posts, server: PictureContract) -> None:
    for _ in range(3):
        posts.post()
    name = posts.orders()[0][0]
    wanted = CREDIT if name == "unsplash" else "Photo by Bo Lens on Pexels"
    assert all(wanted in one.text and "\n" not in one.text.rpartition("\n\n")[2] for one in posts.sent)
    assert all(read_marks(posts.picture(number)) is None for number in range(3))
    assert posts.orders() == [(name, "made", 0)] * 3
    taken = set(posts.fleet.sql("SELECT remote_id FROM picture_orders").scalars())
    assert len(taken) == 3
    assert sorted(server.reports) == (sorted(one.partition(":")[2] for one in taken) if name == "unsplash" else [])
    posts.post()  # all three are used: the placeholder
    assert posts.orders()[3][:2] == (name, "failed")
    placeholder = read_marks(posts.picture())
    assert placeholder is not None and placeholder.source == PictureSource.FORMULA


@pytest.mark.parametrize("posts", [("openai", "stability", "surface")], indirect=True)
def test_the_next_provider_is_asked_and_the_first_rests_after_a_wrong_key(
    posts: Posts, server: PictureContract
) -> None:
    server.answer("POST", "/v1/images/generations", Reply(401, {"error": {"message": "wrong key"}}), times=9)
    posts.post()
    posts.post()
    assert posts.orders() == [
        ("openai", "failed", 0), ("stability", "made", 30_000), ("stability", "made", 30_000)
    ]  # fmt: skip
    assert server.count("POST", "/v1/images/generations") == 1, "it rests"
    listed = {one.name: one for one in queries.listed_providers(posts.fleet.deps)}
    assert listed["openai"].rests and (listed["stability"].place, listed["stability"].made) == (2, 2)
    assert listed["pexels"].place is None


@pytest.mark.parametrize("posts", [("openai", "surface")], indirect=True)
def test_a_refused_prompt_goes_to_the_surface_without_a_charge(posts: Posts, server: PictureContract) -> None:
    reply = Reply(400, {"error": {"code": "moderation_blocked", "message": "rejected by the safety system"}})
    server.answer("POST", "/v1/images/generations", reply)
    posts.post()
    assert len(posts.fleet.surface.images_paid) == 1
    assert posts.calls() == [("openai", "refused", 0)]
    posts.post()
    assert posts.orders()[-1][:2] == ("openai", "made"), "a refused prompt is no illness"


@pytest.mark.parametrize("posts", [("openai", "pexels")], indirect=True)
def test_a_lost_answer_is_charged_in_full_and_never_asked_for_again(posts: Posts, server: PictureContract) -> None:
    server.lose_reply("POST", "/v1/images/generations")
    posts.post()
    assert len(server.drawn) == 1
    assert posts.orders()[0][:2] == ("openai", "lost")
    assert posts.orders()[0][2] == posts.calls()[0][2] > 40_000
    assert "Bo Lens" in posts.sent[0].text


@pytest.mark.parametrize("point", [Point.CALL_RESERVED, Point.CALL_SETTLED, Point.JOB_STEP_PAID, Point.JOB_STEP_SAVED])
@pytest.mark.parametrize("posts", [("openai", "pexels")], indirect=True)
def test_a_picture_that_was_paid_for_is_not_asked_for_twice_after_a_kill(
    posts: Posts, server: PictureContract, point: Point
) -> None:
    fleet, orders = posts.fleet, "SELECT count(*) FROM picture_orders"
    job_id = add(fleet, fleet.agent(persona_id="ai_artist"), "post")

    def strike(reached: Point) -> None:
        if reached is point and fleet.sql(orders).scalar_one():  # the words' own calls come first
            raise Killed

    arm(strike)
    try:
        with pytest.raises(Killed):
            perform(fleet.deps, job_id)
    finally:
        arm(None)
    settle(fleet, job_id)
    assert fleet.job(job_id).state == JobState.DONE
    assert len(server.drawn) == (0 if point is Point.CALL_RESERVED else 1)
    is_kept = point in (Point.JOB_STEP_PAID, Point.JOB_STEP_SAVED)
    assert [one[:2] for one in posts.orders()] == (
        [("openai", "made")] if is_kept else [("openai", "lost"), ("pexels", "made")]
    )


@pytest.mark.parametrize("posts", [("openai", "pexels")], indirect=True)
def test_a_spent_budget_passes_the_picture_to_a_free_provider(posts: Posts, server: PictureContract) -> None:
    with posts.fleet.deps.db.transaction() as tx:
        ledger.set_budget(tx, Scope.PROVIDER, "openai", Period.DAY, 10_000, by="tests")
    posts.post()
    assert server.drawn == []
    assert [one[:2] for one in posts.orders()] == [("openai", "failed"), ("pexels", "made")]
    assert "budget" in posts.fleet.sql("SELECT why FROM picture_orders WHERE state = 'failed'").scalar_one()


def test_an_unfit_picture_is_replaced_and_not_ordered_again(database_url: str, server: PictureContract) -> None:
    blank = io.BytesIO()
    Image.new("RGB", (512, 512), "white").save(blank, "PNG")
    body = {"data": [{"b64_json": base64.b64encode(blank.getvalue()).decode()}]}
    server.answer("POST", "/v1/images/generations", Reply(200, body))
    posts = Posts(database_url, server, "openai")
    posts.post()
    assert posts.orders()[0][:2] == ("openai", "unfit")
    why = posts.fleet.sql("SELECT payload->>'why' FROM events WHERE subject = 'picture.unfit'").scalars().first()
    assert "blank" in why
    posts.fleet.deps.close()


def test_a_dry_run_and_a_missing_key_ask_nobody(database_url: str, server: PictureContract) -> None:
    for changes in ({"dry_run": True}, {"openai_image_key": ""}):
        posts = Posts(database_url, server, "openai", **changes)
        posts.post()
        posts.fleet.deps.close()
    assert server.calls == []


def test_the_key_goes_to_the_providers_own_server_alone(database_url: str, server: PictureContract) -> None:
    with PictureContract().serve() as elsewhere:
        found = server._photo(1)
        found["links"]["download_location"] = f"{elsewhere.url}/photos/photo1/download"
        server.answer("GET", "/search/photos", Reply(200, {"results": [found]}), times=9)
        posts = Posts(database_url, server, "unsplash")
        posts.post()
        assert elsewhere.calls == []
        assert posts.orders()[0][:2] == ("unsplash", "failed")
        posts.fleet.deps.close()


def test_an_order_with_an_unknown_name_or_price_is_refused_at_the_start(
    database_url: str, server: PictureContract
) -> None:
    with pytest.raises(InvalidInput, match="FLEET_PICTURES_ORDER: 'dalle' is no provider"):
        make_fleet(database_url, **(server.settings("openai") | {"pictures_order": ("dalle",)}))
    fleet = make_fleet(database_url, **(server.settings("openai") | {"picture_prices": ("sdxl=free",)}))
    with pytest.raises(InvalidInput):
        providers.check(fleet.deps.given)
    fleet.deps.close()
    with pytest.raises(InvalidInput, match="no price"):
        prices_of(()).at_most("sdxl", "high", 1.0, "x")


@pytest.mark.parametrize(
    ("caption", "alt", "rules", "becomes"),
    [
        ("Fog.", "A pier.", {}, ("Fog.\n\nPhoto by A", "A pier.")),
        ("x" * 20, "A pier.", {"post": TextRule(most=25), "alt_text": TextRule(most=90)},
         ("x" * 20, "A pier. (Photo by A)")),
        ("word " * 6, "", {"post": TextRule(most=30, unit=TextUnit.GRAPHEMES)}, ("word word word…\n\nPhoto by A", "")),
    ],
)  # fmt: skip
def test_a_credit_finds_its_place(caption: str, alt: str, rules: dict[str, TextRule], becomes: tuple[str, str]) -> None:
    found = credited(caption, alt, "Photo by A", rules)
    if "…" in becomes[0]:
        assert found.caption.endswith("\n\nPhoto by A") and len(found.caption) <= 30
    else:
        assert found == becomes
    assert credited(*found, "Photo by A", rules) == found


def test_the_search_takes_words_that_name_things() -> None:
    prompt = "A beautiful photo of a wooden fishing harbour in soft morning fog, shallow depth of field"
    assert search_words(prompt) == "wooden fishing harbour morning"
    assert search_words("…") == "…"


@pytest.mark.parametrize("posts", [("unsplash", "openai")], indirect=True)
def test_page_and_api_show_provider_cost_and_credit(posts: Posts, server: PictureContract) -> None:
    server.photos = 1
    posts.post()
    posts.post()  # the only photo is taken: the model draws
    web = Web(posts.fleet)
    page = web.browser().get("/pictures").text
    assert "Photo by Ada Photographer 1 on Unsplash" in page and "made by AI, marked in its file" in page
    assert "$0.05" in page and "set FLEET_STABILITY_API_KEY" not in page
    program = web.program()
    found = program.get("/api/v1/pictures", params={"provider": "openai"}).json()["items"]
    assert [(one["state"], one["microusd"], one["credit"]) for one in found] == [("made", 45_200, None)]
    listed = program.get("/api/v1/pictures/providers").json()["items"]
    assert [(one["name"], one["place"]) for one in listed][:3] == [("unsplash", 1), ("openai", 2), ("stability", None)]


@pytest.mark.parametrize("posts", [("openai",)], indirect=True)
def test_the_order_is_set_for_the_fleet_and_for_a_persona(posts: Posts) -> None:
    key = ScopeKey(SettingScope.PERSONA, "ai_artist")
    with posts.fleet.deps.db.transaction() as tx:
        store.put(tx, key, "pictures_order", "pexels", by="tests", reason="")
    posts.fleet.deps.live.refresh()
    posts.post()
    assert posts.orders()[0][0] == "pexels"
