"""The answer to a request for texts of a product: its schema, and its check. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from fleet.core import text
from fleet.llm import answers
from fleet.llm.answers import ShapeProblem, fit_to_show
from fleet.llm.base import ProductRequest, ProductWords


class ProductAnswer(BaseModel):
    """The texts of a product."""

    model_config = ConfigDict(strict=True, extra="ignore")

    title: str = Field(min_length=1, max_length=3_000)
    description: str = Field(min_length=1, max_length=30_000)
    alt_texts: list[str] = Field(max_length=100)
    reason: str = Field(max_length=400)


_TEXT = {"type": "string"}
PRODUCT_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "title": _TEXT, "description": _TEXT, "alt_texts": {"type": "array", "items": _TEXT}, "reason": _TEXT,
    },
    "required": ["title", "description", "alt_texts", "reason"],
    "additionalProperties": False,
}  # fmt: skip
"""The part of JSON Schema that every vendor can enforce; lengths are checked afterwards."""


def read(request: ProductRequest, raw: str) -> ProductWords:
    """Read the texts of a product. Raises ShapeProblem."""
    answer = answers._read(ProductAnswer, raw)
    title = answers._something("title", fit_to_show(answer.title))
    paragraphs = (text.clean(one) for one in answer.description.split("\n"))
    description = answers._something("description", "\n".join(one for one in paragraphs if one))
    for name, words, most in (("title", title, request.most_title), ("description", description, request.most_chars)):
        if len(words) > most:
            raise ShapeProblem(f"{name}: it has {len(words)} characters; {most} is the most.")
        if "<" in words or ">" in words:
            raise ShapeProblem(f"{name}: write plain text without tags.")
    if len(answer.alt_texts) != request.images:
        raise ShapeProblem(f"alt_texts: there are {len(answer.alt_texts)}; write exactly {request.images}.")
    alts = tuple(text.cut(fit_to_show(one), request.most_alt) for one in answer.alt_texts)
    return ProductWords(title, description, alts, answers._reason(answer.reason))
