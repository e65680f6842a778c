"""Compare a CSV file with the catalogue: what it would create and change, and what is wrong with its lines."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from fleet.adapters.shops import Money, ProductImage, ProductStatus
from fleet.core.db import Tx
from fleet.core.errors import InvalidInput
from fleet.features.products import rules, service, stock
from fleet.features.products.csvfile import cells
from fleet.features.products.csvfile.reading import PRODUCT_COLUMNS, STOCK, CsvLine, ReadFile
from fleet.features.products.models import ProductRow, VariantRow, among
from fleet.features.products.service import NewProduct, NewVariant

_DECIMAL_COMMA = re.compile(r"-?\d+,\d+")
_FIELD_OF = {"variant_title": "title"}
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class LineError:
    """What is wrong with a line; `column` is empty where it is the line as a whole."""

    line: int
    column: str
    message: str


@dataclass(frozen=True, slots=True)
class LineChange:
    """What a line changes, for people: old and new values by field."""

    line: int
    action: str
    about: str
    fields: Mapping[str, tuple[str, str]]


@dataclass(slots=True)
class _ProductLines:
    """The lines of one product. `row` is None for a new one."""

    row: ProductRow | None
    lines: list[CsvLine] = field(default_factory=list)
    variants: list[tuple[CsvLine, VariantRow | None]] = field(default_factory=list)


@dataclass(slots=True)
class ImportPlan:
    """What a file would change. Stock is by SKU for variants that are yet to be created."""

    errors: list[LineError] = field(default_factory=list)
    changes: list[LineChange] = field(default_factory=list)
    new_products: list[NewProduct] = field(default_factory=list)
    product_changes: dict[uuid.UUID, dict[str, Any]] = field(default_factory=dict)
    new_variants: list[tuple[uuid.UUID, NewVariant]] = field(default_factory=list)
    variant_changes: dict[uuid.UUID, dict[str, Any]] = field(default_factory=dict)
    stock: list[tuple[uuid.UUID | str, uuid.UUID, int]] = field(default_factory=list)
    """Variant (id, or SKU of a new one), location, units."""
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def digest(self) -> str:
        """A hash of all changes: equal plans change the same."""
        said = [[one.line, one.action, one.about, {name: list(pair) for name, pair in one.fields.items()}]
                for one in self.changes]  # fmt: skip
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    @property
    def state(self) -> str:
        """Whether it can be applied: ready, refused or empty."""
        return "refused" if self.errors else "ready" if self.changes else "empty"


def plan(tx: Tx, file: ReadFile, organisation_id: uuid.UUID) -> ImportPlan:
    """Compare a file with the catalogue of an organisation."""
    return _Planner(tx, file, organisation_id).run()


def products_of(tx: Tx, file: ReadFile, organisation_id: uuid.UUID) -> list[uuid.UUID]:
    """Return the products of the organisation that a file names, to lock them."""
    variant, product = VariantRow, ProductRow
    found = tx.session.scalars(sa.select(variant.product_id).where(*_named_variants(file, organisation_id)).distinct())
    named = {product_id for one in file.lines if (product_id := _uuid(one.cells.get("product", ""))) is not None}
    query = sa.select(product.id).where(product.organisation_id == organisation_id, among(product.id, named))
    return sorted({*found, *tx.session.scalars(query)})


class _Planner:
    def __init__(self, tx: Tx, file: ReadFile, organisation_id: uuid.UUID) -> None:
        self._file, self._plan = file, ImportPlan()
        product_ids = products_of(tx, file, organisation_id)
        self._products = {one.id: one for one in service.products(tx, product_ids)} if product_ids else {}
        query = sa.select(VariantRow).where(*_named_variants(file, organisation_id))
        known = tx.session.scalars(query, execution_options={"populate_existing": True}).all()
        self._by_id = {one.id: one for one in known}
        self._by_sku = {one.sku: one for one in known if one.sku}
        self._levels = stock.levels(tx, list(self._by_id))
        names = {one.name.casefold(): one.id for one in stock.locations(tx, [organisation_id])}
        self._locations: dict[str, uuid.UUID] = {}
        for column in sorted(one for one in file.columns if one.startswith(STOCK)):
            name = column[len(STOCK) :].strip()
            if (found := names.get(name.casefold())) is None:
                self._refuse(1, column, f"there is no location {name[:60]!r}: create it first")
            else:
                self._locations[column] = found

    def run(self) -> ImportPlan:
        """Return the plan."""
        for number, problem in self._file.problems:
            self._refuse(number, "", problem)
        for group in self._grouped():
            self._plan_product(group)
        plan = self._plan
        plan.errors.sort(key=lambda one: (one.line, one.column))
        plan.changes.sort(key=lambda one: one.line)
        plan.counts.update(lines=len(self._file.lines), errors=len(plan.errors))
        return plan

    def _grouped(self) -> list[_ProductLines]:
        """Return the lines by product, in the order of the file."""
        groups: dict[object, _ProductLines] = {}
        seen: dict[object, int] = {}
        for line in self._file.lines:
            variant = self._variant_of(line)
            if isinstance(variant, str):
                self._refuse(line.number, "variant" if line.cells.get("variant", "").strip() else "sku", variant)
                continue
            which: object = variant.id if variant is not None else line.cells.get("sku", "").strip()
            if (first := seen.setdefault(which, line.number)) != line.number:
                self._refuse(line.number, "sku", f"the variant is on line {first} already")
                continue
            key = self._product_of(line, variant)
            if key is None:
                continue
            group = groups.setdefault(
                key, _ProductLines(self._products.get(key) if isinstance(key, uuid.UUID) else None)
            )
            group.lines.append(line)
            group.variants.append((line, variant))
        return list(groups.values())

    def _variant_of(self, line: CsvLine) -> VariantRow | str | None:
        """Return the variant of a line, None for a new one, or what is wrong."""
        written = line.cells.get("variant", "").strip()
        if written:
            found = self._by_id.get(_uuid(written) or uuid.UUID(int=0))
            return found if found is not None else "there is no such variant: leave the cell empty for a new one"
        sku = line.cells.get("sku", "").strip()
        return self._by_sku.get(sku) if sku else "is empty: a SKU names the variant"

    def _product_of(self, line: CsvLine, variant: VariantRow | None) -> uuid.UUID | str | None:
        """Return the product of a line: its id, or the word of a new one. None if it is refused."""
        written = line.cells.get("product", "").strip()
        product_id = _uuid(written)
        if variant is not None:
            if product_id is not None and product_id != variant.product_id:
                self._refuse(line.number, "product", "the SKU belongs to another product")
                return None
            return variant.product_id
        if product_id is not None:
            if product_id not in self._products:
                self._refuse(line.number, "product", "there is no such product: write a word of yours for a new one")
                return None
            return product_id
        return f"word {written}" if written else f"line {line.number}"

    def _plan_product(self, group: _ProductLines) -> None:
        before = len(self._plan.errors)
        given = self._product_values(group)
        first = group.lines[0].number
        variants = [(line, row, self._variant_values(line, row)) for line, row in group.variants]
        units = [self._units(line, row) for line, row in group.variants]
        if len(self._plan.errors) > before:
            return
        if group.row is None:
            self._plan_new(first, given, variants)
        else:
            self._plan_changes(group.row, first, given, variants)
        for (line, row, _), found in zip(variants, units, strict=True):
            self._plan_stock(line, row, found)

    def _plan_new(
        self, first: int, given: dict[str, Any], variants: Sequence[tuple[CsvLine, VariantRow | None, dict[str, Any]]]
    ) -> None:
        title = given.get("title", "")
        new = tuple(NewVariant(**values) for _, _, values in variants)
        self._plan.new_products.append(NewProduct(**{"title": title, **given, "variants": new}))
        self._plan.counts["products_created"] += 1
        self._plan.counts["variants_created"] += len(new)
        self._note(first, "create", title, {name: ("", _shown(value)) for name, value in given.items() if value})
        for line, _, values in variants:
            told = {name: ("", _shown(value)) for name, value in values.items() if value}
            self._note(line.number, "create", values["sku"], told)

    def _plan_changes(
        self, row: ProductRow, first: int, given: dict[str, Any],
        variants: Sequence[tuple[CsvLine, VariantRow | None, dict[str, Any]]],
    ) -> None:  # fmt: skip
        columns = rules.product_columns(given)
        if differing := {name: (getattr(row, name), new) for name, new in columns.items() if getattr(row, name) != new}:
            self._plan.product_changes[row.id] = {name: given[name] for name in differing}
            self._plan.counts["products_changed"] += 1
            self._note(first, "change", row.title, {name: (_shown(a), _shown(b)) for name, (a, b) in differing.items()})
        for line, variant, values in variants:
            if variant is None:
                self._plan.new_variants.append((row.id, NewVariant(**values)))
                self._plan.counts["variants_created"] += 1
                told = {name: ("", _shown(value)) for name, value in values.items() if value}
                self._note(line.number, "create", values["sku"], told)
                continue
            new = rules.variant_columns({name: one for name, one in values.items() if name != "currency"},
                                        variant.currency)  # fmt: skip
            changed = {
                name: (getattr(variant, name), one) for name, one in new.items() if getattr(variant, name) != one
            }
            if not changed:
                self._plan.counts["unchanged"] += 1
                continue
            fields = [rules.field_of(name) for name in changed]
            self._plan.variant_changes[variant.id] = {name: values[name] for name in fields}
            self._plan.counts["variants_changed"] += 1
            self._note(line.number, "change", variant.sku, {
                name: (_old(variant, name), _shown(values[name])) for name in fields
            })  # fmt: skip

    def _plan_stock(self, line: CsvLine, variant: VariantRow | None, units: Mapping[str, int]) -> None:
        told = {}
        for column, number in units.items():
            place = self._locations[column]
            known = None if variant is None else self._levels.get((variant.id, place))
            before = 0 if known is None else known.on_hand
            if before != number:
                which = line.cells.get("sku", "").strip() if variant is None else variant.id
                self._plan.stock.append((which, place, number))
                told[column] = (str(before), str(number))
        if told:
            self._plan.counts["stock_changed"] += len(told)
            self._note(line.number, "stock", line.cells.get("sku", "") or (variant.sku if variant else ""), told)

    def _product_values(self, group: _ProductLines) -> dict[str, Any]:
        """Return the values of a product: those of the first line that has them. An empty cell on all clears it."""
        values: dict[str, Any] = {}
        for column in PRODUCT_COLUMNS:
            if column not in self._file.columns:
                continue
            filled = [(line, line.cells[column]) for line in group.lines if line.cells[column]]
            line, cell = filled[0] if filled else (group.lines[0], "")
            other = next((one for one, written in filled if written != cell), None)
            if other is not None:
                self._refuse(other.number, column, f"differs from that on line {line.number}, of the same product")
                continue
            if column == "status" and not cell.strip():
                continue
            try:
                values[column] = _product_value(column, cell, group.row)
                rules.product_columns({column: values[column]})
            except (InvalidInput, ValueError) as error:
                self._refuse(line.number, column, _words(error))
        if group.row is None and "title" not in self._file.columns:
            self._refuse(group.lines[0].number, "title", "is missing: a new product needs a title")
        return values

    def _variant_values(self, line: CsvLine, variant: VariantRow | None) -> dict[str, Any]:
        values: dict[str, Any] = {}
        currency = line.cells.get("currency", "").strip().upper()
        if variant is not None:
            if currency not in ("", variant.currency):
                self._refuse(line.number, "currency", f"the variant is in {variant.currency}, which does not change")
            currency = variant.currency
        else:
            try:
                values["currency"] = rules.checked_currency(currency)
            except InvalidInput as error:
                self._refuse(line.number, "currency", error.message)
                return values
        for column in ("sku", "variant_title", "options", "barcode", *rules.AMOUNTS):
            if column not in self._file.columns:
                continue
            name = _FIELD_OF.get(column, column)
            try:
                value = _variant_value(name, line.cells[column], currency)
                if name == "sku" and variant is not None:
                    value = _sku(line.cells[column], variant)
                rules.variant_columns({name: value}, currency)
                values[name] = value
            except (InvalidInput, ValueError) as error:
                self._refuse(line.number, column, _words(error))
        sku = values.get("sku")
        if variant is not None and sku and sku != variant.sku and sku in self._by_sku:
            self._refuse(line.number, "sku", f"another variant has the SKU {sku}")
        return values

    def _units(self, line: CsvLine, variant: VariantRow | None) -> dict[str, int]:
        found = {}
        for column in self._locations:
            cell = line.cells[column].strip()
            if not cell:
                continue
            known = None if variant is None else self._levels.get((variant.id, self._locations[column]))
            # A shop may have sold more than there was: an export has that number as well, and gives it back unchanged.
            same = known is not None and cell == str(known.on_hand)
            if not same and not (cell.isascii() and cell.isdigit() and int(cell[:12]) <= rules.MOST_UNITS):
                self._refuse(line.number, column, f"{cell[:40]!r} is no number of units")
                continue
            found[column] = int(cell)
        return found

    def _note(self, line: int, action: str, about: str, fields: Mapping[str, tuple[str, str]]) -> None:
        self._plan.changes.append(LineChange(line, action, about, fields))

    def _refuse(self, line: int, column: str, message: str) -> None:
        self._plan.errors.append(LineError(line, column, message))


def _named_variants(file: ReadFile, organisation_id: uuid.UUID) -> list[sa.ColumnElement[bool]]:
    """Return the conditions of variants that the lines of a file name by id or SKU."""
    row = VariantRow
    named = {found for one in file.lines if (found := _uuid(one.cells.get("variant", ""))) is not None}
    skus = sorted({sku for one in file.lines if (sku := one.cells.get("sku", "").strip())})
    is_named = among(row.id, named) | (row.sku == sa.any_(sa.literal(skus, ARRAY(sa.String))))
    return [row.organisation_id == organisation_id, row.removed_at.is_(None), is_named]


def _uuid(written: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(written.strip()) if len(written.strip()) == 36 else None
    except ValueError:
        return None


def _product_value(column: str, cell: str, row: ProductRow | None) -> Any:
    match column:
        case "categories":
            return tuple(cells.parted(cell))
        case "images":
            known = {} if row is None else {one["url"]: one["digest"] for one in row.images}
            return tuple(ProductImage(url, alt, known.get(url, "")) for url, alt in cells.parted_pairs(cell, " "))
        case "attributes":
            return cells.parted_facts(cell)
        case "status":
            status = cell.strip().casefold()
            return ProductStatus(status) if status in set(ProductStatus) else cell
    return cell


def _variant_value(name: str, cell: str, currency: str) -> Any:
    match name:
        case "options":
            return cells.parted_facts(cell)
        case "sku":
            return cell.strip()
        case "price" | "cost" | "floor":
            written = cell.strip()
            written = written.replace(",", ".") if _DECIMAL_COMMA.fullmatch(written) else written
            return Money.parse(written, currency) if written else None
    return cell


def _sku(cell: str, variant: VariantRow) -> str:
    """Return the SKU of a variant that its id names. Raises InvalidInput for one that would lose it."""
    if cell == variant.sku:
        return cell
    if not cell.strip():
        raise InvalidInput("is empty: a SKU names the variant")
    return cell.strip()


def _words(error: Exception) -> str:
    return error.message if isinstance(error, InvalidInput) else str(error)


def _old(variant: VariantRow, name: str) -> str:
    return _shown(service.amount(variant, name) if name in rules.AMOUNTS else getattr(variant, name))


def _shown(value: Any) -> str:
    """Return a value as a preview shows it."""
    match value:
        case None:
            return ""
        case Money():
            return str(value)
        case ProductImage():
            return value.url
        case Mapping() if "url" in value:
            return str(value["url"])
        case Mapping():
            return cells.joined_pairs(value.items(), "=")[:_SHOWN]
        case list() | tuple():
            return cells.joined([_shown(one) for one in value])[:_SHOWN]
    return str(value)[:_SHOWN]
