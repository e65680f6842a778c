"""The invented catalogue of a new shop: 60 products with variants, options, prices, stock and placeholder pictures.

Every name, price and text is made up. The same catalogue each time; the stock comes from a seeded generator.
"""

from __future__ import annotations

from random import Random
from typing import Any

import sqlalchemy as sa

from fleet.sandbox.shop.store import products

_ROWS = """
Amber Glass Bottle|Kitchen|14.90|Size:0.5 l,1 l|Thick glass, a swing top and a neck wide enough for herbs.
Smoked Olive Oil Bottle|Pantry|18.50|Size:250 ml,500 ml|Cold pressed and smoked over almond wood for six hours.
Green Apple Juice Bottle|Pantry|4.20||Pressed from apples of one orchard, cloudy, with nothing added.
Elderflower Syrup Bottle|Pantry|7.90||One spoonful makes a glass of lemonade.
White Milk Bottle|Kitchen|9.80|Size:0.5 l,1 l|The shape of a dairy bottle, for the table.
Rosehip Serum Dropper|Care|24.00||Three drops in the evening. Smells of tea, not of roses.
Blue Essential Oil Vial|Care|12.50|Scent:Pine,Lavender,Orange|Ten millilitres for a burner or a bath.
Calendula Skincare Dropper|Care|21.00||A light oil for dry hands, made in small batches.
Copper Tincture Dropper|Care|17.40||Bitter herbs in alcohol, from a recipe of 1911.
Clear Beauty Dropper|Care|19.90||Squalane and nothing else, in violet glass.
Cedar Perfume Flacon|Care|46.00|Size:30 ml,50 ml|Cedar, black tea and a little smoke.
Pink Pepper Fragrance|Care|42.00|Size:30 ml,50 ml|Begins loud and ends on warm wood.
Fig Leaf Cologne|Care|38.00||Green and dry, for summer mornings.
Salt Air Perfume|Care|44.00|Size:30 ml,50 ml|Seaweed, grapefruit, driftwood.
Violet Scent Flacon|Care|39.50||An old-fashioned violet without powder.
Forest Honey Jar|Pantry|9.20|Size:250 g,500 g|Dark honey from a fir forest, stirred by hand.
Orange Marmalade Jar|Pantry|6.40||Thick peel, half the sugar of the usual kind.
Plum Jam Jar|Pantry|5.90||Cooked for nine hours, without added sugar.
Juniper Spice Jar|Pantry|4.80||Whole berries for stews and for gin.
Shea Cream Jar|Care|16.90|Size:50 ml,100 ml|Unscented, for elbows and heels.
Red Tea Tin|Pantry|11.00|Weight:100 g,250 g|Rooibos with vanilla, free of caffeine.
Silver Thermos Tumbler|Outdoors|27.90|Size:350 ml,500 ml|Keeps coffee hot through a morning of meetings.
Olive Steel Flask|Outdoors|31.50|Size:0.6 l,1 l|Two walls, one hand, no drips.
Ginger Soda Can|Pantry|2.30||Sharp ginger, lime and fine bubbles.
Pocket Battery Tin|Home|13.60||Eight rechargeable cells in a tin that fits a coat.
Speckled Coffee Mug|Kitchen|15.90|Colour:Sand,Slate,Moss|Stoneware with a thumb rest, safe in the dishwasher.
White Espresso Cup|Kitchen|8.90|Set:2 cups,4 cups|Thick walls and a small handle.
Navy Enamel Mug|Outdoors|12.40||For tea on a porch and soup on a hill.
Yellow Cocoa Mug|Kitchen|14.20||Half a litre, because cocoa is a meal.
Grey Latte Cup|Kitchen|16.40|Colour:Grey,Cream|Holds its warmth and the foam.
Beeswax Candle|Home|11.90|Size:Small,Large|Burns for forty hours and smells of summer.
Lavender Wax Candle|Home|17.50||Soy wax in a glass that serves as a tumbler later.
Black Fig Candle|Home|22.00|Size:Small,Large|A dark scent for long evenings.
Orange Clove Candle|Home|18.40||The kitchen in December.
Unscented Pillar Candle|Home|7.60|Height:10 cm,15 cm,20 cm|White, straight, without a drip.
Blue Ceramic Vase|Home|34.00|Height:20 cm,30 cm|Thrown by hand, so no two are quite alike.
Terracotta Plant Pot|Garden|12.80|Diameter:12 cm,16 cm,20 cm|With a saucer, and a hole where it belongs.
Porcelain Bud Vase|Home|19.90||For the one flower that you did not mean to pick.
Green Pottery Planter|Garden|28.50|Diameter:16 cm,22 cm|Glazed inside and out, proof against frost.
Striped Flower Vase|Home|31.00||Wide at the foot, so that the cat may pass.
Mint Toothpaste Tube|Care|5.40||Chalk, mint and sage.
Mineral Sunscreen Tube|Care|18.90|Factor:30,50|Rubs in without a trace of white.
Aloe Gel Tube|Care|9.70||After a day in the sun, or with an iron.
Almond Hand Cream Tube|Care|8.40||Sinks in before the phone rings.
Rosewood Lipstick Tube|Care|16.20|Colour:Brick,Rose,Plum|Matt, and comfortable until the evening.
Kraft Gift Box|Home|6.90|Size:Small,Medium,Large|Recycled board with a ribbon of cotton.
Instant Camera|Gadgets|89.00|Colour:White,Black|Square pictures in one minute, no menu.
Linen Sketch Book|Paper|14.50|Paper:Plain,Dotted|A hundred leaves that lie flat.
Pocket Radio Gadget|Gadgets|49.90||Two knobs, one speaker, thirty hours.
Parcel of Garden Seeds|Garden|19.80||Twelve sorts for a balcony, sown from March to August.
Brass Desk Lamp|Home|74.00||A joint that stays where you leave it.
Green Reading Lamp|Home|62.00|Shade:Green,Amber|The light of a library.
Camping Lantern|Outdoors|36.50||Six weeks of evenings on one charge.
Paper Table Light|Home|54.00|Size:Small,Large|Japanese paper on a frame of ash.
Opal Globe Lamp|Home|58.50||A moon for the window sill.
Walnut Salad Bowl|Kitchen|39.00|Diameter:22 cm,28 cm|Turned from one piece, oiled three times.
Stoneware Soup Plate|Kitchen|17.80|Colour:Sand,Slate|Deep enough for seconds.
Enamel Fruit Bowl|Kitchen|23.60||White with a blue rim, as it was always.
Ceramic Breakfast Bowl|Kitchen|13.90|Colour:Cream,Sage,Ink|Fits a hand and a lot of porridge.
Copper Mixing Bowl|Kitchen|48.00||Egg whites stand up in it by themselves.
"""


