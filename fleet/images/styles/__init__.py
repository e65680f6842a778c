"""How each persona's pictures look: one module a style, each with `draw(order) -> Image`.

Called by `rendering` alone. A style sees its order (the prompt's words, named colours, dice and size) and nothing
else; whatever varies is drawn from the order's dice, so a prompt always gives the same picture.
"""
