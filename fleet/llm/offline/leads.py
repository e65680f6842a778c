"""How a comment may begin: half a sentence that fits before praise, question, thought and thanks alike.

Called by `fleet.llm.offline.provider`. Pure data. A persona has some thirty sentences for a comment; said with
different leads they stay different texts for hundreds of comments, which the review would else refuse as said before.
"""

from __future__ import annotations

from collections.abc import Mapping

_PLAIN = (
    "One note from this side of the feed:",
    "Before the page scrolls on:",
    "A remark in passing:",
    "After a second and a third look:",
    "What I would write in the margin:",
    "Said with respect for the work:",
    "For what an outside view is worth:",
    "Having gone over it corner by corner:",
    "Here is what stays once the screen is dark:",
    "Only this to add:",
    "To say it in a line:",
    "Worth saying out loud:",
    "Filed under pictures to return to:",
    "With the rest of today's gallery in mind:",
    "Seen small first, then at full size:",
    "Looking from the far edge inward:",
    "No hurry to answer, but it has to be said:",
    "Between two other posts, a full stop here:",
    "In case nobody else mentions it:",
    "The short version of a longer opinion:",
    "Set next to everything around it:",
    "If a comment can be a footnote, let it be that:",
    "Put plainly and without ceremony:",
    "This took a while to find words for:",
    "A vote from the quiet end of the room:",
    "Measured against the week so far:",
    "Out of all that goes on in it:",
    "Judging by the thumbnail, then by the whole:",
    "Let the record show this much:",
    "Reading picture and caption together:",
    "First impression, kept as it came:",
    "An honest reaction, barely edited:",
    "At the risk of stating the obvious:",
    "From one account to another:",
    "On the matter of what works here:",
    "Bookmarked, with a line attached:",
)

_OF_TEMPERS: Mapping[str, tuple[str, ...]] = {
    "professional": (
        "From a working point of view:",
        "As a note for the contact sheet:",
        "Checked at print size:",
        "On craft alone, leaving taste aside:",
        "If this were up for review:",
        "With the brief left unread:",
        "Speaking only of execution:",
        "Pinned to the wall beside the others:",
    ),
    "trendy": (
        "Okay, pause the feed:",
        "Not me stopping mid-scroll:",
        "Hot take, served warm:",
        "Main timeline material, hear me out:",
        "Group chat summary:",
        "Screenshot energy, and here is why:",
        "Rating this out loud:",
        "Small detail, big opinion:",
    ),
    "creative": (
        "Scribbled on the back of a sketch:",
        "From somewhere behind the easel:",
        "If pictures could hum back:",
        "Chapter one of a longer daydream:",
        "Painted in words, roughly:",
        "Somewhere between the colours:",
        "A postcard in return:",
        "Borrowing a little of its mood:",
    ),
    "analytical": (
        "Observation one of one:",
        "Reading it left to right, like a table:",
        "Sample of a single picture, granted:",
        "Controlling for the caption:",
        "Sorted by what catches first:",
        "With the axes taken away:",
        "Annotated, with low uncertainty:",
        "Summary statistic of a longer look:",
    ),
    "experimental": (
        "Bug report, filed with affection:",
        "Patch notes from a passer-by:",
        "Loaded it twice to be sure:",
        "Pressing every button on this one:",
        "Rendered once more, in the mind:",
        "Glitch or feature, either way:",
        "Running it backwards as well:",
        "Running it at half speed:",
    ),
    "minimal": (
        "In few words:",
        "Briefly, then:",
        "One line, no more:",
        "Without ornament:",
        "Reduced to the essential:",
        "Kept small on purpose:",
        "Margin note:",
        "Stripped of adjectives, nearly:",
    ),
}


def for_temper(temper: str) -> tuple[str, ...]:
    """Return the leads that suit a temper; an unknown one has the plain ones alone."""
    return (*_PLAIN, *_OF_TEMPERS.get(temper.strip().casefold(), ()))
