"""Select drafts from a model's response, part by part.

Called by `fleet.features.drafts.scanning.propose`. Pure. A model can only name posts that it was shown, cannot repeat
itself, and cannot crowd a post with AI comments; dropped parts are counted by reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fleet.features.drafts.states import DraftKind
from fleet.features.publishing.rules import comment_would_crowd
from fleet.llm.scan_request import MOST, Idea, ScanAnswer


@dataclass(frozen=True, slots=True)
class ShownPost:
    """A post of the batch, with the surface's own ids. `humans` counts the comments that are not the fleet's."""

    ref: str
    author_ref: str
    post_id: str
    author_id: str
    author: str
    humans: int = 0


@dataclass(frozen=True, slots=True)
class Offered:
    """What the surface takes, beside posts, comments and likes."""

    kinds: tuple[str, ...]
    reactions: tuple[str, ...]
    visibilities: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """What there is already: the agent's own (kind, target) pairs, its captions, the fleet's comments by post."""

    taken: frozenset[tuple[str, str]] = frozenset()
    captions: tuple[str, ...] = ()
    comments: Mapping[str, int] = field(default_factory=dict)
    username: str = ""


@dataclass(frozen=True, slots=True)
class Proposed:
    """An idea that became a draft, with the id of its target and its post."""

    kind: DraftKind
    target: str | None
    idea: Idea
    about: ShownPost | None


@dataclass(frozen=True, slots=True)
class Sifted:
    """What is left of an answer, and how many parts fell for which reason."""

    proposed: tuple[Proposed, ...]
    dropped: Mapping[str, int]


def sift(answer: ScanAnswer, batch: Sequence[ShownPost], offered: Offered, known: Known, lead: int) -> Sifted:
    """Return the drafts in a response. Every part is either kept or counted as dropped, once."""
    sieve = _Sieve(batch, offered, known, lead)
    for idea in answer.ideas:
        sieve.take(idea)
    counted = Counter({"malformed": answer.malformed, "unfit": answer.unfit})
    return Sifted(tuple(sieve.kept), {name: number for name, number in (counted + sieve.dropped).items() if number})


class _Sieve:
    """Remembers the kept drafts, so that of two similar ones the first stays."""

    def __init__(self, batch: Sequence[ShownPost], offered: Offered, known: Known, lead: int) -> None:
        self._posts = {shown.ref: shown for shown in batch}
        self._people = {shown.author_ref: shown for shown in batch if shown.author_id}
        self._offered, self._known, self._lead = offered, known, lead
        self._taken = set(known.taken)
        self._captions = {_plain(caption) for caption in known.captions}
        self._comments = Counter(known.comments)
        self.kept: list[Proposed] = []
        self.dropped: Counter[str] = Counter()

    def take(self, idea: Idea) -> None:
        proposed = self._proposed(idea)
        if isinstance(proposed, str):
            self.dropped[proposed] += 1
            return
        if proposed.target is None:
            self._captions.add(_plain(idea.text))
        else:
            self._taken.add((proposed.kind, proposed.target))
        if proposed.kind is DraftKind.COMMENT and proposed.target is not None:
            self._comments[proposed.target] += 1
        self.kept.append(proposed)

    def _proposed(self, idea: Idea) -> Proposed | str:
        """Return the draft, or the reason for which there is none."""
        if not self._is_offered(idea):
            return "not offered"
        if sum(one.kind == idea.kind for one in self.kept) >= MOST[idea.kind]:
            return "over the limit"
        kind = DraftKind(idea.kind)
        if kind is DraftKind.POST:
            return "a duplicate" if _plain(idea.text) in self._captions else Proposed(kind, None, idea, None)
        about = (self._people if kind is DraftKind.CONNECTION else self._posts).get(idea.ref)
        if about is None:
            return "not in the batch"
        if about.author == self._known.username:
            return "its own"
        target = about.author_id if kind is DraftKind.CONNECTION else about.post_id
        if (kind, target) in self._taken:
            return "a duplicate"
        if kind is DraftKind.COMMENT and self._would_crowd(about):
            return "crowded"
        return Proposed(kind, target, idea, about)

    def _is_offered(self, idea: Idea) -> bool:
        if idea.kind not in self._offered.kinds:
            return False
        if idea.kind == DraftKind.REACTION:
            return idea.type in self._offered.reactions
        return idea.kind != DraftKind.POST or idea.visibility in self._offered.visibilities

    def _would_crowd(self, about: ShownPost) -> bool:
        ours = self._comments[about.post_id]
        return comment_would_crowd(about.humans + ours, ours, self._lead)


def _plain(words: str) -> str:
    return " ".join(words.casefold().split())
