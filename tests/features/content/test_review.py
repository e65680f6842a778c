"""One look at a text: refused, mended or passed; moderation that fails closed; tone that asks once more."""

from __future__ import annotations

import random

import pytest

from fleet.core.character import Character
from fleet.features.content import review
from fleet.features.content.checks import tone
from fleet.features.content.checks.findings import Severity
from fleet.features.content.checks.moderation import LocalRules
from fleet.features.content.checks.similar import RecentTexts
from fleet.features.content.review import Said, Standards
from fleet.features.content.surfaces import Kind
from fleet.features.personas.library import load
from fleet.llm.base import PostRequest, Speaker
from fleet.llm.offline.provider import OfflineProvider

SHIPPED = review.standards()
LIBRARY = load()


def rules_of(words: str, kind: Kind = Kind.CAPTION, by: Standards = SHIPPED) -> list[str]:
    return [finding.rule for finding in review.review(words, kind, "floimg", by).refusals]


def speaker(persona_id: str) -> Speaker:
    persona = LIBRARY.get(persona_id)
    return Speaker("Ada", persona.id, persona.character, (), persona.grammar)


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        ("You are worthless and everybody knows.", "moderation.harassment"),
        ("k y s", "moderation.harassment"),
        ("I will k1ll you, heron.", "moderation.violence"),
        ("How to build a bomb", "moderation.violence"),
        ("I want to die today", "moderation.self_harm"),
        ("Send nudes to the harbour", "moderation.sexual"),
        ("Всех вас, я тебя убью", "moderation.violence"),
        ("もう死ね", "moderation.harassment"),
        ("As an AI language model, I cannot.", "banned"),
        ("I'm not a bot, promise.", "banned"),
        ("Link in bio!", "banned"),
        ("Write to zoe@example.org", "privacy.email"),
        ("See https://evil.example", "links"),
        ("\u200b\u200b  ", "empty"),
        ("kill_yourself", "moderation.harassment"),
        ("<b>kill</b> yourself", "moderation.harassment"),
        ("k&#105;ll yourself", "moderation.harassment"),
        ("zoe @ example . org", "privacy.email"),
    ],
)
def test_what_must_not_be_published_is_refused(words: str, rule: str) -> None:
    assert rule in rules_of(words)
    assert review.review(words, Kind.CAPTION, "floimg", SHIPPED).text == ""


@pytest.mark.parametrize(
    "words",
    [
        "Kill the lights, the neon does the rest.", "Shot at golden hour; the fog dies slowly.",
        "Dead pixels, a kill screen and a boss who never stabs first.", "Scunthorpe in the rain, Essex behind it.",
        "The cock crowed over Penistone.", "This lamp slays.", "A suicide door on a 1961 sedan.",
        "Class assembly, brass.", "Meet me @ work. It is dark there.", "snake_case kills no style",
        "I will shoot the harbour at dawn.", "You are an artist.", "Death Valley, to scale.", "Analysis of sextants.",
    ],
)  # fmt: skip
def test_harmless_words_pass(words: str) -> None:
    verdict = review.review(words, Kind.CAPTION, "floimg", SHIPPED)
    assert (verdict.ok, verdict.text, verdict.findings) == (True, words, ())


@pytest.mark.long
def test_nothing_that_the_shipped_personas_write_is_refused() -> None:
    writer, dice = OfflineProvider(), random.Random(11)
    for persona_id in LIBRARY.ids:
        for _ in range(25):
            post, _usage = writer.write_post(PostRequest(speaker(persona_id)), dice)
            assert rules_of(post.caption) == rules_of(post.alt_text, Kind.ALT_TEXT) == []
            assert rules_of(post.image_prompt, Kind.PROMPT) == []


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        ("kill @zoe yourself", "moderation.harassment"),
        ("Call +49 @zoe 30 901820 today", "privacy.phone"),
        ("as an @x ai", "banned"),
    ],
)
def test_what_mending_brings_together_is_refused_too(words: str, rule: str) -> None:
    assert review.review("kill the lights @zoe", Kind.CAPTION, "floimg", SHIPPED).ok
    assert rule in rules_of(words)


