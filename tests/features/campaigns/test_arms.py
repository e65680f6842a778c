"""A/B tests of campaigns: who publishes which variant, that posts of variants are measured, and what is compared."""

from __future__ import annotations

import random
import uuid
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.core.errors import InvalidInput
from fleet.engine.points.effect_size import EffectVerdict
from fleet.features.campaigns import queries, service
from fleet.features.campaigns.arms import results
from fleet.features.campaigns.forms import arms as rules
from fleet.features.campaigns.models import ContentItemRow
from fleet.features.campaigns.stages import publication
from fleet.features.campaigns.values import ItemEdit, ItemTarget, NewCampaign
from fleet.features.experiments import engagement
from fleet.features.experiments.engagement import Reading
from tests.factories import Fleet
from tests.features.campaigns.test_pages import web
from tests.features.campaigns.test_pipeline import LONG, Network, agent, approve, come_due, fleet, networks, rows, work
from tests.web_client import Web

__all__ = ["fleet", "networks", "web"]  # the fixtures
TEXTS = ["Brass lamps warm a room.", "Wet slate keeps a harbour dark."]


slots = st.lists(st.builds(rules.Slot, st.text(max_size=5), st.sampled_from(["x", "mastodon"])), min_size=1,
                 max_size=8, unique_by=lambda one: one.account)  # fmt: skip


@given(slots, st.integers(1, 3), st.booleans(), st.text(max_size=5))
def test_no_network_gets_a_text_twice_and_no_account_a_variant_twice(
    among: list[rules.Slot], rounds: int, are_topics: bool, seed: str
) -> None:
    arms = [str(one) for one in range(rules.most_posts(among, rounds, are_topics=are_topics))]
    drawn = rules.draw(arms, among, rounds=rounds, seed=seed, are_topics=are_topics)
    assert drawn == rules.draw(arms, among, rounds=rounds, seed=seed, are_topics=are_topics)
    assert {len(set(one)) for one in drawn.values()} == {rounds} and set(drawn) == {one.account for one in among}
    for network in ("x", "mastodon"):
        found = [arm for one in among if one.network == network for arm in drawn[one.account]]
        assert are_topics or len(set(found)) == len(found)
    if are_topics:
        assert rules.draw(arms, among[:1], rounds=rounds, seed=seed, are_topics=True).items() <= drawn.items()


def test_each_variant_is_as_likely_as_the_others_and_campaigns_draw_independently() -> None:
    among = [rules.Slot(str(one), "x") for one in range(4000)]
    one, other = (rules.draw("AB", among, rounds=1, seed=seed, are_topics=True) for seed in "12")
    assert abs(Counter(found[0] for found in one.values())["A"] - 2000) < 5 * 32  # five standard deviations
    assert abs(sum(one[slot.account] == other[slot.account] for slot in among) - 2000) < 5 * 32


def create(fleet: Fleet, agents: int = 1, **changes: Any) -> Any:
    made = [ItemTarget(agent(fleet, "x")) for _ in range(agents)]
    new = NewCampaign(**{"name": "Lamps", "variants": TEXTS, "rounds": 2, "targets": made, **changes})
    return service.create(fleet.deps, new, by="ann")


def outcome(fleet: Fleet, campaign: uuid.UUID, age_h: int = 24) -> list[results.ArmResult]:
    with fleet.deps.db.transaction() as tx:
        return results.results(tx, queries.campaign(tx, campaign), age_h=age_h)


def test_topics_are_written_about_by_each_account_published_measured_and_counted(
    fleet: Fleet, networks: dict[str, Network]
) -> None:
    campaign = create(fleet, agents=3, are_topics=True)
    work(fleet)
    found = rows(fleet)
    by_agent = {one.agent_id: sorted(row.arm for row in found if row.agent_id == one.agent_id) for one in found}
    assert list(by_agent.values()) == [["A", "B"]] * 3
    assert all(row.brief == TEXTS["AB".index(row.arm)] for row in found)
    edited = next(row for row in found if row.arm == "B")
    service.edit(fleet.deps, edited.id, ItemEdit(["A lantern by the quay, and nobody asks why."]), by="ann")
    work(fleet)
    come_due(fleet)
    assert {row.state for row in rows(fleet)} == {"published"} and len(networks["x"].writes) == 6
    assert [(one.name, one.items, one.published) for one in outcome(fleet, campaign.id)] == [("A", 3, 3), ("B", 2, 2)]
    assert len(fleet.jobs(kind="measure")) == 5 * 3, "the posts of variants are read after 1, 24 and 72 h, others not"
    first = next(row for row in rows(fleet) if row.arm == "A")
    read(fleet, [(first, 24, 7, 3)])
    (a, b) = outcome(fleet, campaign.id)
    assert (a.measured, a.mean, b.measured, b.mean) == (1, 9.0, 0, None), "one like of an agent is taken off"
    assert b.verdict is EffectVerdict.NOT_ENOUGH and "Not enough data" in b.words and b.interval is None
    assert [one.measured for one in outcome(fleet, campaign.id, 72)] == [0, 0], "ages are not mixed"


def test_an_agent_is_named_once_and_a_topic_is_as_short_as_any(fleet: Fleet) -> None:
    name = agent(fleet, "x")
    with pytest.raises(InvalidInput, match="named twice"):
        create(fleet, targets=[ItemTarget(name), ItemTarget(name, "x")], are_topics=True)
    with pytest.raises(InvalidInput, match="500 is the most"):
        create(fleet, are_topics=True, variants=["a" * 501, "b"])


