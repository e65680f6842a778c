"""CSV files of products: previews with errors by line, whatever spreadsheets write, and exports that change nothing."""

from __future__ import annotations

import csv
import io
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from fleet.access import Principal, Role, Via
from fleet.access.models import DEFAULT_ORGANISATION
from fleet.adapters.shops import Money, ProductImage
from fleet.core.errors import Conflict, InvalidInput
from fleet.features.products import queries, rules, service, stock
from fleet.features.products.csvfile import cells, exporting, importing, reading
from fleet.features.products.models import ProductRow, VariantRow
from fleet.features.products.queries import ProductFilter
from fleet.features.products.schema import ImportOut
from fleet.features.products.service import NewProduct, NewVariant
from tests.factories import Fleet, make_fleet

ANN = Principal(uuid.uuid4(), "ann", Role.OWNER, Via.SESSION, uuid.uuid4())
EVERY = ProductFilter()
HOSTILE = ["=1+1", "'=1+1", "-2", "+x", "@SUM(A1)", "\t=1", "  =cmd|' /C calc'!A0", "a|b", "a\\|b\\", "x=y", " blank ",
           '"; DROP TABLE products;--', "<script>alert(1)</script>", "two\nlines", "a\r\nb", "{{ 7*7 }}", "＝1", "'",
           "\u202egnp.exe", "é😀"]  # fmt: skip


@pytest.fixture
def fleet(database_url: str) -> Iterator[Fleet]:
    made = make_fleet(database_url)
    yield made
    made.deps.close()


def look(fleet: Fleet, content: str | bytes) -> ImportOut:
    data = content.encode() if isinstance(content, str) else content
    return importing.look(fleet.deps, "lamps.csv", data, organisation="", who=ANN)


def counts(found: ImportOut) -> dict[str, int]:
    return {name: number for name, number in found.counts.items() if number and name != "lines"}


def a_file(*rows: dict[str, Any]) -> str:
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, list(dict.fromkeys(name for row in rows for name in row)))
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


LAMPS = a_file(
    {"product": "lamp", "title": "Desk lamp", "categories": "Lamps|Desk", "sku": "L-1", "options": "Colour=black",
     "currency": "EUR", "price": "27.99", "cost": "9", "stock: Main": "12"},
    {"product": "lamp", "sku": "L-2", "options": "Colour=white", "currency": "EUR", "price": "29,50"},
    {"product": "", "title": "Oak chair", "sku": "C-1", "currency": "EUR", "price": ""},
)  # fmt: skip


def test_a_file_is_shown_before_it_changes_anything_and_is_applied_once(fleet: Fleet) -> None:
    shown = look(fleet, LAMPS)
    assert shown.state == "ready"
    assert counts(shown) == {"products_created": 2, "variants_created": 3, "stock_changed": 1}
    with fleet.deps.db.transaction() as tx:
        assert queries.count(tx, EVERY) == 0
    done = importing.apply(fleet.deps, shown.id, ANN)
    assert done.state == "applied" and importing.apply(fleet.deps, shown.id, ANN).state == "applied"
    with fleet.deps.db.transaction() as tx:
        chair, lamp = sorted(queries.listed(tx, EVERY, limit=10), key=lambda one: one.row.title, reverse=True)
        assert (lamp.row.title, lamp.row.categories) == ("Desk lamp", ["Lamps", "Desk"])
        assert [(one.sku, one.price_minor, one.cost_minor) for one in lamp.variants] == [
            ("L-1", 2799, 900), ("L-2", 2950, None),
        ]  # fmt: skip
        assert [level.on_hand for level in lamp.stock[lamp.variants[0].id].values()] == [12]
        assert not chair.stock[chair.variants[0].id] and chair.row.origins["title"]["from"] == "file"
    changed = a_file({"sku": "L-1", "price": "30"}, {"sku": "L-2", "price": "29.50"}, {"sku": "C-1", "price": "5"})
    assert counts(look(fleet, changed)) == {"variants_changed": 2, "unchanged": 1}


