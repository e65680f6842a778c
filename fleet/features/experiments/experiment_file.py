"""The format of an experiment's file, the shipped files, and the choice of active ones.

Called by entry points and by `fleet.engine.deps`. Errors in a file are explained field by field; docs/experiments.md
shows a whole one. Knows neither tables nor agents.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from fleet.core import yaml_file
from fleet.core.errors import InvalidInput
from fleet.core.yaml_file import Shape, named, no_repeats, refusal, tidy
from fleet.features.experiments.variants import Dimension, Experiment, Variant
from fleet.llm.base import PostPart, Style

SHIPPED = Path(__file__).resolve().parent / "shipped"
_PAGE = "docs/experiments.md"
_ENDING = (".yaml", ".yml")
_PARTS = {Dimension.CAPTION_STYLE: PostPart.CAPTION, Dimension.PROMPT_STYLE: PostPart.IMAGE_PROMPT}
LEAST_UNITS, MOST_UNITS = 30, 100_000

Name = Annotated[str, AfterValidator(named(40))]
Hour = Annotated[int, Field(ge=0, le=24)]
Ending = Annotated[str, Field(max_length=160), AfterValidator(tidy)]


def _in_order(value: list[int]) -> list[int]:
    if value[0] >= value[1]:
        raise refusal(f"{value} is no window within one day; write the earlier hour first, as in [18, 21]")
    return value


class OfflineShape(Shape):
    """What the writer without a model does instead of reading the instruction."""

    endings: Annotated[list[Ending], Field(max_length=50), AfterValidator(no_repeats)] = []
    most_words: Annotated[int, Field(ge=3, le=60)] | None = None


class VariantShape(Shape):
    """One variant."""

    name: Name
    weight: Annotated[int, Field(ge=1, le=1000)] = 1
    instruction: Annotated[str, Field(max_length=400), AfterValidator(tidy)] | None = None
    offline: OfflineShape | None = None
    hours: Annotated[list[Hour], Field(min_length=2, max_length=2), AfterValidator(_in_order)] | None = None

    @model_validator(mode="after")
    def _offline_says_the_same(self) -> VariantShape:
        if self.offline is not None and self.instruction is None:
            raise refusal("offline: needs an instruction beside it, which tells models the same")
        return self

    def variant(self, dimension: Dimension) -> Variant:
        """Return the value that the rest of Fleet uses."""
        return Variant(self.name, self.weight, self._style(dimension), (self.hours[0], self.hours[1])
                       if self.hours else None)  # fmt: skip

    def _style(self, dimension: Dimension) -> Style | None:
        if self.instruction is None:
            return None
        offline = self.offline or OfflineShape()
        return Style(_PARTS[dimension], self.instruction, tuple(offline.endings), offline.most_words)


class ExperimentShape(Shape):
    """One experiment's file."""

    name: Name
    question: Annotated[str, Field(max_length=300), AfterValidator(tidy)]
    dimension: str
    enough: Annotated[int, Field(ge=LEAST_UNITS, le=MOST_UNITS)] = 100
    variants: Annotated[list[VariantShape], Field(min_length=2, max_length=8)]

    @model_validator(mode="after")
    def _variants_fit(self) -> ExperimentShape:
        if self.dimension not in list(Dimension):
            raise refusal(f"dimension: {self.dimension!r} is none; write {', '.join(Dimension)}")
        no_repeats([variant.name for variant in self.variants])
        if self.dimension == Dimension.POSTING_HOUR:
            self._hours_alone()
        else:
            self._words_alone()
        return self

    def _hours_alone(self) -> None:
        for variant in self.variants:
            if variant.hours is None or variant.instruction is not None:
                raise refusal(f"variants: {variant.name}: a posting_hour needs hours, such as [18, 21], and no words")

    def _words_alone(self) -> None:
        for number, variant in enumerate(self.variants):
            if variant.hours is not None:
                raise refusal(f"variants: {variant.name}: hours belong to a posting_hour")
            if number and variant.instruction is None:
                raise refusal(f"variants: {variant.name}: needs an instruction; only the first may go without")
            if self.dimension == Dimension.PROMPT_STYLE and variant.offline and variant.offline.most_words:
                raise refusal(f"variants: {variant.name}: most_words is for captions alone")

    def experiment(self) -> Experiment:
        """Return the value that the rest of Fleet uses."""
        dimension = Dimension(self.dimension)
        variants = tuple(variant.variant(dimension) for variant in self.variants)
        return Experiment(self.name, self.question, dimension, variants, self.enough)


def read(file: Path) -> Experiment:
    """Read one file. Raises InvalidInput with every problem of it."""
    shape, wrong = yaml_file.read(file, ExperimentShape, page=_PAGE)
    if shape is None:
        raise InvalidInput(f"{file}: {'; '.join(wrong)}.", fix=f"{_PAGE} shows a whole file.")
    return shape.experiment()


def check(document: object) -> tuple[Experiment | None, list[str]]:
    """Check the content of an experiment that is in no file, by the same rules: the value, or None and its problems."""
    shape, wrong = yaml_file.validate(document, ExperimentShape, page=_PAGE)
    return (shape.experiment() if shape else None), wrong


def document_of(experiment: Experiment) -> dict[str, Any]:
    """Return an experiment as its file has it, without fields that have their default."""
    return {
        "name": experiment.name, "question": experiment.question, "dimension": str(experiment.dimension),
        "enough": experiment.enough, "variants": [_variant(one) for one in experiment.variants],
    }  # fmt: skip


def _variant(one: Variant) -> dict[str, Any]:
    offline = {"endings": [*one.style.endings], "most_words": one.style.most_words} if one.style else {}
    given = {name: value for name, value in offline.items() if value}
    found = {
        "name": one.name, "weight": one.weight, "instruction": one.style.instruction if one.style else None,
        "offline": given or None, "hours": [*one.hours] if one.hours else None,
    }  # fmt: skip
    return {name: value for name, value in found.items() if value is not None and (name, value) != ("weight", 1)}


@cache
def shipped() -> tuple[Experiment, ...]:
    """Return the experiments that come with Fleet, by name."""
    return tuple(read(file) for file in sorted(SHIPPED.glob("*.yaml")))


def chosen(entries: Sequence[str]) -> tuple[Experiment, ...]:
    """Return the experiments that an owner has switched on: names of shipped ones, or paths to files.

    Raises InvalidInput for an unknown name, a file that is wrong, and two that would get into each other's way.
    """
    found = [_find(entry) for entry in entries]
    for what, of in (("are both called", "name"), ("both vary the", "dimension")):
        _distinct(found, what, of)
    return tuple(found)


def _find(entry: str) -> Experiment:
    if "/" in entry or entry.endswith(_ENDING):
        return read(Path(entry))
    known = {experiment.name: experiment for experiment in shipped()}
    if entry in known:
        return known[entry]
    close = get_close_matches(entry, known, n=1)
    guess = f"Did you mean {close[0]!r}? " if close else ""
    raise InvalidInput(
        f"FLEET_EXPERIMENTS: there is no experiment {entry!r}.",
        fix=f"{guess}Shipped are {', '.join(known)}; a file of your own is named by its path, e.g. ./{entry}.yaml.",
    )


def _distinct(found: Sequence[Experiment], what: str, of: str) -> None:
    seen: dict[Any, Experiment] = {}
    for experiment in found:
        value = getattr(experiment, of)
        if value in seen:
            raise InvalidInput(
                f"FLEET_EXPERIMENTS: {seen[value].name} and {experiment.name} {what} {value}.",
                fix="Run one after the other: the effects of both together cannot be separated.",
            )
        seen[value] = experiment
