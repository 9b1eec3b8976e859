"""A chat completions server that says what a script tells it to: for tests, and to try things without a model."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Literal, Self

Fault = Literal["", "reset", "cut", "drip", "endless"]
CHUNK = b" " * 65536


@dataclass(frozen=True)
class Question:
    """One request as it came. path: `/v1/chat/completions`; header names are lower case."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def user(self) -> str:
        """The text of the last message."""
        return str(self.body["messages"][-1]["content"])


@dataclass(frozen=True)
class Reply:
    """What to answer, and how to misbehave.

    content: the model's text. status: of HTTP; from 300 on `content` becomes the error's message. raw: the body itself,
    instead. delay_s: silence before the answer. fault: `reset` the connection, `cut` the body off in the middle, `drip`
    one byte a time without end, `endless` bytes as fast as they are taken.
    """

    content: str | None = ""
    status: int = 200
    refusal: str | None = None
    finish_reason: str = "stop"
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    delay_s: float = 0.0
    fault: Fault = ""

    def body(self) -> bytes:
        """The body as it is sent."""
        if self.raw is not None:
            return self.raw
        if self.status >= 300:
            return json.dumps({"error": {"message": self.content, "type": "error", "code": None}}).encode()
        message = {"role": "assistant", "content": self.content, "refusal": self.refusal}
        choice = {"index": 0, "message": message, "finish_reason": self.finish_reason}
        return json.dumps({"id": "0", "object": "chat.completion", "model": "scripted", "choices": [choice]}).encode()


Script = Callable[[Question], Reply] | Iterable[Reply]


class ScriptedLlm:
    """`with ScriptedLlm([Reply(...), ...]) as server:` listens on a free port of this machine only.

    script: replies in order (the last is repeated), or a function of the question. questions: what came, in order.
    """

    def __init__(self, script: Script, models: tuple[str, ...] = ("scripted",), port: int = 0) -> None:
        """port: to listen on, 0 for any that is free. Raises OSError when it is taken."""
        self.questions: list[Question] = []
        self._models = models
        self._answer = script if callable(script) else _in_order(list(script))
        self._lock = threading.Lock()
        self._closing = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                server._post(self)

            def do_GET(self) -> None:
                server._get(self)

            def log_message(self, format: str, *arguments: Any) -> None:
                """Nothing: a test's output is for what fails."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_port)

    @property
    def base_url(self) -> str:
        """The address for LlmEndpoint."""
        return f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _post(self, handler: BaseHTTPRequestHandler) -> None:
        body = json.loads(handler.rfile.read(int(handler.headers["content-length"])))
        question = Question(handler.path, {name.lower(): value for name, value in handler.headers.items()}, body)
        with self._lock:
            self.questions.append(question)
            reply = self._answer(question)
        self._closing.wait(reply.delay_s)
        # Whoever asked may be gone by now; that is what the slow replies are for.
        with contextlib.suppress(OSError):
            self._send(handler, reply)

    def _get(self, handler: BaseHTTPRequestHandler) -> None:
        listing = {"object": "list", "data": [{"id": name, "object": "model"} for name in self._models]}
        with contextlib.suppress(OSError):
            self._send(handler, Reply(raw=json.dumps(listing).encode()))

    def _send(self, handler: BaseHTTPRequestHandler, reply: Reply) -> None:
        handler.close_connection = True
        if reply.fault == "reset":
            # Lingering for no time: closing sends a reset instead of a polite end.
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            handler.connection.close()
            return
        body = reply.body()
        length = 10**12 if reply.fault in ("drip", "endless") else len(body)
        handler.send_response(reply.status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(length), **reply.headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        if reply.fault == "cut":
            handler.wfile.write(body[: len(body) // 2])
            return
        while reply.fault in ("drip", "endless") and not self._closing.is_set():
            handler.wfile.write(b" " if reply.fault == "drip" else CHUNK)
            handler.wfile.flush()
            if reply.fault == "drip":
                self._closing.wait(0.02)
        handler.wfile.write(body)


def _in_order(replies: list[Reply]) -> Callable[[Question], Reply]:
    """The replies one after the other; the last again and again."""

    def answer(question: Question) -> Reply:
        return replies.pop(0) if len(replies) > 1 else replies[0]

    return answer
