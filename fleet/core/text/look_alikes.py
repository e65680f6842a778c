"""Letters that look like a Latin letter: of other alphabets, and styled Latin ones that Unicode does not normalize.

Read by `fleet.core.text.links`, and by the word lists and the comparison of texts in `fleet.features.content`. Pure
data.
"""

from __future__ import annotations

OTHER_ALPHABETS = str.maketrans(
    "авеғіјкмнорсѕтухԁԛԝѡѵҽӏαβγεηικνορτυχωօոսհզց", "abefijkmhopcstyxdqwwvelabyeniknoptuxwonuhqg"
)
"""Cyrillic, Greek and Armenian letters, small: words of those alphabets are made of them too."""

DRESSED = str.maketrans(
    "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢıɑɡøłđħŧ", "abcdefghijklmnoprstuvwyziagoldht"
) | {first + place: ord("a") + place for first in (0x1F150, 0x1F170) for place in range(26)}  # fmt: skip
"""Small capitals, strokes through letters, letters on black discs and squares."""
