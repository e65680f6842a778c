"""Contract servers of providers of pictures: OpenAI's images API, Stability, Unsplash and Pexels, on one address."""

from __future__ import annotations

import base64
import io
from typing import Any

from PIL import Image

from tests.contracts.server import Call, Contract, Reply, route

KEY = "key-0123456789abcdef"


def a_photo(seed: int, size: tuple[int, int] = (1600, 1200)) -> bytes:
    """Return a JPEG that is no blank, different for each seed."""
    image = Image.effect_noise((40, 30), 90 + seed).resize(size).convert("RGB")
    out = io.BytesIO()
    image.save(out, "JPEG", quality=80)
    return out.getvalue()


class PictureContract(Contract):
    """All providers. `drawn` counts what was charged; `reports` are Unsplash's downloads."""

    def __init__(self) -> None:
        super().__init__()
        self.drawn: list[dict[str, Any]] = []
        self.reports: list[str] = []
        self.by_url = False
        self.refuses_options = False
        self.finish_reason = "SUCCESS"
        self.photos = 3

    def settings(self, *names: str) -> dict[str, Any]:
        """Return the settings that name this server for providers, in this order."""
        return {
            "pictures_order": names,
            "openai_image_key": KEY,
            "openai_image_url": f"{self.url}/v1",
            "stability_api_key": KEY,
            "stability_url": self.url,
            "images_api_key": KEY,
            "images_url": f"{self.url}/own/v1",
            "images_model": "sdxl",
            "picture_prices": ("sdxl=0.002",),
            "unsplash_access_key": KEY,
            "unsplash_url": self.url,
            "pexels_api_key": KEY,
            "pexels_url": f"{self.url}/pexels",
        }

    @route("POST", r"/(own/)?v1/images/generations")
    def generate(self, call: Call) -> Reply:
        if call.token != KEY:
            return Reply(401, {"error": {"message": f"Incorrect API key provided: {call.token}"}})
        asked = call.json
        if call.parts[0] and self.refuses_options and "response_format" in asked:
            return Reply(400, {"error": {"message": "Unknown parameter: response_format"}})
        if not call.parts[0] and "response_format" in asked:
            return Reply(400, {"error": {"message": "Unknown parameter: 'response_format'."}})
        self.drawn.append(asked)
        width, height = map(int, asked["size"].split("x"))
        picture = a_photo(len(self.drawn), (width, height))
        if self.by_url:
            return Reply(body={"data": [{"url": f"{self.url}/files/{len(self.drawn)}.jpg"}]})
        data = {"b64_json": base64.b64encode(picture).decode()}
        usage = {} if call.parts[0] else {"usage": {"input_tokens": 40, "output_tokens": 1500}}
        return Reply(body={"created": 1, "data": [data], **usage})

    @route("POST", r"/v2beta/stable-image/generate/(core|ultra)")
    def stable(self, call: Call) -> Reply:
        if call.token != KEY:
            return Reply(401, {"name": "unauthorized", "errors": ["missing or invalid API key"]})
        form = call.form
        if not form.get("prompt") or form["output_format"] != "png" or call.headers["accept"] != "image/*":
            return Reply(400, {"name": "bad_request", "errors": ["invalid"]})
        self.drawn.append(form)
        headers = {"Content-Type": "image/png", "finish-reason": self.finish_reason, "seed": form["seed"]}
        return Reply(200, a_photo(7, (1344, 768)), headers)

    @route("GET", r"/files/(\d+)\.jpg")
    def file(self, call: Call) -> Reply:
        assert "authorization" not in call.headers, "the key leaves with the picture"
        return Reply(200, a_photo(int(call.parts[0])), {"Content-Type": "image/jpeg"})

    @route("GET", r"/search/photos")
    def unsplash(self, call: Call) -> Reply:
        if call.headers.get("authorization") != f"Client-ID {KEY}" or call.headers.get("accept-version") != "v1":
            return Reply(401, {"errors": ["OAuth error: The access token is invalid"]})
        return Reply(body={"total": self.photos, "results": [self._photo(one) for one in range(1, self.photos + 1)]})

    def _photo(self, number: int) -> dict[str, Any]:
        return {
            "id": f"photo{number}", "urls": {"regular": f"{self.url}/files/{number}.jpg"},
            "links": {"html": f"https://unsplash.com/photos/photo{number}",
                      "download_location": f"{self.url}/photos/photo{number}/download?ixid=abc"},
            "user": {"name": f"Ada\nPhotographer {number}", "links": {"html": "https://unsplash.com/@ada"}},
        }  # fmt: skip

    @route("GET", r"/photos/(photo\d+)/download")
    def download(self, call: Call) -> Reply:
        assert call.headers.get("authorization") == f"Client-ID {KEY}"
        self.reports.append(call.parts[0])
        return Reply(body={"url": f"{self.url}/files/1.jpg"})

    @route("GET", r"/pexels/v1/search")
    def pexels(self, call: Call) -> Reply:
        if call.headers.get("authorization") != KEY:
            return Reply(401, {"status": 401, "code": "Unauthorized"})
        found = [
            {"id": 100 + one, "url": f"https://www.pexels.com/photo/{one}/", "photographer": "Bo Lens",
             "photographer_url": "https://www.pexels.com/@bo", "src": {"large2x": f"{self.url}/files/{one}.jpg"}}
            for one in range(1, self.photos + 1)
        ]  # fmt: skip
        return Reply(body={"photos": found, "total_results": len(found)})
