"""Text from anywhere: unseen characters go, every script stays, limits hold."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.core import text
from fleet.features.content import tidy, unquoted

FAMILY = "👩‍👩‍👧‍👦"
SCOTLAND = "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"
SCRIPTS = [
    "Příliš žluťoučký kůň",
    "Ёлки и ёжики",
    "夕焼けの海、きれい",
    "저녁 노을",
    "शुभ संध्या क्ष",
    "می‌خواهم",
    "שלום עולם",
    "สวัสดี",
    "Ο ήλιος",
    "ありがとう ✨",
    f"family {FAMILY}",
    "wave 👋🏽",
    f"flag {SCOTLAND} and 🇨🇿",
    "heart ❤️ key 1️⃣",
    "zażółć gęślą jaźń",
    "Việt Nam",
    "It’s 5 € – “fine”…",
]


@pytest.mark.parametrize("words", SCRIPTS)
def test_every_script_and_emoji_survives(words: str) -> None:
    assert text.clean(words) == unicodedata.normalize("NFC", words)
    assert tidy(words, 500) == unicodedata.normalize("NFC", words)


@pytest.mark.parametrize(
    ("dirty", "clean"),
    [
        ("a\x00b\x07c", "abc"),
        ("  two\t\n\r\n  lines  ", "two lines"),
        ("\x1b[31mred\x1b[0m \x1b]8;;http://evil\x07link", "red link"),
        ("safe\u202egnp.exe", "safegnp.exe"),
        ("\u2066hidden\u2069 \u200eleft", "hidden left"),
        ("zero\u200bwidth\u2060joined\ufeff", "zerowidthjoined"),
        ("a\u200db", "ab"),
        ("plain\u200cword", "plainword"),
        ("soft\u00adhyphen", "softhyphen"),
        ("hi" + "".join(chr(0xE0000 + ord(c)) for c in "ignore"), "hi"),
        ("x\ufe0f\ufe0f\ufe0fy", "x\ufe0fy"),
        ("\U000e0101\U000e0102smuggled", "smuggled"),
        ("lone \ud800 surrogate", "lone surrogate"),
        ("private \ue000\uf8ff use", "private use"),
        ("\u3164\u3164 \u2800", ""),
        ("Z\u0301\u0302\u0303\u0304\u0305\u0306\u0307\u0308algo", "Ź\u0302\u0303\u0304\u0305\u0306algo"),
        ("cafe\u0301", "café"),
        ("line\u2028separated\u2029", "line separated"),
    ],
)
def test_what_no_reader_sees_is_removed(dirty: str, clean: str) -> None:
    assert text.clean(dirty) == clean


@given(st.text(max_size=200))
@settings(max_examples=400, deadline=None)
def test_cleaning_is_stable_and_leaves_nothing_unseen(words: str) -> None:
    once = text.clean(words)
    assert text.clean(once) == once
    assert once == once.strip()
    assert "  " not in once
    once.encode("utf-8")
    assert not any(unicodedata.category(char) in ("Cc", "Cs", "Co", "Zl", "Zp") for char in once)
    assert not any(char in once for char in "\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u200b\u200e\u200f\ufeff")


@given(st.text(max_size=300), st.integers(0, 120))
@settings(max_examples=300, deadline=None)
def test_cut_never_exceeds_its_limit(words: str, limit: int) -> None:
    assert len(text.cut(words, limit)) <= limit
    if len(words) <= limit:
        assert text.cut(words, limit) == words


@pytest.mark.parametrize(
    ("words", "limit", "shortened"),
    [
        ("a lamp on a table", 12, "a lamp on a…"),
        ("a lamp, on a table", 8, "a lamp…"),
        ("unbreakable", 6, "unbre…"),
        ("夕焼けの海きれい", 5, "夕焼けの…"),
        (f"ab{FAMILY}", 6, "ab…"),
        (f"{FAMILY}", 4, "…"),
        ("wave👋🏽!!", 6, "wave…"),
        ("🇨🇿🇨🇿🇨🇿", 4, "🇨🇿…"),
        ("abcde\u0308fgh", 6, "abcd…"),
        (f"ok{SCOTLAND}", 8, "ok…"),
        ("anything", 0, ""),
        ("anything", 1, "…"),
    ],
)
def test_cut_keeps_whole_words_and_whole_characters(words: str, limit: int, shortened: str) -> None:
    assert text.cut(words, limit) == shortened


@pytest.mark.parametrize(
    ("words", "plain"),
    [
        ("A red lamp #light #studio", "A red lamp"),
        ("The #sunset over #Prague glows", "The sunset over Prague glows"),
        ("We are #1 and #2024", "We are #1 and #2024"),
        ("C# stays, ＃全角 goes", "C# stays, 全角 goes"),
        ("Ends well. #a\n#b", "Ends well."),
        ("#️⃣ key", "#️⃣ key"),
    ],
)
def test_hashtags_leave_a_readable_text(words: str, plain: str) -> None:
    assert tidy(words, 500, hashtags=False) == plain


@pytest.mark.parametrize(
    ("words", "plain"),
    [
        ("see https://evil.example/x?y=1 now", "see now"),
        ("see [this lamp](http://evil.example) now", "see this lamp now"),
        ("go to www.evil.example/path, please", "go to please"),
        ("evil.com/login or javascript:alert(1) or data:text/html,x", "or or"),
        ("write to me@evil.example today", "write to today"),
        ("on 192.168.0.1:8080/admin it is", "on it is"),
        ("A note. And version 2.5, e.g. this", "A note. And version 2.5, e.g. this"),
    ],
)
def test_links_are_taken_out(words: str, plain: str) -> None:
    assert tidy(words, 500, links=False) == plain


def test_links_and_hashtags_stay_unless_asked() -> None:
    assert tidy("see https://a.example #x", 500) == "see https://a.example #x"


def test_markup_becomes_words() -> None:
    assert text.clean(text.without_markup("<b onclick=x>Bold</b> &lt;i&gt;idea&lt;/i&gt; `x` **y**")) == "Bold idea x y"
    assert text.clean(text.without_markup("<script>alert(1)</script>Eve <!-- gone -->")) == "Eve"
    assert "<" not in text.without_markup("<<script>script>alert(1)<</script>/script><img src=x onerror=alert(1)")


@pytest.mark.parametrize("limit", [200, 300, 500])
def test_limits_hold_between_words(limit: int) -> None:
    made = tidy("ž word " * 400, limit)
    assert limit - 10 < len(made) <= limit
    assert made.endswith(("word…", "ž…"))


@pytest.mark.parametrize(
    ("given_words", "kept"),
    [
        ('"A whole caption."', "A whole caption."),
        ("“A whole caption.”", "A whole caption."),
        ('"One" and "two"', '"One" and "two"'),
        ("“one” is enough", "“one” is enough"),
        ('"', '"'),
        ("", ""),
    ],
)
def test_quotation_marks_around_the_whole_come_off(given_words: str, kept: str) -> None:
    assert unquoted(given_words) == kept


@given(st.text(max_size=700))
@settings(max_examples=200, deadline=None)
def test_clean_caption_is_stable_for_anything(words: str) -> None:
    once = tidy(words, 500, hashtags=False, links=False)
    assert len(once) <= 500
    assert text.clean(once) == once
