"""A local server that speaks the wire formats of Anthropic's and OpenAI's APIs, with every fault that a test asks for.

It counts tokens and cached prefixes (`tests.token_meter`), keeps what it was asked, and thinks with a `mind`: from a
question to the answer's text. Replies put into `script` come first, one a request. A thread serves it on a free port.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.token_meter import TokenMeter, blocks_of

SUBJECTS = [
    "lighthouse",
    "orchard",
    "turbine",
    "staircase",
    "kiln",
    "harbour",
    "greenhouse",
    "loom",
    "observatory",
    "ferry",
]
PLACES = ["in fog", "on wet slate", "under one lamp", "behind frosted glass", "at low tide", "before the storm"]
NOTES = ["The second try kept its shadow.", "Nothing else needed saying.", "The grain stayed.", "One edge is wrong."]


@dataclass(frozen=True)
class Question:
    """What the model was asked, whichever wire it came by."""

    system: str
    user: str
    fields: frozenset[str]
    turns: int
    body: Mapping[str, Any]

    @property
    def is_post(self) -> bool:
        return "image_prompt" in self.fields

    @property
    def seen(self) -> list[dict[str, Any]]:
        """The posts in the gallery data."""
        found = re.search(r"<gallery_data>\n(.*)\n</gallery_data>", self.user)
        return json.loads(found[1]) if found else []


Mind = Callable[[Question], str]


def post_text(dice: random.Random, **changes: str) -> str:
    """A post of the right shape, other for other dice."""
    subject, place, number = dice.choice(SUBJECTS), dice.choice(PLACES), dice.randrange(10**6)
    words = f"Wide view of a {subject} {place}, number {number}, " + "quiet light and worn matter all around it, " * 6
    return json.dumps({
        "reason": "It came to mind.", "image_prompt": f"{words}and nothing more.",
        "caption": f"A {subject} {place}, take {number}. {dice.choice(NOTES)}", "alt_text": f"A {subject} {place}.",
        **changes,
    })  # fmt: skip


def comment_text(dice: random.Random, **changes: Any) -> str:
    """A comment of the right shape, other for other dice."""
    said = f"That {dice.choice(SUBJECTS)} of a shadow, {dice.randrange(10**6)} greys deep, carries all of it."
    return json.dumps({"reason": "It is the strongest.", "post": 1, "text": said, **changes})


def honest(question: Question) -> str:
    """Answer as asked, the same to the same question."""
    told = hashlib.sha256(f"{question.system}{question.user}".encode()).hexdigest()
    dice = random.Random(told)
    return post_text(dice) if question.is_post else comment_text(dice)


@dataclass(frozen=True)
class Reply:
    """What to do with one request instead of thinking about it."""

    status: int = 200
    text: str | None = None
    """The model's answer; None lets the mind answer."""
    stop: str = "end_turn"
    body: bytes | None = None
    """The whole answer of the server, instead of one of its API."""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False
    late_status: int = 0
    """What a gateway says in place of the answer, once the server has done what it was asked."""
    hang: bool = False
    drip: bool = False
    drip_head: bool = False
    """Whether its headers come letter by letter, for some seconds."""
    extra_blocks: tuple[Mapping[str, Any], ...] = ()
    stream_error: str = ""
    """The kind of an error that is told in the middle of a stream."""


