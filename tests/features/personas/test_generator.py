"""Seeded agents: the same for the same seed, never two of one username, in any script."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.core.errors import InvalidInput, NotFound
from fleet.features.personas import generator, library
from fleet.features.personas.library import Library, Names

LIBRARY = library.load()
GOLDEN = [("social_clear_1", "Viral Pro"), ("ai_sharp_2", "Sharp Dreams"), ("data_clean_3", "Clean Analytics")]
USERNAME = re.compile(r"[a-z0-9_]{3,30}")


def generate(seed: int = 1, start: int = 1, count: int = 12, **more: object) -> list[generator.Blueprint]:
    return generator.generate(LIBRARY, LIBRARY.names, seed=seed, start=start, count=count, **more)  # type: ignore[arg-type]


def test_same_seed_gives_the_same_agents() -> None:
    assert generate(seed=5) == generate(seed=5)
    assert generate(seed=5) != generate(seed=6)


def test_draws_do_not_change_between_releases() -> None:
    """Whoever seeded a fleet yesterday gets the same one today; a change here is a breaking change."""
    assert [(agent.username, agent.name) for agent in generate(seed=1, count=3)] == GOLDEN


def test_a_later_batch_continues_an_earlier_one() -> None:
    assert generate(start=1, count=5) + generate(start=6, count=7) == generate(start=1, count=12)


def test_blueprint_carries_the_persona_and_a_name_from_its_templates() -> None:
    for agent in generate(count=30):
        persona = LIBRARY.get(agent.persona_id)
        assert agent.username.startswith(persona.username_prefix)
        assert agent.username.endswith(f"_{agent.index}")
        assert agent.character == persona.character
        assert agent.weights == persona.weights
        assert (agent.min_interval_s, agent.max_interval_s) == (persona.interval.min_s, persona.interval.max_s)
        possible = {
            template.replace("{adj}", adjective).replace("{noun}", noun)
            for template in persona.name_templates
            for adjective in LIBRARY.names.adjectives
            for noun in LIBRARY.names.nouns
        }
        assert agent.name in possible


@given(seed=st.integers(0, 2**32))
@settings(max_examples=25, deadline=None)
def test_no_two_of_ten_neighbours_share_a_name(seed: int) -> None:
    agents = generate(seed=seed, count=10)
    assert len({agent.name for agent in agents}) == 10


@pytest.mark.parametrize("seed", range(50))
def test_every_persona_has_an_agent_before_any_has_a_second(seed: int) -> None:
    drawn = [agent.persona_id for agent in generate(seed=seed, count=2 * len(LIBRARY))]
    assert sorted(drawn[: len(LIBRARY)]) == sorted(persona.id for persona in LIBRARY)
    later = [agent.persona_id for agent in generate(seed=seed, start=4, count=5)]
    assert later == drawn[3:8], "a later batch continues an earlier one"


def test_one_persona_only_when_asked() -> None:
    assert {agent.persona_id for agent in generate(persona_id="ux_designer")} == {"ux_designer"}


@pytest.mark.parametrize(("asked", "said"), [({"persona_id": "ux"}, "no persona 'ux'"), ({"start": 0}, "index 0")])
def test_impossible_requests_are_refused(asked: dict[str, object], said: str) -> None:
    with pytest.raises((InvalidInput, NotFound), match=said):
        generate(**asked)  # type: ignore[arg-type]


def test_persona_draw_follows_the_shares() -> None:
    count = 4000
    drawn = Counter(agent.persona_id for agent in generate(seed=11, count=count))
    total = sum(persona.share for persona in LIBRARY)
    for persona in LIBRARY:
        expected = persona.share / total
        spread = 4 * (expected * (1 - expected) / count) ** 0.5
        assert abs(drawn[persona.id] / count - expected) < spread, persona.id


@given(seed=st.integers(), start=st.integers(1, 10**9), count=st.integers(0, 8))
@settings(max_examples=50, deadline=None)
def test_a_second_run_adds_and_never_collides(seed: int, start: int, count: int) -> None:
    first = generate(seed=seed, start=start, count=count)
    taken = frozenset(agent.username for agent in first)
    second = generate(seed=seed, start=start, count=count, taken=taken)
    assert not taken & {agent.username for agent in second}
    assert second == generate(seed=seed, start=start, count=count, taken=taken)
    assert all(USERNAME.fullmatch(agent.username) for agent in first + second)


@given(
    adjective=st.text(min_size=0, max_size=60),
    prefix=st.from_regex(r"[a-z][a-z0-9_]{0,13}", fullmatch=True),
    index=st.integers(1, 10**9),
    rivals=st.integers(0, 5),
)
@settings(max_examples=200, deadline=None)
def test_usernames_are_always_lawful_and_free(adjective: str, prefix: str, index: int, rivals: int) -> None:
    used: set[str] = set()
    for _ in range(rivals + 1):
        username = generator.username(prefix, adjective, index, used)
        assert USERNAME.fullmatch(username)
        assert username not in used
        used.add(username)


@pytest.mark.parametrize(
    ("adjective", "username"),
    [
        ("Bright", "studio_bright_7"),
        ("Čirý", "studio_ciry_7"),
        ("Süß", "studio_suss_7"),
        ("Łódź", "studio_lodz_7"),
        ("Ærlig", "studio_aerlig_7"),
        ("明るい", "studio_7"),
        ("яркий", "studio_7"),
        ("🎨", "studio_7"),
        ("A" * 60, "studio_" + "a" * 21 + "_7"),
    ],
)
def test_username_spells_any_adjective_in_plain_letters(adjective: str, username: str) -> None:
    assert generator.username("studio_", adjective, 7) == username


def test_names_keep_every_script() -> None:
    words = Names(("Čirý", "明るい", "نور"), ("Dílna", "工房"))
    made = generator.generate(LIBRARY, words, seed=3, start=1, count=40)
    said = " ".join(agent.name for agent in made)
    assert all(word in said for word in (*words.adjectives, *words.nouns))


def test_names_stay_within_the_limit() -> None:
    words = Names(("a" * 90,), ("n" * 90,))
    assert all(1 <= len(agent.name) <= 100 for agent in generator.generate(LIBRARY, words, seed=3, start=1, count=20))


def test_one_persona_alone_is_always_drawn() -> None:
    alone = Library({"ai_artist": LIBRARY.get("ai_artist")}, LIBRARY.names)
    made = generator.generate(alone, alone.names, seed=1, start=1, count=5)
    assert {agent.persona_id for agent in made} == {"ai_artist"}
