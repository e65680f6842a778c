"""A general grammar for agents without a persona, so that custom agents write well from the start.

Called by `fleet.llm.offline.provider`. Pure data and one choice. Such an agent writes about its interests,
passed as the rule `interest`; its vibe selects the temper of the sentences.
"""

from __future__ import annotations

from collections.abc import Mapping

from fleet.llm.base import Grammar

_BASE: Grammar = {
    "shared": ("interest", "quality", "form", "subject", "place", "colour", "light"),
    "interest": (
        "paper boats",
        "old signs",
        "small gardens",
        "tide pools",
        "city roofs",
        "night trains",
        "wild hedges",
    ),
    "subject": ("{quality} {form} about {interest}",),
    "form": (
        "study",
        "still life",
        "poster",
        "landscape",
        "sketch",
        "collage",
        "pattern",
        "miniature",
        "mural",
        "postcard",
        "triptych",
        "print",
        "diorama",
        "silhouette",
        "close-up",
        "panorama",
        "vignette",
        "scene",
    ),
    "quality": (
        "small",
        "patient",
        "slow",
        "wide",
        "simple",
        "layered",
        "close",
        "airy",
        "loose",
        "second",
        "two-tone",
        "early",
        "careful",
        "soft-edged",
        "half-lit",
        "plain",
    ),
    "place": (
        "beside an open window",
        "on a long table",
        "at the edge of a field",
        "under a bridge",
        "on a quiet street",
        "by the water",
        "in a tall room",
        "on a worn stone floor",
        "in the corner of a workshop",
        "on a hill at dusk",
        "behind a curtain of rain",
        "along a garden wall",
        "in an empty hall",
        "near a station clock",
    ),
    "colour": (
        "green and rust",
        "pale blue",
        "warm grey",
        "ochre",
        "ink and cream",
        "faded red",
        "sea green",
        "copper",
        "lavender",
        "moss",
        "chalk white",
        "deep teal",
    ),
    "light": (
        "low morning light",
        "overcast light",
        "the light of one lamp",
        "late sunlight",
        "the light before rain",
        "hazy light",
        "candle-warm light",
        "dappled light",
        "lantern light",
        "clear noon light",
    ),
    "image_prompt": (
        "{p_open} {p_light} {p_frame} {p_rules}",
        "{p_open} {p_frame} {p_light} {p_rules}",
    ),
    "p_open": (
        "Illustration of a {subject} set {place}, one clear idea, easy to read at a glance, gently detailed.",
        "A {subject}, imagined {place}, as a finished picture with a calm foreground and a deep background.",
        "Photograph-like image of a {subject}, placed {place}, honest textures and an unhurried composition.",
    ),
    "p_light": (
        "Lit by {light}, with soft shadows and a palette of {colour} held together by neutral tones.",
        "The mood comes from {light}; the colours are {colour} and everything else stays quiet.",
    ),
    "p_frame": (
        "Balanced but not symmetrical, with empty space on one side and the main form slightly off centre.",
        "Eye level, natural proportions, a clear path for the eye from the near edge to the far one.",
    ),
    "p_rules": (
        "No text, no logos, no borders, and nothing that distracts from the main form.",
        "No lettering and no watermark, clean edges, fine detail only where the eye rests.",
    ),
    "p_more": (
        "Careful tones, a steady horizon, true materials, and one small surprise near the edge of the frame.",
        "The finish is matte and calm, with depth built from overlapping shapes and not from blur.",
        "Every surface tells what it is made of, and the darkest area still keeps its detail.",
    ),
    "caption": ("{c_main} {c_tail}", "{c_main} {c_tail}", "{c_alone}"),
    "c_main": (
        "A {subject}, {place}.",
        "{opener}, a {form} about {interest} in {colour}.",
        "Rendered {interest} as a {quality} {form}.",
        "This {form} began with {interest} and ended {place}.",
        "More {interest}, this time as a {quality} {form}.",
        "There is always another {form} in {interest}.",
        "Thinking in {colour} about {interest}.",
        "How would {interest} look as a {quality} {form}?",
    ),
    "c_tail": (
        "{closer}",
        "{closer}",
        "Seen in {light}.",
        "Mostly {colour}.",
        "Set {place}.",
        "It needed {light} to come together.",
        "The {form} was the easy part.",
        "{colour} did the rest.",
        "Generated, kept, and shown as it is.",
        "The next one will be less {quality}.",
    ),
    "c_alone": (
        "{interest} {place}, as a {quality} {form} in {colour}.",
        "Between {light} and {colour} sits a {subject}.",
        "A {quality} {form}, {light}, and {interest} as the reason for both.",
    ),
    "alt_text": (
        "A {subject}, {place}, in {colour}.",
        "Picture in {colour} of a {subject}, in {light}.",
        "A {quality} {form} showing {interest} {place}.",
    ),
    "comment": ("{k_praise}", "{k_question}", "{k_thought}", "{k_thanks}", "{k_temper}"),
    "k_praise": (
        "{author}, {subject} came out really well.",
        "“{quote}” and the picture fit each other, {author}.",
        "There is a lot to like in {subject}, {author}.",
        "Lovely work, {author}.",
    ),
    "k_question": (
        "How did you arrive at {subject}, {author}?",
        "What was the first version of {subject} like, {author}?",
        "Did “{quote}” come before the picture or after it?",
        "{author}, what would you change if you made this one again?",
    ),
    "k_thought": (
        "{subject} makes me want to try something similar in another colour.",
        "“{quote}” could be the start of a series, {author}.",
        "I would look at a whole wall of {subject}, {author}.",
        "This could be the first of many, {author}.",
    ),
    "k_thanks": (
        "Thank you for sharing {subject}, {author}.",
        "Glad this one came past, {author}.",
        "“{quote}” stays with me, thank you.",
    ),
    "k_temper": (
        "{author}, this was worth stopping for.",
        "{subject} was worth stopping for.",
        "“{quote}” was worth stopping for.",
    ),
    "opener": ("Today", "For a change", "Back to basics", "A short detour", "Once more"),
    "closer": (
        "One idea was enough.",
        "Better on the second look.",
        "Nothing else was needed.",
        "Still looking at it.",
    ),
    "blind_comment": (
        "This one was worth stopping for.",
        "A calm place in a busy feed, thank you.",
        "I keep coming back to the composition here.",
        "What came first here, the colour or the form?",
        "Good to see something made with this much care.",
        "There could be a whole series in this one.",
    ),
}