def test_an_event_is_sent_once_however_often_it_is_read() -> None:
    rules = rules_of("I'm not a bot! Mail zoe@example.org @tom")
    assert rules.count("privacy.email") == 1


def test_a_moderator_that_fails_has_refused() -> None:
    class Broken:
        def categories(self, words: str) -> frozenset[str]:
            raise OSError("no answer")

    by = Standards(SHIPPED.banned, (LocalRules(), Broken()))
    assert rules_of("A quiet harbour.", by=by) == ["moderation.unanswered"]


def test_every_moderator_is_asked() -> None:
    class Strict:
        def categories(self, words: str) -> frozenset[str]:
            return frozenset({"spam"})

    assert rules_of("A harbour.", by=Standards(SHIPPED.banned, (LocalRules(), Strict()))) == ["moderation.spam"]


def test_an_owner_bans_words_of_the_house() -> None:
    for said in ("The Acme anvil", "Acme's anvil", "ACME’S anvil", "_acme_'s anvil"):
        assert rules_of(said, by=review.standards(["acme"])) == ["banned"]
    assert rules_of("It's the acmes' anvil", by=review.standards(["acme"])) == []


def test_findings_about_people_and_harm_do_not_repeat_the_words() -> None:
    verdict = review.review("I will kill you, zoe@example.org, fst_abcdefgh123", Kind.COMMENT, "floimg", SHIPPED)
    told = " ".join(map(str, verdict.findings))
    assert not any(part in told for part in ("zoe", "fst_", "kill"))


def test_repairable_texts_are_repaired_and_reported() -> None:
    verdict = review.review("“Dawn.” " + "A quiet harbour. " * 60 + "#sea", Kind.COMMENT, "floimg", SHIPPED)
    assert verdict.ok
    assert len(verdict.text) <= 300
    assert verdict.text.endswith("harbour.")
    assert {finding.severity for finding in verdict.findings} == {Severity.MEND}


def test_only_published_texts_are_compared() -> None:
    recent = RecentTexts(10)
    recent.add("1", "ada", "A harbour.")
    for kind, ok in ((Kind.CAPTION, False), (Kind.COMMENT, False), (Kind.ALT_TEXT, True), (Kind.PROMPT, True)):
        assert review.review("A harbour!", kind, "floimg", SHIPPED, Said("ada", recent, "2")).ok is ok


def test_a_text_far_out_of_character_is_reported_and_not_refused() -> None:
    voice = tone.voice_of(speaker("ux_designer"))
    verdict = review.review(
        "OMG!!! BEST DAY EVER!!! 🔥🔥🔥 SO HAPPY!!!",
        Kind.CAPTION,
        "floimg",
        SHIPPED,
        Said("ada", RecentTexts(0), "", voice),
    )
    assert verdict.ok
    assert [(finding.rule, finding.severity) for finding in verdict.findings] == [("tone", Severity.DOUBT)]


@pytest.mark.parametrize("persona_id", LIBRARY.ids)
def test_a_persona_is_in_character_with_itself(persona_id: str) -> None:
    who = speaker(persona_id)
    voice = tone.voice_of(who)
    assert voice is not None
    for seed in range(20):
        caption = OfflineProvider().write_post(PostRequest(who), random.Random(seed))[0].caption
        assert tone.match(caption, voice).score > 0.6


def test_a_speaker_without_a_grammar_has_no_voice() -> None:
    assert tone.voice_of(Speaker("Ada", None, Character("calm", "minimal"))) is None


def test_quotes_around_the_whole_go() -> None:
    assert review.review("“A quiet harbour.”", Kind.CAPTION, "floimg", SHIPPED).text == "A quiet harbour."