def test_a_text_goes_out_once_on_each_network(fleet: Fleet, networks: dict[str, Network]) -> None:
    targets = [ItemTarget(agent(fleet, one)) for one in ("x", "x", "linkedin")]
    create(fleet, targets=targets, rounds=1)
    work(fleet)
    approve(fleet)
    come_due(fleet)
    assert {row.state for row in rows(fleet)} == {"published"}
    assert sorted(one.payload.words for one in networks["x"].writes) == sorted(TEXTS)
    assert networks["linkedin"].writes[0].payload.words in TEXTS


def read(fleet: Fleet, readings: list[tuple[ContentItemRow, int, int, int]]) -> None:
    """Record likes and comments of items at an age; one like is by an agent."""
    with fleet.deps.db.transaction() as tx:
        for row, age_h, likes, comments in readings:
            job = publication.jobs_of(row, 0)[-1]
            engagement.keep(tx, Reading(job, age_h, row.agent_id, row.surface, "1", datetime.now(UTC), likes, comments,
                                        1, 0))  # fmt: skip


@pytest.mark.parametrize(("more", "verdict"), [(0, EffectVerdict.NO_DIFFERENCE), (6, EffectVerdict.MORE)])
def test_variants_are_compared_once_both_have_enough_posts(fleet: Fleet, more: int, verdict: EffectVerdict) -> None:
    campaign = create(fleet, agents=1, rounds=1)
    work(fleet)
    agent_id, dice = rows(fleet)[0].agent_id, random.Random(5)
    made = [
        ContentItemRow(id=uuid.uuid4(), campaign_id=campaign.id, agent_id=agent_id, surface="x", state="published",
                       arm=arm, remote_ids=["1"], revision=1, published_at=datetime.now(UTC), created_by="ann",
                       organisation_id=campaign.organisation_id)
        for arm in "AB" for _ in range(results.ENOUGH)
    ]  # fmt: skip
    with fleet.deps.db.transaction() as tx:
        tx.session.add_all(made)
        tx.session.flush()
        for row in made:
            tx.session.expunge(row)
    read(fleet, [(row, 24, dice.randint(1, 9) + (more if row.arm == "B" else 0), 0) for row in made[:-1]])
    assert outcome(fleet, campaign.id)[1].verdict is EffectVerdict.NOT_ENOUGH, "29 are one too few"
    read(fleet, [(made[-1], 24, 5 + more, 0)])
    a, b = outcome(fleet, campaign.id)
    assert (a.verdict, b.verdict) == (EffectVerdict.REFERENCE, verdict)
    assert b.interval is not None and b.interval.low < b.interval.difference < b.interval.high
    assert (b.interval.low > 0) is (more > 0)


def test_the_parts_of_a_thread_are_read_and_counted_together(web: Web) -> None:
    fleet, ana = web.fleet, web.browser("operator")
    other = " ".join(
        f"Line {number} is about slate on a wet roof by the sea, far from any lamp." for number in range(9)
    )
    campaign = create(fleet, variants=[LONG, other], rounds=1)
    work(fleet)
    come_due(fleet)
    (row,) = rows(fleet)
    assert row.state == "published" and len(row.parts) > 2
    planned = [job.payload["post_job"] for job in fleet.jobs(kind="measure")]
    parts = [publication.jobs_of(row, part)[0] for part in range(len(row.parts))]
    assert sorted(planned) == sorted(str(one) for one in parts for _ in range(3)), "each part after 1, 24 and 72 h"
    with fleet.deps.db.transaction() as tx:
        for job in parts[:-1]:
            engagement.keep(tx, Reading(job, 24, row.agent_id, "x", "1", datetime.now(UTC), 5, 1))
    assert [one.measured for one in outcome(fleet, campaign.id)] == [0, 0], "a part is missing"
    shown = f"{5 * (len(parts) - 1)} likes, {len(parts) - 1} comments"
    assert shown in ana.get(f"/content-items/{row.id}").text
    with fleet.deps.db.transaction() as tx:
        engagement.keep(tx, Reading(parts[-1], 24, row.agent_id, "x", "1", datetime.now(UTC), 7, 0))
    (arm,) = [one for one in outcome(fleet, campaign.id) if one.measured]
    assert arm.mean == 6 * (len(parts) - 1) + 7
    assert f"{5 * (len(parts) - 1) + 7} likes" in ana.get(f"/campaigns/{campaign.id}").text


def test_variants_that_make_no_test_are_refused(fleet: Fleet) -> None:
    for wrong in ({"variants": TEXTS[:1]}, {"variants": [TEXTS[0]] * 2}, {"rounds": 3}, {"message": "Lamps."},
                  {"variants": []}, {"topics": ["lamps"]}, {"agents": 2}):  # fmt: skip
        with pytest.raises(InvalidInput, match="variant"):
            create(fleet, **{"agents": 1, **wrong})


def test_a_campaign_of_variants_is_created_by_form_and_its_page_compares_them(web: Web) -> None:
    ana = web.browser("operator")
    form = {"name": "Lamps", "target": agent(web.fleet, "x"), "variant_1": TEXTS[0], "rounds": "2", "message": ""}
    refused = ana.post("/campaigns/new", **form)
    assert refused.status_code == 422 and TEXTS[0] in refused.text and 'id="variant_1-problem"' in refused.text
    made = ana.post("/campaigns/new", **form, variant_2=TEXTS[1])
    assert made.status_code == 303, made.text
    work(web.fleet)
    page = ana.get(f"{made.headers['location'].partition('?')[0]}?age_h=72").text
    assert "Compared with A" in page and "Not enough data" in page and TEXTS[1] in page
    assert '<option value="72" selected>' in page