def test_errors_name_the_line_and_the_column_and_nothing_is_imported(fleet: Fleet) -> None:
    importing.apply(fleet.deps, look(fleet, LAMPS).id, ANN)
    with fleet.deps.db.transaction() as tx:
        lamp = str(tx.scalar(sa.select(ProductRow.id).where(ProductRow.title == "Desk lamp")))
    file = a_file(
        {"product": "", "title": "", "sku": "N-1", "currency": "EUR", "price": "1", "status": "", "stock: Main": ""},
        {"title": "B", "sku": "", "currency": "EUR"},
        {"title": "C", "sku": "N-3", "currency": "euro"},
        {"title": "D", "sku": "N-4", "currency": "EUR", "price": "1.999"},
        {"title": "E", "sku": "N-4", "currency": "EUR"},
        {"title": "F", "sku": "N-6", "currency": "EUR", "status": "sold", "stock: Main": "many"},
        {"product": str(uuid.uuid4()), "title": "G", "sku": "N-7", "currency": "EUR"},
        {"product": lamp, "sku": "C-1"},
        {"product": "two", "title": "H", "sku": "N-9", "currency": "EUR"},
        {"product": "two", "title": "Other", "sku": "N-10", "currency": "EUR"},
        {"title": "", "sku": "L-1", "currency": "USD"},
    )
    found = look(fleet, file)
    assert found.state == "refused"
    assert [(one.line, one.column) for one in found.errors] == [
        (2, "title"), (3, "sku"), (4, "currency"), (5, "price"), (6, "sku"), (7, "status"), (7, "stock: Main"),
        (8, "product"), (9, "product"), (11, "title"), (12, "currency"), (12, "title"),
    ]  # fmt: skip
    with pytest.raises(InvalidInput, match="Line 2: title"):
        importing.apply(fleet.deps, found.id, ANN)


@pytest.mark.parametrize(
    ("content", "note"),
    [
        (LAMPS.encode("utf-8-sig"), "UTF-8, separated by comma"),
        (LAMPS.replace(",", ";").encode("utf-16"), "UTF-16, separated by semicolon"),
        (LAMPS.replace(",", "\t").encode("utf-16-le"), "UTF-16, separated by tab"),
        ("sku;title;currency\r\nL-9;Stühle;EUR\r\n".encode("cp1252"), "Windows-1252, separated by semicolon"),
        (b"SKU,Product Title,Currency,Colour of the moon\nL-9,Lamp,EUR,grey\n", "Ignored columns: Colour of the moon"),
    ],
)
def test_encodings_separators_and_other_names_of_columns_are_recognised(
    fleet: Fleet, content: bytes, note: str
) -> None:
    found = look(fleet, content)
    assert any(note in one for one in found.notes) and found.counts["products_created"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no column sku"),
        (b"title,price\nLamp,1\n", "no column sku"),
        (b"sku,SKU\nL,L\n", "sku is there twice"),
        (b"sku,\x00\x01\x02\xff\xfe", "no text"),
        (b"sku\n" + b"x\n" * (reading.MOST_LINES + 1), "more than 20,000 lines"),
        (b"sku\n" + b"x" * reading.MOST_BYTES, "more than 8 MB"),
    ],
)
def test_what_is_no_such_file_is_refused_with_the_reason(fleet: Fleet, content: bytes, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        look(fleet, content)


def test_a_broken_quote_and_a_line_with_too_many_cells_are_errors_of_their_lines(fleet: Fleet) -> None:
    found = look(fleet, 'sku,title,currency\nA,B,EUR,more\nC,"D"x,EUR\nE,F,EUR\n')
    assert [(one.line, one.message.split(":")[0]) for one in found.errors] == [
        (2, "has 4 cells, and the file 3 columns"), (3, "cannot be read, nor what follows"),
    ]  # fmt: skip


def test_an_import_is_refused_if_products_changed_since_it_was_shown(fleet: Fleet) -> None:
    importing.apply(fleet.deps, look(fleet, LAMPS).id, ANN)
    shown = look(fleet, a_file({"sku": "L-1", "price": "30"}))
    with fleet.deps.db.transaction() as tx:
        variant_id = tx.scalar(sa.select(VariantRow.id).where(VariantRow.sku == "L-1"))
        service.change_variant(tx, variant_id, {"price": Money(2500, "EUR")}, origin="store:shop")
    with pytest.raises(Conflict, match="changed since"):
        importing.apply(fleet.deps, shown.id, ANN)


_TEXT = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=20)).map(lambda one: one.replace("\0", "")).filter(
    lambda one: one.isprintable() or one in HOSTILE
)  # fmt: skip
_NAME = _TEXT.filter(lambda one: bool(one.strip()))
_FACTS = st.dictionaries(_NAME, _TEXT, max_size=3)


