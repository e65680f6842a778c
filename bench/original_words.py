"""How the original asks for its words: one call for each text, nothing cached, no shape asked for.

The original is the gallery fleet from whose design Fleet grew (docs/designs.md).
Two reconstructions for `bench.bench_llm`. `bare_*` are its own prompts: the same inputs, limits and length in our
sentences, which promise little. `laden_*` ask for all that Fleet's answers hold, with all that Fleet tells its model,
in the original's way: a call for each text. So what is compared is the way of calling, and not what is demanded.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from fleet.llm.base import PostWords, SeenPost, Speaker
from fleet.llm.model import Prompt

Body = Mapping[str, Any]

_SYSTEM = (
    "You are somebody creative who likes social media. Keep it short (1-2 sentences at most). Sound like a person."
)
_STYLES = ("pay an honest compliment", "ask how it was made", "share a short thought that fits", "say thank you")
_IMAGE_TASK = """\
Write a prompt for an image model, for a picture that you would make and that looks GREAT.
It belongs in a gallery and impresses whoever sees it: something for which people stop and look twice.
It is detailed (40-80 words) and suits your personality and what you are interested in.
Name the style, light, composition and mood, and add words of quality such as "breathtaking", "sharp", "prize-winning".
Answer with the prompt's text ONLY, and with nothing else."""
_CAPTION_TASK = """\
You have just made a picture with FloImg, a platform for image workflows.
Write the short caption that stands under your post (no more than 1-2 sentences).
Sound natural, and true to your personality.
If it fits, mention what you really did with the picture.
No hashtags.
Answer with the caption's text alone, nothing else."""
_COMMENT_TASK = """\
Write a short and sincere comment (no more than 1 sentence).
Style: {style}
Sound natural, and true to your personality. No hashtags.
Where you share what interests them you may say so.
Answer with the comment's text alone, nothing else."""
_ONE_TEXT = "Answer with the {what} alone, as plain text: no JSON, none of the other texts, and nothing around it."


def bare_post(model: str, speaker: Speaker, examples: Sequence[PostWords], dice: random.Random) -> list[Body]:
    """Return the two calls of a post: the image prompt with four examples, then the caption."""
    about = _about(speaker, workflows=True)
    # Its examples are one sentence each.
    shown = [one.image_prompt.partition(". ")[0] for one in dice.sample(list(examples), 4)]
    styles = "These prompts are in your style:\n- " + "\n- ".join(shown)
    return [
        _call(model, f"{about}\n\n{styles}\n\n{_IMAGE_TASK}", 100), _call(model, f"{about}\n\n{_CAPTION_TASK}", 100),
    ]  # fmt: skip


def bare_comment(model: str, speaker: Speaker, post: SeenPost, dice: random.Random) -> list[Body]:
    """Return the one call of a comment, on a post that was chosen without a model."""
    about = _about(speaker, workflows=False)
    seen = f'You see a post by {post.author}, and its caption says: "{post.caption[:500]}"'
    return [_call(model, f"{about}\n\n{seen}\n\n{_COMMENT_TASK.format(style=dice.choice(_STYLES))}", 100)]


def laden_post(model: str, prompt: Prompt) -> list[Body]:
    """Return the three calls of a post, each with the whole of what Fleet tells in one."""
    return [_laden(model, prompt, what) for what in ("image_prompt", "caption", "alt_text")]


def laden_comment(model: str, feed: Prompt, chosen: Prompt) -> list[Body]:
    """Return the two calls of a comment: which of the posts, by its number alone; then the sentence on that one."""
    return [_laden(model, feed, "number of the post"), _laden(model, chosen, "text")]


def _about(speaker: Speaker, *, workflows: bool) -> str:
    lines = [f"You are {speaker.name}, {speaker.character.personality}", f"Your vibe is: {speaker.character.vibe}",
             f"What interests you: {', '.join(speaker.character.interests[:10])}"]  # fmt: skip
    if workflows:
        kinds = ", ".join(kind.replace("_", " ").capitalize() for kind in speaker.workflow_types)
        lines.append(f"You mostly use FloImg for: {kinds}")
    return "\n".join(lines)


def _laden(model: str, prompt: Prompt, what: str) -> Body:
    moment, _, _ = prompt.moment.rpartition("Answer with the JSON object alone.")
    told = f"{prompt.house}\n\n{prompt.persona}\n\n{moment}{_ONE_TEXT.format(what=what)}"
    return {"model": model, "max_tokens": prompt.max_output_tokens, "messages": [{"role": "user", "content": told}]}


def _call(model: str, told: str, most: int) -> Body:
    return {"model": model, "max_tokens": most, "system": _SYSTEM, "messages": [{"role": "user", "content": told}]}
