"""Texts of a product without a model: its facts as sentences. Pure."""

from __future__ import annotations

from fleet.core import text
from fleet.llm.base import ProductRequest, ProductWords


def answer(request: ProductRequest) -> ProductWords:
    """Return the title as it is, and a sentence for each fact that fits."""
    title = text.cut(request.title, request.most_title)
    description = f"{request.title}."
    for name, value in request.facts:
        sentence = f" {name}: {value}."
        if len(description) + len(sentence) <= request.most_chars:
            description += sentence
    alts = tuple(text.cut(request.title, request.most_alt) for _ in range(request.images))
    return ProductWords(title, text.cut(description, request.most_chars), alts, "The facts as they are.")