class ModelServer:
    """One server; `url` is its address without a path."""

    def __init__(
        self, mind: Mind = honest, *, knows: frozenset[str] | None = None, meter: TokenMeter | None = None
    ) -> None:
        self.mind = mind
        self.meter = meter or TokenMeter()
        self.knows = knows
        """Options of a plain OpenAI-like server; any other is refused with 400. None: all."""
        self.models = ["claude-haiku-5-5", "gpt-6-luna"]
        self.script: deque[Reply] = deque()
        self.always: Reply | None = None
        self.asked: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.batches: dict[str, dict[str, Any]] = {}
        self.flags: Callable[[str], list[str]] = lambda _: []
        """The categories of a text, for who asks to have it moderated."""
        self.batch_status = "ended"
        self.batches_made: dict[str, str] = {}
        self.called_off: list[str] = []
        self.batch_results: Callable[[list[dict[str, Any]]], bytes] | None = None
        self.release = threading.Event()
        self._lock = threading.Lock()
        server = self
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"world": server}))
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    @contextmanager
    def running(self) -> Iterator[ModelServer]:
        thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.release.set()
            self._http.shutdown()
            self._http.server_close()
            thread.join()

    def next_reply(self) -> Reply:
        with self._lock:
            return self.script.popleft() if self.script else self.always or Reply()

    def note(self, path: str, headers: dict[str, str], body: dict[str, Any]) -> None:
        with self._lock:
            self.asked.append((path, {name.lower(): value for name, value in headers.items()}, body))

    def message(self, body: dict[str, Any], reply: Reply, *, batch: bool = False) -> dict[str, Any]:
        """An answer of the Messages API."""
        question = _from_messages(body)
        text = self.mind(question) if reply.text is None else reply.text
        bill = self.meter.of_message(body, text)
        return {
            "id": "msg_1", "type": "message", "role": "assistant", "model": body["model"],
            "content": [*reply.extra_blocks, {"type": "text", "text": text}], "stop_reason": reply.stop,
            "stop_sequence": None,
            "usage": {
                "input_tokens": bill.fresh, "output_tokens": bill.output,
                "cache_read_input_tokens": bill.read, "cache_creation_input_tokens": bill.written,
                "cache_creation": {
                    "ephemeral_5m_input_tokens": bill.written - bill.hour, "ephemeral_1h_input_tokens": bill.hour},
                "service_tier": "batch" if batch else "standard",
            },
        }  # fmt: skip

    def completion(self, body: dict[str, Any], reply: Reply) -> dict[str, Any]:
        """An answer of chat completions."""
        question = _from_chat(body)
        text = self.mind(question) if reply.text is None else reply.text
        finish = {"end_turn": "stop", "max_tokens": "length", "refusal": "stop"}.get(reply.stop, reply.stop)
        message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
        if reply.stop == "refusal":
            message |= {"content": None, "refusal": "No."}
        bill = self.meter.of_completion(body, text)
        prompt = bill.fresh + bill.read + bill.written
        return {
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": body["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": finish, "logprobs": None}],
            "usage": {
                "prompt_tokens": prompt, "completion_tokens": bill.output, "total_tokens": prompt + bill.output,
                "prompt_tokens_details": {"cached_tokens": bill.read, "cache_write_tokens": bill.written},
            },
        }  # fmt: skip

    def moderation(self, body: dict[str, Any]) -> dict[str, Any]:
        """An answer of the moderation endpoint: a result for each text, in order."""
        texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
        return {"id": "modr-1", "model": body["model"], "results": [_moderated(self.flags(text)) for text in texts]}


MODERATED = ["harassment", "harassment/threatening", "hate", "hate/threatening", "illicit", "illicit/violent",
             "self-harm", "self-harm/instructions", "self-harm/intent", "sexual", "sexual/minors", "violence",
             "violence/graphic"]  # fmt: skip


def _moderated(flagged: list[str]) -> dict[str, Any]:
    return {
        "flagged": bool(flagged), "categories": {name: name in flagged for name in MODERATED},
        "category_scores": {name: 0.9 if name in flagged else 0.0001 for name in MODERATED},
        "category_applied_input_types": {name: ["text"] for name in MODERATED},
    }  # fmt: skip


def _from_messages(body: dict[str, Any]) -> Question:
    system = "\n\n".join(block["text"] for block in blocks_of(body.get("system", [])))
    fields = frozenset(body.get("output_config", {}).get("format", {}).get("schema", {}).get("properties", ()))
    return Question(system, body["messages"][0]["content"], fields, len(body["messages"]), body)


def _from_chat(body: dict[str, Any]) -> Question:
    messages = body["messages"]
    schema = body.get("response_format", {}).get("json_schema", {}).get("schema")
    fields = schema["properties"] if schema else re.findall(r'"(image_prompt|post|text)": {', messages[0]["content"])
    return Question(messages[0]["content"], messages[1]["content"], frozenset(fields), len(messages) - 1, body)


