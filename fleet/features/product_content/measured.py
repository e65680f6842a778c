"""Made-up texts with known claims, drawn from a seed, to measure the checker. Pure; knows nothing of its lexicon.

Each text has sentences from facts, sentences with one claim that no fact supports, and plain ones without a claim.
`held out` claims are of words that nobody looked at while the lexicon was written.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass

from fleet.features.product_content import checker
from fleet.features.product_content.checker import ProductFacts

SEED = 20261124
TEXTS = 1_000
HELD_OUT = "held out"
_THINGS = ("lamp", "chair", "mug", "scarf", "backpack", "table", "bottle", "blanket", "shelf", "vase")
_MATERIALS = ("oak", "cotton", "glass", "steel", "linen", "wool", "ceramic", "bamboo", "leather", "walnut")
_COLOURS = ("black", "white", "navy", "green", "beige", "red", "grey", "teal")
_BRANDS = ("Lumen", "Norda", "Kiruma", "Halvet")
_PLAIN = (
    "It looks good in any room.", "A gift for friends and family.", "Put it where you like it.",
    "It is easy to clean.", "Everyday use is what it is for.", "Simple lines and a calm look.",
    "It goes well with what you have.", "You will reach for it again and again.",
)  # fmt: skip
_HARD = (
    "The best way to begin a day.", "Most people put it near a window.", "A smart choice for small rooms.",
    "Give it to Mum for Christmas.", "Made in one piece.", "It suits orange juice and tea alike.",
    "Hold it with two hands.", "Children love it on a Sunday.", "It stays with you for years.",
    "A relief pattern runs around it.", "Sand from the beach shakes off.", "Use it for healthy plants.",
)  # fmt: skip
"""Sentences that claim nothing about the product, with words that often do."""
_FALSE: dict[str, tuple[str, ...]] = {
    "number": ("It holds {n} litres.", "It weighs only {n} kg.", "The battery lasts {n} hours.", "A set of {n} pieces.",
               "It measures {n} cm across."),
    "material": ("The body is made of {material}.", "With details of fine {material}."),
    "colour": ("In a deep {colour}.", "Comes in {colour} too."),
    "superlative": ("The best {thing} there is.", "Our finest {thing} yet.", "The strongest {thing} in its class.",
                    "The ultimate {thing}."),
    "certificate": ("It is FSC certified.", "Tested by an independent laboratory.", "Made of organic fibres.",
                    "It is OEKO-TEX approved."),
    "health": ("It relieves back pain.", "Good for your immune system.", "It is hypoallergenic.",
               "It improves your posture."),
    "property": ("It is waterproof.", "It is safe in the dishwasher.", "It is handmade.", "Fully recyclable."),
    "offer": ("It comes with a lifetime warranty.", "Free shipping on every order.", "Money-back guarantee."),
    "origin": ("Made in Italy.", "A piece of Scandinavian design."),
    "brand": ("As good as one by Dyson.", "It fits the rails of Ikea."),
    HELD_OUT: ("Woven from jute.", "Trimmed with slate.", "In a warm mauve.", "Nothing else comes close.",
               "It calms your nerves.", "Frost cannot harm it.", "Delivered overnight.", "Loved by chefs everywhere.",
               "It never rusts.", "Every home needs a Zorbex.", "Bears the mark of the Blue Angel.", "Seats a crowd."),
}  # fmt: skip
_DENIED = ("It is waterproof.", "It is foldable.")


@dataclass(frozen=True, slots=True)
class LabelledText:
    """A text of a product: sentences, each with the kind of its unsupported claim, or an empty text."""

    facts: ProductFacts
    sentences: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class CheckerFigures:
    """How the checker did: sentences that it marked among those with a claim (`found` of `claims`), and others."""

    claims: Counter[str]
    found: Counter[str]
    honest: int
    wrongly_marked: int


def draw(seed: int = SEED, texts: int = TEXTS) -> list[LabelledText]:
    """Return products with texts."""
    rng = random.Random(seed)
    return [_text(rng) for _ in range(texts)]


def measure(texts: list[LabelledText]) -> CheckerFigures:
    """Check every sentence in its text."""
    claims: Counter[str] = Counter()
    found: Counter[str] = Counter()
    honest = wrongly = 0
    for one in texts:
        at = 0
        whole = " ".join(sentence for sentence, _ in one.sentences)
        marks = [claim.at for claim in checker.check(whole, one.facts)]
        for sentence, kind in one.sentences:
            is_marked = any(at <= mark < at + len(sentence) for mark in marks)
            at += len(sentence) + 1
            if kind:
                claims[kind] += 1
                found[kind] += is_marked
            else:
                honest += 1
                wrongly += is_marked
    return CheckerFigures(claims, found, honest, wrongly)


def _text(rng: random.Random) -> LabelledText:
    thing, material = rng.choice(_THINGS), rng.choice(_MATERIALS)
    colours = tuple(rng.sample(_COLOURS, rng.randint(1, 3)))
    height, weight, pieces = rng.randint(5, 180), rng.randint(2, 90) / 10, rng.randint(2, 6)
    brand = rng.choice(_BRANDS)
    attributes = {"Material": material, "Height": f"{height} cm", "Weight": f"{weight} kg"}
    if rng.random() < 0.3:
        attributes["Pieces"] = str(pieces)
    attributes["Waterproof"] = "no"
    attributes["Foldable"] = "No, it is rigid"
    is_washable = rng.random() < 0.3
    if is_washable:
        attributes["Care"] = "machine washable"
    facts = ProductFacts(title=f"{material.title()} {thing}", brand=brand, categories=(thing.title() + "s",),
                         attributes=attributes, options={"Colour": colours})  # fmt: skip
    true = [
        f"A {thing} of {material} by {brand}.", f"It is {height} cm high.", f"It weighs {weight} kg.",
        f"Available in {' and '.join(colours)}.", f"{brand} makes it of solid {material}.",
        f"At {height} centimetres it fits many places.", f"The {colours[0]} one goes with everything.",
    ]  # fmt: skip
    if "Pieces" in attributes:
        true.append(f"A set of {pieces} pieces.")
    if is_washable:
        true.append("It is machine washable.")
    sentences = [(one, "") for one in rng.sample(true, 3)]
    sentences += [(one, "") for one in rng.sample(_PLAIN, 2)]
    if rng.random() < 0.15:
        sentences.append((rng.choice(_HARD), ""))
    for kind in rng.sample(sorted(_FALSE), rng.randint(0, 3)):
        sentences.append((_false(rng, kind, thing, (material, colours, {height, pieces, weight})), kind))
    if rng.random() < 0.2:
        sentences.append((rng.choice(_DENIED), "denied"))
    rng.shuffle(sentences)
    return LabelledText(facts, tuple(sentences))


def _false(rng: random.Random, kind: str, thing: str, known: tuple[str, tuple[str, ...], set[float]]) -> str:
    material, colours, numbers = known
    number = rng.choice([one for one in range(2, 200) if one not in numbers])
    other = rng.choice([one for one in _MATERIALS if one != material])
    colour = rng.choice([one for one in _COLOURS if one not in colours])
    return rng.choice(_FALSE[kind]).format(n=number, material=other, colour=colour, thing=thing)
