"""Words that make a claim about a product, by kind. Pure data, in small letters and in the singular."""

from __future__ import annotations


def _words(written: str) -> frozenset[str]:
    return frozenset(written.split())


MATERIALS = _words(
    """
    acacia acrylic alloy aluminium aluminum ash bamboo beech bone brass bronze canvas cardboard carbon cashmere
    cedar ceramic chrome clay concrete copper cork cotton crystal denim down elastane fabric faux-leather felt
    fibreglass fleece foam fur glass gold granite iron latex leather linen lycra mahogany maple marble merino
    metal mesh microfibre nickel nylon oak paper pearl pine plastic plywood polycarbonate polyester
    polypropylene polyurethane porcelain rubber satin silicone silk silver spandex stainless steel stone suede
    teak tin titanium velvet vinyl viscose walnut wax wicker wood wool zinc
    """
)
COLOURS = _words(
    """
    amber beige black blue brown burgundy charcoal cream crimson cyan fuchsia golden gray green grey indigo
    ivory khaki lavender lilac magenta maroon mint mustard navy ochre olive orange peach pink purple red ruby
    sand scarlet silvery tan teal terracotta turquoise violet white yellow multicoloured transparent
    """
)
SUPERLATIVES = _words(
    """
    best finest greatest perfect ultimate unique unmatched unrivalled unbeatable leading premier flawless
    favourite favorite bestselling award-winning world-class incomparable exclusive top-rated cheapest strongest
    lightest softest fastest safest smartest toughest largest smallest longest brightest highest lowest most
    """
)
CERTIFICATES = (
    "certified", "certificate", "certification", "approved", "tested", "iso", "fsc", "oeko-tex", "gots", "ce mark",
    "energy star", "fda", "dermatologist", "patented", "patent", "registered", "compliant", "licensed", "accredited",
    "fair trade", "fairtrade", "organic", "vegan", "halal", "kosher", "cruelty-free", "carbon neutral",
)  # fmt: skip
HEALTH = (
    "cure", "heal", "healing", "relieve", "relief", "pain", "anti-inflammatory", "antibacterial", "antimicrobial",
    "detox", "immunity", "immune", "hypoallergenic", "therapeutic", "therapy", "clinically", "medical", "orthopaedic",
    "orthopedic", "posture", "sleep better", "weight loss", "anti-ageing", "anti-aging", "stress", "anxiety",
    "circulation", "non-toxic", "healthy", "health",
)  # fmt: skip
PROPERTIES = (
    "waterproof", "water-resistant", "dishwasher", "machine washable", "washable", "wireless", "cordless",
    "rechargeable", "led", "dimmable", "foldable", "folding", "stackable", "adjustable", "recyclable", "recycled",
    "sustainable", "eco-friendly", "biodegradable", "handmade", "hand-made", "handcrafted", "vintage", "antique",
    "fireproof", "flame-retardant", "heat-resistant", "scratch-resistant", "shockproof", "unbreakable", "breathable",
    "stretch", "insulated", "non-slip", "bpa-free", "bluetooth", "usb", "solar", "smart", "portable", "lightweight",
    "durable", "reversible", "child-safe", "oven-safe", "microwave",
)  # fmt: skip
OFFERS = (
    "warranty", "guarantee", "guaranteed", "lifetime", "money-back", "free shipping", "free delivery", "free return",
    "refund", "discount", "sale price", "half price", "limited edition", "limited time", "in stock", "gift box",
    "included", "bonus", "for free",
)  # fmt: skip
ORIGINS = (
    "made in", "imported from", "designed in", "italian", "german", "swiss", "french", "japanese", "danish",
    "scandinavian", "american", "british", "european", "portuguese", "indian", "turkish",
)  # fmt: skip
BRANDS = _words(
    """
    adidas amazon apple bosch braun canon dyson google gucci ikea lego microsoft nike nokia philips prada puma
    rolex samsung siemens sony tesla
    """
)
NUMBERS = {
    "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "eleven": 11,
    "twelve": 12, "double": 2, "triple": 3, "dozen": 12,
}  # fmt: skip
UNITS = {
    "mm": "mm", "millimetre": "mm", "millimeter": "mm", "cm": "cm", "centimetre": "cm", "centimeter": "cm", "m": "m",
    "metre": "m", "meter": "m", "in": "inch", "inch": "inch", "ft": "foot", "foot": "foot", "feet": "foot", "g": "g",
    "gram": "g", "kg": "kg", "kilo": "kg", "kilogram": "kg", "lb": "lb", "pound": "lb", "oz": "oz", "ounce": "oz",
    "ml": "ml", "millilitre": "ml", "l": "l", "litre": "l", "liter": "l", "w": "w", "watt": "w", "v": "v", "volt": "v",
    "mah": "mah", "h": "hour", "hour": "hour", "minute": "minute", "min": "minute", "day": "day", "year": "year",
    "month": "month", "week": "week", "%": "%", "percent": "%", "c": "celsius", "°c": "celsius", "lumen": "lumen",
    "lm": "lumen", "gb": "gb", "tb": "tb", "hz": "hz",
}  # fmt: skip
