"""The form of a text, private data, and lists of words: what is found, what is mended, what is left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.adapters import registry, texts
from fleet.adapters.manifest import TextRule, TextUnit
from fleet.features.content.checks import form as rules
from fleet.features.content.checks.findings import Severity
from fleet.features.content.checks.lexicon import Lexicon
from fleet.features.content.checks.privacy import private_data
from fleet.features.content.surfaces import STRICTEST, Kind, form

CAPTION = STRICTEST[Kind.CAPTION]
WITH_LINKS = TextRule(most=3000, hashtags=3, mentions=3)
FORMS = [
    *STRICTEST.values(), WITH_LINKS, TextRule(most=40, unit=TextUnit.GRAPHEMES, most_bytes=90, hashtags=2, mentions=1),
    TextRule(most=60, unit=TextUnit.WEIGHTED, url_length=23, hashtags=1, line_breaks=1),
    TextRule(most=30, unit=TextUnit.UTF16, links=False),
]  # fmt: skip


def found(words: str) -> list[str]:
    return [finding.rule for finding in private_data(words)]


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        ("Write to zoe.k@example.org for prints.", "privacy.email"),
        ("zoe (at) example (dot) org", "privacy.email"),
        ("Write to zoe@example．org soon", "privacy.email"),
        ("Write to zoe@example。org soon", "privacy.email"),
        ("Write to ｚｏｅ＠ｅｘａｍｐｌｅ．ｏｒｇ soon", "privacy.email"),
        ("Call ＋49 30 901820 today", "privacy.phone"),
        ("４１１１－１１１１－１１１１－１１１１", "privacy.card"),
        ("Call +49 30 901820 today", "privacy.phone"),
        ("call (415) 555-2671", "privacy.phone"),
        ("or 1-800-555-0199 now", "privacy.phone"),
        ("Ruf an: 030 / 90 18 20 77", "privacy.phone"),
        ("اتصل ‎+٤٤ ٢٠ ٧٩٤٦ ٠٩٥٨", "privacy.phone"),
        ("4111 1111 1111 1111, exp 12/29", "privacy.card"),
        ("DE89 3704 0044 0532 0130 00", "privacy.account"),
        ("SSN 536-90-4399", "privacy.id"),
        ("NINO AB 12 34 56 C", "privacy.id"),
        ("DNI 12345678Z", "privacy.id"),
        ("CPF 529.982.247-25", "privacy.id"),
        ("身份证 11010519491231002X", "privacy.id"),
        ("my key is sk-ant-REDACTED", "privacy.secret"),
        ("token fst_abcdefgh1234", "privacy.secret"),
        ("AKIAIOSFODNN7EXAMPLE", "privacy.secret"),
        ("-----BEGIN RSA PRIVATE KEY-----", "privacy.secret"),
        ("password: hunter2!", "privacy.secret"),
        ("dG9rZW4tMTIzNDU2Nzg5MC1hYmNkZWY0Mg==", "privacy.secret"),
    ],
)
def test_data_about_people_and_secrets_are_found_and_never_repeated(words: str, rule: str) -> None:
    assert found(words) == [rule]
    (finding,) = private_data(words)
    assert not any(part in str(finding) for part in words.split() if len(part) > 7)


@pytest.mark.parametrize(
    "words",
    [
        "Shot on 35-70mm at f/2.8, ISO 12800, 1/4000 s, 1792x1024.",
        "From 2024-11-21 to 2026-01-02, 12:30:45, version 10.4.2.",
        "Seed 4111111111111112 looked better than 9007199254740993.",
        "1234 5678 9012 3456 is no card, and 0.123456789 no number to call.",
        "536-00-4399, DE89 3704 0044 0532 0130 01, 12345678A, 529.982.247-26.",
        "Donaudampfschifffahrtsgesellschaftskapitän, ------------------------------",
        "The token of our affection, a secret: none. Password-free since 1999.",
        "one-column-keyboard-first-right-to-left-settings-screen",
        "Meet @ the corner at 8",
        "今天和@小明。我们去海边。",
        "sk_harbour_at_dawn_blue, pk-resize-lanczos-sharp, hf_something",
        "Nos. 1-2, 100-200 and 2024-2025",
    ],
)
def test_figures_of_a_photographer_are_not_taken_for_private_data(words: str) -> None:
    assert found(words) == []


@pytest.mark.parametrize(
    "link",
    ["https://evil.example/x", "hxxp://evil.example", "www.evil.example", "evil.com", "evil[.]com", "evil (dot) com",
     "bit.ly/3xyz", "youtu.be/abc", "some.museum/art", "javascript:alert(1)", "10.0.0.1:8080", "ｅvil．com"],
)  # fmt: skip
def test_a_link_refuses_the_text(link: str) -> None:
    assert [f.rule for f in rules.links(f"See {link} now", CAPTION)] == ["links"]


@pytest.mark.parametrize(
    "words",
    [
        "Well. It is late.",
        "f/2.8 and 1.5x",
        "and/or",
        "No. 7 came e.g. last",
        "v2.0.1.9",
        "The data: three peaks",
        "a file: lost",
    ],
)
def test_points_within_a_sentence_are_no_link(words: str) -> None:
    assert rules.links(words, CAPTION) == []


def test_links_to_the_owners_hosts_pass_where_the_surface_has_links() -> None:
    assert rules.links("More at https://www.ours.org/a and ours.org", WITH_LINKS, ["Ours.org"]) == []
    assert len(rules.links("https://ours.org.evil.com https://ours.org@evil.com", WITH_LINKS, ["ours.org"])) >= 2
    for hidden in ("https://ours.org:@evil.com/x", "https://ours.org:1@192.0.2.1", "https://ours.org\\@evil.com"):
        assert len(rules.links(hidden, WITH_LINKS, ["ours.org"])) == 1
    assert rules.links("https://ours.org/@zoe", WITH_LINKS, ["ours.org"]) == []
    assert len(rules.links("https://ours.org", CAPTION, ["ours.org"])) == 1
    assert rules.fit("More at https://ours.org/a", WITH_LINKS)[0] == "More at https://ours.org/a"


def test_hashtags_beyond_the_limit_go_from_the_end_and_handles_go_too() -> None:
    words, mended = rules.fit("Dawn #one #two #three by @zoe and @tom", TextRule(most=200, hashtags=2, mentions=1))
    assert words == "Dawn #one #two by @zoe and"
    assert {finding.rule for finding in mended} == {"hashtags", "handles"}
    assert {finding.severity for finding in mended} == {Severity.MEND}
    assert rules.fit("A #quiet harbour, #1 of many #dawn #sea", CAPTION)[0] == "A quiet harbour, #1 of many"


def test_line_breaks_beyond_the_limit_become_blanks() -> None:
    assert rules.fit("a\n\nb\r\nc", CAPTION)[0] == "a b c"
    assert rules.fit("a\n\nb\r\nc", TextRule(most=200, line_breaks=1))[0] == "a\nb c"


@given(st.text(max_size=900), st.sampled_from(FORMS))
def test_what_is_fitted_fits_and_fitting_again_changes_nothing(words: str, form: TextRule) -> None:
    fitted, _ = rules.fit(words, form)
    assert texts.fits(fitted, form)
    assert fitted.count("\n") <= form.line_breaks
    assert len(rules._HASHTAG.findall(fitted)) <= form.hashtags
    assert len(rules._HANDLE.findall(fitted)) <= form.mentions
    assert rules.fit(fitted, form)[0] == fitted


def test_forms_come_from_manifests_and_an_unknown_surface_gets_the_strictest() -> None:
    assert form("somewhere", Kind.COMMENT) is STRICTEST[Kind.COMMENT]
    for name in registry.names():
        assert form(name, Kind.CAPTION) == registry.get(name).texts.get("post", STRICTEST[Kind.CAPTION])


@pytest.mark.parametrize(
    "words",
    [
        "darn",
        "DARN!",
        "dàrn",
        "d4rn it",
        "daaaaarn",
        "d.a.r.n",
        "d a r n",
        "ｄａｒｎ",
        "𝐝𝐚𝐫𝐧",
        "dаrn",
        "ᴅᴀʀɴ",
        "🅓🅐🅡🅝",
        "🅳🅰🆁🅽",
        "đɑrn",
        "dαrո",
        "d\ufe0fa\ufe0frn",
        "d\u20dda\u20ddrn",
        "d\u0489arn",
        "_darn_",
        "d@rn",
    ],
)
def test_a_word_is_found_however_it_is_written(words: str) -> None:
    assert Lexicon(["darn"]).find(f"Well, {words} then") == ["darn"]


@pytest.mark.parametrize("words", ["darning socks", "adarn", "Dar n", "dar", "I a b am"])
def test_a_word_within_a_word_is_not_found(words: str) -> None:
    assert Lexicon(["darn"]).find(words) == []


def test_phrases_alternatives_endings_and_unspaced_scripts() -> None:
    lexicon = Lexicon(["go|run away*", "не надо", "死ね", "dont"])
    assert lexicon.find("RUN, awayward") == ["go|run away*"]
    assert lexicon.find("run far away") == []
    assert lexicon.find("Не, надо!") == ["не надо"]
    assert lexicon.find("もう死 ねよ") == ["死ね"]
    assert lexicon.find("don’t, don't") == ["dont"]
    assert Lexicon(["", " | ", "*"]).find("anything | at * all") == []


@given(st.sampled_from(["darn", "go away", "死ね", "не надо"]), st.text(max_size=30), st.text(max_size=30))
def test_an_entry_between_blanks_is_always_found(entry: str, before: str, after: str) -> None:
    assert entry in Lexicon(["darn", "go away", "死ね", "не надо"]).find(f"{before} . {entry} . {after}")
