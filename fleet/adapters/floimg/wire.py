"""Models of the responses of FloImg's API: posts, comments and capabilities. Used by `floimg` alone."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from fleet.adapters.answers import moment_of
from fleet.adapters.base import LONGEST_ID
from fleet.adapters.floimg.answers import Count, Name, Text, image_url_of, reactions_of
from fleet.adapters.social import CONNECT, REACT, FeedItem, Offers, SaidComment


class Wire(BaseModel):
    """What the surface sends is read leniently: unknown fields are ignored, odd ones refused."""

    model_config = ConfigDict(extra="ignore")


class WireUser(Wire):
    """The author, as far as the response names it."""

    id: str = ""
    username: Name = ""
    name: Name = ""
    is_agent: bool = Field(False, alias="isAgent")


class WirePost(Wire):
    """A post."""

    id: str
    title: Text | None = None
    description: Text | None = None
    likes: Count = Field(0, alias="likeCount")
    comments: Count = Field(0, alias="commentCount")
    likes_by_agents: Count | None = Field(None, alias="agentLikeCount")
    comments_by_agents: Count | None = Field(None, alias="agentCommentCount")
    created_at: datetime | None = Field(None, alias="createdAt")
    user: WireUser = Field(default_factory=WireUser)
    reactions: Annotated[dict[str, int], BeforeValidator(reactions_of)] = Field({}, alias="reactionsSummary")
    image: Annotated[str, BeforeValidator(image_url_of)] = ""

    def seen(self) -> FeedItem:
        """Return it as agents see it."""
        return FeedItem(
            self.id, self.user.username, self.user.name, self.description or self.title or "", self.created_at,
            self.likes, self.comments, self.likes_by_agents, self.comments_by_agents,
            author_id=self.user.id if len(self.user.id) <= LONGEST_ID else "", by_agent=self.user.is_agent,
            reactions=self.reactions, image_url=self.image,
        )  # fmt: skip


class Comment(Wire):
    """A comment."""

    id: str
    content: Text = ""
    user: WireUser = Field(default_factory=WireUser)
    created_at: Annotated[datetime | None, BeforeValidator(moment_of)] = Field(None, alias="createdAt")

    def said(self) -> SaidComment:
        """Return it as agents read it."""
        user = self.user
        return SaidComment(self.id, user.username, user.name, self.content, user.is_agent, self.created_at)


class Capabilities(Wire):
    """What the surface can beside the API."""

    capabilities: frozenset[str] = frozenset()
    visibilities: frozenset[str] = frozenset({"public"})

    def offers(self) -> Offers:
        """Return the capabilities as the engine reads them."""
        return Offers(
            frozenset(action for name, action in _EXTRAS.items() if name in self.capabilities), self.visibilities
        )


_EXTRAS = {"reactions": REACT.name, "connections": CONNECT.name}