def fill(tx: sa.Connection, seed: int) -> int:
    """Add the catalogue to an empty shop; return how many products were added."""
    if products.total(tx):
        return 0
    rng = Random(seed)
    made = [_product(row.split("|"), number, rng) for number, row in enumerate(_ROWS.strip().splitlines())]
    for one in made:
        products.create(tx, one)
    return len(made)


def _product(row: list[str], number: int, rng: Random) -> dict[str, Any]:
    title, category, price, options, description = row
    key = title.lower().replace(" ", "-")
    name, _, values = options.partition(":")
    base = round(float(price) * 100)
    variants = [
        {
            "sku": f"CS-{number + 1:03}" + (f"-{place + 1}" if values else ""), "title": value,
            "options": {name: value} if value else {}, "barcode": _barcode(number, place),
            "price_minor": base + (round(base * 0.45 * place, -1) if name in _BY_SIZE else 0),
            "on_hand": rng.choice((0, 3, 8, 15, 24, 40, 60, 120)),
        }
        for place, value in enumerate(values.split(","))
    ]  # fmt: skip
    return {
        "key": key, "title": title, "description": description, "status": "active", "categories": [category],
        "images": [{"url": f"/art/{key}.webp", "altText": f"{title}, drawn"}], "variants": variants,
    }  # fmt: skip


_BY_SIZE = frozenset({"Size", "Weight", "Set", "Height", "Diameter"})
"""Options that make a variant dearer than the one before."""


def _barcode(number: int, place: int) -> str:
    """Return an EAN-13 of the range for use inside a shop (prefix 2)."""
    digits = f"2{number + 1:07}{place:04}"
    total = sum(int(digit) * (3 if at % 2 else 1) for at, digit in enumerate(digits))
    return digits + str(-total % 10)
