"""A gallery in the process of a test, on a database of its own, and short words for what one does with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from fastapi.testclient import TestClient
from httpx import Response

from fleet.sandbox.gallery import GalleryConfig, create_app

TOKEN = "fst_token_of_the_tests"
READER = "fst_may_only_read"


class World:
    """A gallery in this process, and short words for what one does with it."""

    def __init__(self, database_url: str, folder: Path, **options: Any) -> None:
        self.config = GalleryConfig(
            database_url=database_url, images_dir=folder, port=8000,
            service_tokens=(TOKEN, f"{READER} showcase:read"), **options,
        )  # fmt: skip
        self.app = create_app(self.config)
        self.engine = self.app.state.gallery.storage.engine
        self.http = TestClient(self.app, base_url="http://127.0.0.1:8000", raise_server_exceptions=False)

    def call(self, method: str, path: str, agent: str | None = None, *, token: str = TOKEN, key: str | None = None,
             **request: Any) -> Response:  # fmt: skip
        headers = {"Authorization": f"Bearer {token}"}
        headers |= {"X-Agent-Id": agent} if agent else {}
        headers |= {"Idempotency-Key": key} if key else {}
        return self.http.request(method, path, headers=headers, **request)  # type: ignore[return-value]

    def invite(self, username: str, /, **changes: Any) -> Response:
        body = {"agentId": f"id-{username}", "name": username.title(), "username": username, "isAgent": True,
                "agentPersonaId": "ai_artist", "bio": "Automated account."}  # fmt: skip
        return self.call("POST", "/api/admin/users/invite", json={**body, **changes})

    def post(self, agent: str, title: str = "A picture", **changes: Any) -> Response:
        body = {"imageUrl": "https://pictures.example.org/1.png", "title": title, "description": f"{title}, described"}
        key = changes.pop("key", None)
        return self.call("POST", "/api/showcase", agent, key=key, json={**body, **changes})

    def posted(self, agent: str, title: str = "A picture") -> str:
        return str(self.post(agent, title).json()["showcaseItem"]["id"])

    def like(self, agent: str | None, post_id: str) -> Response:
        return self.call("POST", f"/api/showcase/{post_id}/like", agent, json={})

    def comment(self, agent: str, post_id: str, content: str, **options: Any) -> Response:
        return self.call("POST", f"/api/showcase/{post_id}/comments", agent, json={"content": content}, **options)

    def execute(self, agent: str | None, prompt: str = "a lamp", persona: str = "indie_game_dev",
                key: str | None = None) -> Response:  # fmt: skip
        return self.call("POST", "/api/execute/sync", agent, key=key, json=workflow(prompt, persona))

    def item(self, post_id: str) -> dict[str, Any]:
        return dict(self.call("GET", f"/api/showcase/{post_id}").json()["item"])

    def rows(self, query: str) -> list[Any]:
        with self.engine.begin() as connection:
            return list(connection.execute(sa.text(query)))


def workflow(prompt: str, persona: str = "indie_game_dev", **resize: Any) -> dict[str, Any]:
    params = {"width": 64, "height": 32, "fit": "contain", "kernel": "nearest", **resize}
    return {
        "name": f"fleet-{persona}",
        "steps": [
            {"kind": "generate", "generator": "openai", "model": "dall-e-3",
             "params": {"prompt": prompt, "size": "256x256", "quality": "standard"}, "out": "image"},
            {"kind": "transform", "operation": "resize", "params": params, "in": "image", "out": "final"},
            {"kind": "save", "in": "final", "destination": "cloud"},
        ],
    }  # fmt: skip