@given(
    title=_NAME, description=_TEXT, brand=_TEXT, categories=st.lists(_NAME, max_size=3, unique=True),
    alt=_TEXT, attributes=_FACTS, options=_FACTS, barcode=_TEXT, name=_TEXT,
)  # fmt: skip
@example(
    title="=1+1", description=HOSTILE[6], brand="'=1", categories=[" a|b\\", "|"], alt=" x|\\",
    attributes={"a=b": "=c"}, options={"a ": " "}, barcode="-1", name="\t=1",
)  # fmt: skip
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_importing_an_export_changes_nothing_whatever_the_cells_hold(fleet: Fleet, **values: Any) -> None:
    sku = f" {uuid.uuid4().hex[:8]}="
    variants = tuple(
        NewVariant(sku=f"{sku}{n}", title=values["name"], options=values["options"], barcode=values["barcode"],
                   currency="JPY" if n else "EUR", price=Money(1999, "JPY" if n else "EUR"))
        for n in range(2)
    )  # fmt: skip
    new = NewProduct(
        title=values["title"], description=values["description"], brand=values["brand"],
        categories=tuple(values["categories"]), attributes=values["attributes"], variants=variants,
        images=(ProductImage("https://img.example/a|b=c.png", values["alt"], "d" * 64),),
    )  # fmt: skip
    with fleet.deps.db.transaction() as tx:
        made = service.create(tx, DEFAULT_ORGANISATION, new, origin="user:ann")
        first = service.variants_of(tx, [made.id])[made.id][0]
        place = stock.default_location(tx, DEFAULT_ORGANISATION)
        stock.set_level(tx, first.id, place, -5, reason="order", by="shop")
        which = ProductFilter(ids=[made.id])
    content, number = exporting.export(fleet.deps, which)
    assert number == 1
    for row in csv.reader(io.StringIO(content.removeprefix("\ufeff"), newline="")):
        for at, cell in enumerate(row):
            is_number = row[0] != "product" and at >= len(reading.COLUMNS) - len(rules.AMOUNTS)
            assert is_number or not cell.lstrip(" '").startswith(("=", "+", "-", "@", "＝")) or cell.startswith("'")
    found = look(fleet, content)
    assert (found.state, found.errors, found.changes) == ("empty", [], [])
    assert found.counts["unchanged"] == 2


@given(st.lists(_NAME), _FACTS, _TEXT)
def test_lists_facts_and_defused_cells_come_back(values: list[str], facts: dict[str, str], value: str) -> None:
    assert cells.parted(cells.joined(values)) == values
    assert cells.parted_facts(cells.joined_pairs(facts.items(), "=")) == facts
    assert cells.fused(cells.defused(value)) == value


def test_a_file_takes_the_same_number_of_statements_however_long_it_is(fleet: Fleet) -> None:
    statements: list[str] = []
    sa.event.listen(fleet.deps.db.engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    numbers = []
    for begin, end in ((0, 40), (40, 1040)):
        rows = [
            {"product": f"p{n // 4}", "title": f"Lamp {n // 4}" if n % 4 == 0 else "", "sku": f"S-{n}",
             "currency": "EUR", "price": "1.50", "options": f"Size={n % 4}", "stock: Main": "7"}
            for n in range(begin, end)
        ]  # fmt: skip
        dearer = [{"sku": row["sku"], "price": "2.50", "title": "Lamp"} for row in rows]
        statements.clear()
        for file in (a_file(*rows), a_file(*dearer)):
            assert importing.apply(fleet.deps, look(fleet, file).id, ANN).state == "applied"
        numbers.append(len(statements))
    assert numbers[1] <= numbers[0] + 5 < 120