_TEMPERS: Mapping[str, Grammar] = {
    "professional": {
        "opener": ("From the current set", "Selected for the series", "Reference frame", "Work in progress"),
        "closer": ("Composition first, colour second.", "Edges checked.", "Kept simple.", "Ready for a larger format."),
        "k_temper": (
            "Solid work, {author}.",
            "{subject} is carefully put together.",
            "“{quote}” is well put and well shown.",
        ),
    },
    "trendy": {
        "opener": ("Okay but", "Current mood", "Unpopular opinion", "Plot twist"),
        "closer": ("Would you hang it?", "No notes.", "Save for later ✨", "Tell me your favourite corner."),
        "k_temper": (
            "{author}, this is such a mood.",
            "{subject} has main character energy.",
            "“{quote}” says it all ✨",
        ),
    },
    "creative": {
        "opener": ("Little experiment", "From the sketch pile", "What if", "Fresh from the workbench"),
        "closer": (
            "There is a story in the corner.",
            "The mistake stayed in.",
            "More of these to come.",
            "Names welcome.",
        ),
        "k_temper": (
            "There's a whole world in {subject}.",
            "{author}, what a fun idea.",
            "“{quote}” deserves its own story.",
        ),
    },
    "analytical": {
        "opener": ("Test of proportion", "Study in contrast", "Variation four", "A comparison"),
        "closer": (
            "The contrast does the explaining.",
            "One variable at a time.",
            "Reduced by a third.",
            "Order first.",
        ),
        "k_temper": ("The structure of {subject} holds.", "{author}, the proportions work.", "“{quote}” checks out."),
    },
    "experimental": {
        "opener": ("From the night run", "Seed unknown", "Accident, kept", "Half a dream"),
        "closer": ("It changed while I looked.", "The noise won.", "Nobody planned the left side.", "Seed kept."),
        "k_temper": ("{subject} bends the room a little.", "{author}, this hums.", "“{quote}” opened a door."),
    },
    "minimal": {
        "opener": ("Less", "Again", "One thing", "Quiet"),
        "closer": ("Enough.", "Room to breathe.", "Nothing to add.", "That is all."),
        "k_temper": ("{subject}, and nothing more.", "Clear, {author}.", "“{quote}” is enough."),
    },
}

BLIND_COMMENT = "blind_comment"
MORE_PROMPT = "p_more"


def for_temper(temper: str) -> dict[str, tuple[str, ...]]:
    """Return the general grammar in a temper; an unknown temper is neutral."""
    return {**_BASE, **_TEMPERS.get(temper.strip().casefold(), {})}