class _Handler(BaseHTTPRequestHandler):
    world: ModelServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two packets, and the second would wait 40 ms for the first

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "{}")
        self.world.note(self.path, dict(self.headers), body)
        reply = self.world.next_reply()
        if reply.hang:
            self.world.release.wait()
            self.close_connection = True
            return
        self._answer(reply, lambda: self._post(body, reply), streamed=bool(body.get("stream")))

    def do_GET(self) -> None:
        self.world.note(self.path, dict(self.headers), {})
        self._answer(self.world.next_reply(), self._get)

    def _post(self, body: dict[str, Any], reply: Reply) -> dict[str, Any] | bytes:
        if self.path == "/v1/messages/batches":
            batch_id = f"msgbatch_{len(self.world.batches) + 1}"
            self.world.batches[batch_id] = body
            self.world.batches_made[batch_id] = datetime.now(UTC).isoformat()
            return self._batch(batch_id)
        if self.path == "/v1/moderations":
            return self.world.moderation(body)
        if self.path.endswith("/cancel"):
            self.world.called_off.append(self.path.split("/")[4])
            return self._batch(self.world.called_off[-1])
        if self.path == "/v1/messages":
            return self.world.message(body, reply)
        unknown = set(body) - (self.world.knows or set(body)) - {"model", "messages"}
        wanted = body.get("response_format", {}).get("type")
        if self.world.knows is not None and wanted and wanted not in self.world.knows:
            unknown.add(f"response_format {wanted}")
        if unknown:
            raise _Refused(400, f"Unsupported parameter: {sorted(unknown)[0]}")
        return self.world.completion({name: value for name, value in body.items() if "stream" not in name}, reply)

    def _get(self) -> dict[str, Any] | bytes:
        if self.path.startswith("/v1/models"):
            return self._models()
        if self.path.startswith("/v1/messages/batches?"):
            newest = [self._batch(batch_id) for batch_id in reversed(self.world.batches)]
            return {"data": newest, "has_more": False, "first_id": None, "last_id": None}
        batch_id = self.path.split("/")[4]
        if not self.path.endswith("/results"):
            return self._batch(batch_id)
        requests = self.world.batches[batch_id]["requests"]
        if self.world.batch_results is not None:
            return self.world.batch_results(requests)
        lines = [
            {"custom_id": one["custom_id"], "result": {
                "type": "succeeded", "message": self.world.message(one["params"], Reply(), batch=True)}}
            for one in reversed(requests)
        ]  # fmt: skip
        return "".join(f"{json.dumps(line)}\n" for line in lines).encode()

    def _models(self) -> dict[str, Any]:
        """The card of one model, as at Anthropic, or the list of all, as at OpenAI."""
        cards = [{"id": name, "object": "model", "type": "model", "created": 1, "owned_by": "x", "display_name": name,
                  "created_at": "2026-10-07T00:00:00Z"} for name in self.world.models]  # fmt: skip
        wanted = self.path.partition("?")[0].removeprefix("/v1/models").strip("/")
        if not wanted:
            return {"object": "list", "data": cards}
        if wanted not in self.world.models:
            raise _Refused(404, f"model: {wanted}")
        return next(card for card in cards if card["id"] == wanted)

    def _batch(self, batch_id: str) -> dict[str, Any]:
        counts = {"processing": 0, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0}
        return {
            "id": batch_id, "type": "message_batch", "processing_status": self.world.batch_status,
            "request_counts": counts, "created_at": self.world.batches_made[batch_id],
            "expires_at": "2026-11-21T00:00:00Z",
            "ended_at": None, "archived_at": None, "cancel_initiated_at": None,
            "results_url": f"{self.world.url}/v1/messages/batches/{batch_id}/results",
        }  # fmt: skip

    def _answer(self, reply: Reply, make: Callable[[], dict[str, Any] | bytes], *, streamed: bool = False) -> None:
        status, made, kind = reply.status, reply.body, "application/json"
        if made is None and status == 200:
            try:
                answer = make()
                made = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                if streamed and isinstance(answer, dict):
                    made, kind = as_stream(answer, reply.stream_error), "text/event-stream"
            except _Refused as refused:
                status, made = refused.status, _error(refused.status, refused.message)
        if reply.late_status:
            status, made = reply.late_status, _error(reply.late_status, "no answer from upstream")
        self._send(status, made if made is not None else _error(status, "made to fail"), reply, kind)

    def _send(self, status: int, made: bytes, reply: Reply, kind: str) -> None:
        if reply.drip_head:
            self.close_connection = True
            slow = (
                f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(made)}\r\nX-Slow: {'x' * 300}\r\n\r\n"
            )
            with suppress(OSError):
                self._drip(slow.encode())
                self.wfile.write(made)
            return
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(made)))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            if reply.drip:
                self._drip(made)
            elif reply.cut:
                self.wfile.write(made[: len(made) // 2])
                self.close_connection = True
            else:
                self.wfile.write(made)
        except OSError:  # the client has had enough, as it should
            self.close_connection = True

    def _drip(self, made: bytes) -> None:
        for byte in made:
            self.wfile.write(bytes([byte]))
            if self.world.release.wait(0.01):
                return


def as_stream(answer: dict[str, Any], error: str = "") -> bytes:
    """Return a whole answer as the server-sent events that its API would have made of it."""
    events = _of_message(answer) if answer.get("type") == "message" else _of_completion(answer)
    if error:
        told = {"type": "error", "error": {"type": error, "message": "made to fail"}}
        events = [*events[: len(events) // 2], ("error", told)]
    lines = [(f"event: {name}\n" if name else "") + f"data: {json.dumps(data)}\n\n" for name, data in events]
    return "".join([*lines, "" if error or answer.get("type") == "message" else "data: [DONE]\n\n"]).encode()


def _of_message(answer: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    usage = answer["usage"]
    begun = answer | {"content": [], "stop_reason": None, "usage": usage | {"output_tokens": 1}}
    events: list[dict[str, Any]] = [{"type": "message_start", "message": begun}, {"type": "ping"}]
    for index, block in enumerate(answer["content"]):
        is_text = block["type"] == "text"
        empty = {"type": "text", "text": ""} if is_text else block
        events.append({"type": "content_block_start", "index": index, "content_block": empty})
        for piece in re.findall(r"(?s).{1,40}", block["text"]) if is_text else ():
            delta = {"type": "text_delta", "text": piece}
            events.append({"type": "content_block_delta", "index": index, "delta": delta})
        events.append({"type": "content_block_stop", "index": index})
    ended = {"stop_reason": answer["stop_reason"], "stop_sequence": None}
    events += [{"type": "message_delta", "delta": ended, "usage": {"output_tokens": usage["output_tokens"]}},
               {"type": "message_stop"}]  # fmt: skip
    return [(event["type"], event) for event in events]


def _of_completion(answer: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    [choice] = answer["choices"]
    shell = {name: answer[name] for name in ("id", "created", "model")} | {"object": "chat.completion.chunk"}
    pieces = [{"content": piece} for piece in re.findall(r"(?s).{1,40}", choice["message"]["content"] or "")]
    if choice["message"]["refusal"]:
        pieces.append({"refusal": choice["message"]["refusal"]})
    chunks: list[dict[str, Any]] = [
        shell | {"choices": [{"index": 0, "delta": piece, "finish_reason": None}]} for piece in pieces
    ]
    chunks.append(shell | {"choices": [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}]})
    if answer.get("usage"):
        chunks.append(shell | {"choices": [], "usage": answer["usage"]})
    return [("", chunk) for chunk in chunks]


class _Refused(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def _error(status: int, message: str) -> bytes:
    kinds = {
        401: "authentication_error",
        429: "rate_limit_error",
        529: "overloaded_error",
        400: "invalid_request_error",
    }
    kind = kinds.get(status, "api_error")
    return json.dumps({
        "type": "error", "error": {"type": kind, "message": message, "code": None, "param": None}, "request_id": "req_1"
    }).encode()  # fmt: skip
