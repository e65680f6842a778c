"""Cursors: what is handed out leads on, and nothing else is taken for one."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from fleet.core.errors import InvalidInput
from fleet.web.requests import cursors
from fleet.web.requests.cursors import Paging


class Query(Paging):
    colour: str | None = None


def following(number: int, of: str = "", **query: object) -> str:
    _, cursor = Query(limit=1, **query).page([number, 0], lambda one: one, of=of)  # type: ignore[arg-type]
    assert cursor is not None
    return cursor


@given(number=st.integers(0, 2**63 - 1), colour=st.none() | st.text(max_size=20))
def test_a_cursor_leads_on_from_where_the_page_ended(number: int, colour: str | None) -> None:
    query = Query(cursor=following(number, colour=colour), colour=colour, limit=7)
    assert query.place(cursors.number) == number


@given(number=st.integers(0, 2**63 - 1), other=st.text(max_size=5), of=st.text(max_size=5))
def test_a_cursor_of_other_filters_or_another_list_is_none(number: int, other: str, of: str) -> None:
    with pytest.raises(InvalidInput, match="cursor"):
        Query(cursor=following(number), colour=other).place(cursors.number)
    with pytest.raises(InvalidInput, match="cursor"):
        Paging(cursor=following(number)).place(cursors.number)
    with pytest.raises(InvalidInput, match="cursor"):
        Query(cursor=following(number, of=f"x{of}")).place(cursors.number, of=of)


@given(said=st.text("ABCabc012_-", min_size=1, max_size=60))
def test_a_foreign_cursor_is_refused(said: str) -> None:
    with pytest.raises(InvalidInput, match="cursor"):
        Query(cursor=said).place(cursors.number)


@pytest.mark.parametrize("said", ["a b", "ä", "", "x" * 401, "a+b"])
def test_what_cannot_be_one_is_refused_by_its_shape(said: str) -> None:
    with pytest.raises(ValidationError):
        Query(cursor=said)


def test_a_page_without_a_rest_leads_nowhere() -> None:
    assert Query(limit=2).page(["a", "b"], str) == (["a", "b"], None)
    assert Query(limit=2).page([], str) == ([], None)
    items, cursor = Query(limit=2).page(["a", "b", "c"], str)
    assert items == ["a", "b"]
    assert Query(limit=2, cursor=cursor).place(cursors.word) == "b"


@pytest.mark.parametrize(
    ("read", "wrong"),
    [
        (cursors.number, "-1"), (cursors.number, str(2**63)), (cursors.number, "²"), (cursors.number, ""),
        (cursors.word, "a\0"), (cursors.word, "ä"), (cursors.word, ""), (cursors.row_id, "me"),
    ],
)  # fmt: skip
def test_a_place_that_was_forged_is_read_like_any_input(read: object, wrong: str) -> None:
    _, forged = Query(limit=1).page([wrong, ""], lambda one: one)
    with pytest.raises(InvalidInput, match="cursor"):
        Query(cursor=forged).place(read)  # type: ignore[arg-type]


def test_rows_are_named_by_uuids() -> None:
    one = uuid.UUID(int=5)
    _, cursor = Query(limit=1).page([one, one], lambda row: row)
    assert Query(cursor=cursor).place(cursors.row_id) == str(one)
