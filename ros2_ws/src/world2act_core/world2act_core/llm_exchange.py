"""One question over HTTP: the only module that touches `openai`. Bounded in time, in bytes and in attempts."""

from __future__ import annotations

import asyncio
import email.utils
import importlib
import json
import math
import os
import random
import re
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from world2act_core.llm_answer import quote, read_completion
from world2act_core.llm_error import LlmError, LlmErrorCode

if TYPE_CHECKING:
    from world2act_core.llm import LlmEndpoint

T = TypeVar("T")

MAX_BODY_BYTES = 1 << 20
"""No plan and no list of prompts is longer; a server that sends more is broken or hostile."""

BACK_OFF_S, MAX_BACK_OFF_S = 0.25, 8.0
POLL_S = 0.05
"""How often a running question looks at the clock and at `cancel`."""

GOODBYE_S = 1.0
"""How long a connection may take to close once nobody wants its answer."""

_MAY_PASS = (408, 409, 429)
_NOT_UNDERSTOOD = (400, 415, 422, 501)
_STATUS_PREFIX = re.compile(r"^Error code: \d+( - )?")


@dataclass(frozen=True)
class Dialect:
    """What the server understands, found out on the way.

    answer: `schema` structured output, `json` JSON mode, `text` neither. temperature: whether it may be given (some
    reasoning models refuse any).
    """

    answer: Literal["schema", "json", "text"] = "schema"
    temperature: bool = True

    def simpler(self, complaint: str) -> Dialect | None:
        """What to try after the server did not understand; None when nothing simpler is left."""
        if self.temperature and "temperature" in complaint:
            return replace(self, temperature=False)
        if self.answer == "text":
            return None
        return replace(self, answer="json" if self.answer == "schema" else "text")

    def options(self, name: str, shape: dict[str, Any]) -> dict[str, Any]:
        """Arguments of the request that depend on the dialect."""
        options: dict[str, Any] = {"temperature": 0} if self.temperature else {}
        if self.answer == "schema":
            wanted = {"name": name, "schema": shape, "strict": True}
            options["response_format"] = {"type": "json_schema", "json_schema": wanted}
        elif self.answer == "json":
            options["response_format"] = {"type": "json_object"}
        return options


class _Trouble(Exception):
    """A failed attempt. pass_s: worth another attempt after so many seconds (0: the usual back-off), None: is not."""

    def __init__(self, code: LlmErrorCode, message: str, pass_s: float | None = None, misunderstood: str = "") -> None:
        super().__init__(message)
        self.code: LlmErrorCode = code
        self.message = message
        self.pass_s = pass_s
        self.misunderstood = misunderstood


class _TooLarge(Exception):
    pass


def import_openai() -> Any:
    """The `openai` module; LlmError UNREACHABLE with the remedy when it is missing."""
    try:
        return importlib.import_module("openai")
    except ImportError as error:
        why = f"the package openai cannot be imported ({quote(str(error))})"
        raise LlmError("UNREACHABLE", f"{why}: pip install world2act_core[llm]") from error


def exchange(
    endpoint: LlmEndpoint,
    messages: list[dict[str, str]],
    schema: tuple[str, dict[str, Any]],
    dialect: Dialect,
    cancel: threading.Event | None,
) -> tuple[str, Dialect]:
    """(text of the answer, dialect that worked). schema: (name, JSON schema). Raises LlmError."""
    import_openai()  # before the clock starts: on a busy machine the first import takes longer than an answer
    conversation = _Conversation(endpoint, dialect)

    async def question(client: Any) -> bytes:
        raw = await client.chat.completions.with_raw_response.create(
            model=endpoint.model, messages=messages, timeout=max(conversation.left_s, 0.001),
            **conversation.dialect.options(*schema),
        )  # fmt: skip
        return bytes(raw.http_response.content)

    return _run(_watched(conversation, conversation.run(question, read_completion), cancel)), conversation.dialect


def served_models(endpoint: LlmEndpoint) -> list[str]:
    """Names of the models the endpoint says it serves, at most a hundred. Raises LlmError."""
    import_openai()
    conversation = _Conversation(endpoint, Dialect())

    async def listing(client: Any) -> bytes:
        return bytes((await client.models.with_raw_response.list()).http_response.content)

    return _run(_watched(conversation, conversation.run(listing, _read_models), None))


def _read_models(body: bytes) -> list[str]:
    try:
        entries = json.loads(body)["data"]
        return [str(entry["id"])[:200] for entry in entries[:100]]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise LlmError("NONSENSE", "what came is no list of models; is the address complete (.../v1)?") from None


class _Conversation:
    """One request and its repetitions. dialect: what the server was found to understand."""

    def __init__(self, endpoint: LlmEndpoint, dialect: Dialect) -> None:
        self.endpoint = endpoint
        self.dialect = dialect
        self.last = ""
        self._key = endpoint.api_key(os.environ)
        self._deadline_s = time.monotonic() + endpoint.timeout_s

    @property
    def left_s(self) -> float:
        """Seconds until the time is over."""
        return self._deadline_s - time.monotonic()

    async def run(self, request: Callable[[Any], Awaitable[bytes]], read: Callable[[bytes], T]) -> T:
        """Attempt after attempt, until there is an answer or no attempt is worth it."""
        openai = import_openai()
        async with _client(openai, self.endpoint, self._key, self.left_s) as client:
            attempt = 0
            while True:
                try:
                    return read(await self._attempt(openai, request(client)))
                except LlmError as error:
                    raise LlmError(error.code, f"{self.endpoint.base_url}: {error.message}") from None
                except _Trouble as trouble:
                    self.last = trouble.message
                    simpler = self.dialect.simpler(trouble.misunderstood) if trouble.misunderstood else None
                    if simpler is not None:
                        self.dialect = simpler
                        continue
                    wait_s = self._pause_s(trouble, attempt)
                    if wait_s is None:
                        raise LlmError(trouble.code, f"{self.endpoint.base_url}: {self.last}") from None
                await asyncio.sleep(wait_s)
                attempt += 1

    async def _attempt(self, openai: Any, request: Awaitable[bytes]) -> bytes:
        try:
            return self._without_key(await request)
        except _TooLarge:
            raise _Trouble("NONSENSE", f"the answer has more than {MAX_BODY_BYTES} bytes") from None
        except openai.APITimeoutError:
            raise _Trouble("TIMEOUT", f"no answer within {self.endpoint.timeout_s:g} s") from None
        except openai.APIStatusError as error:
            said = _STATUS_PREFIX.sub("", self._without_key(str(error.message).encode(errors="replace")).decode())
            raise _status_trouble(error, said, self.endpoint) from None
        except openai.APIConnectionError as error:
            cause = quote(str(error.__cause__ or error))
            text = f"no connection, or it broke ({cause}); is the server running?"
            raise _Trouble("UNREACHABLE", text, 0.0) from None
        except openai.OpenAIError as error:
            raise _Trouble("REFUSED", quote(str(error))) from None

    def _without_key(self, said: bytes) -> bytes:
        """A server may repeat the key in what it says; nothing of it goes into messages, logs or the cache."""
        return said.replace(self._key.encode(), b"***") if self._key else said

    def _pause_s(self, trouble: _Trouble, attempt: int) -> float | None:
        """Seconds until the next attempt; None when there is to be none."""
        if trouble.pass_s is None or attempt >= self.endpoint.retries:
            return None
        # Jitter, so that many askers who failed together do not come back together.
        pause_s = min(BACK_OFF_S * 2**attempt, MAX_BACK_OFF_S) * random.uniform(0.75, 1.25)
        pause_s = max(pause_s, trouble.pass_s)
        return pause_s if pause_s < self.left_s else None


def _status_trouble(error: Any, full: str, endpoint: LlmEndpoint) -> _Trouble:
    """What an HTTP status means. full: what the server said with it, of any length."""
    status, said = int(error.status_code), quote(full)
    if 300 <= status < 400:
        target = quote(str(error.response.headers.get("location", "")))
        return _Trouble("REFUSED", f"HTTP {status} sends us on to {target}; if that is right, give it as base_url")
    if getattr(error, "code", None) == "insufficient_quota":
        return _Trouble("REFUSED", f"HTTP {status}: {said}")
    if status in _MAY_PASS or (status >= 500 and status != 501):
        return _Trouble("UNREACHABLE", f"HTTP {status}: {said}", _retry_after_s(error.response.headers))
    if status in (401, 403):
        return _Trouble("REFUSED", f"HTTP {status}: {said}; {_key_hint(endpoint)}")
    if status == 404:
        model = quote(endpoint.model)
        return _Trouble("REFUSED", f"HTTP 404: {said}; is {model} served there, and the address complete?")
    misunderstood = full[:2000].lower() or "?"
    return _Trouble("REFUSED", f"HTTP {status}: {said}", None, misunderstood if status in _NOT_UNDERSTOOD else "")


def _key_hint(endpoint: LlmEndpoint) -> str:
    if not endpoint.api_key_variable:
        return "no key was sent, because no variable is named for one"
    if endpoint.api_key(os.environ):
        return f"the key in {endpoint.api_key_variable} was sent"
    if os.environ.get(endpoint.api_key_variable):
        return f"{endpoint.api_key_variable} is not sent unencrypted; use https, or a variable of its own for this key"
    return f"{endpoint.api_key_variable} is not set"


def _retry_after_s(headers: Any) -> float:
    """Seconds the server asks us to wait; 0 when it does not say, or nothing sensible."""
    said = str(headers.get("retry-after", "")).strip()
    try:
        seconds = float(said)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(said).timestamp() - time.time()
        except (ValueError, TypeError, OverflowError):
            return 0.0
    return seconds if math.isfinite(seconds) and seconds > 0 else 0.0


def _client(openai: Any, endpoint: LlmEndpoint, key: str, timeout_s: float) -> Any:
    """An AsyncOpenAI whose responses are bounded. It follows no redirect: what people say stays where they sent it."""

    class Bounded(openai.DefaultAsyncHttpxClient):  # type: ignore[misc, name-defined]
        async def send(self, request: Any, *, stream: bool = False, **options: Any) -> Any:
            response = await super().send(request, stream=True, **options)
            body = bytearray()
            try:
                async for part in response.aiter_bytes():
                    body += part
                    if len(body) > MAX_BODY_BYTES:
                        raise _TooLarge
            finally:
                await response.aclose()
            encoded = ("content-encoding", "content-length", "transfer-encoding")
            headers = [(name, value) for name, value in response.headers.multi_items() if name.lower() not in encoded]
            return type(response)(response.status_code, headers=headers, content=bytes(body), request=request)

    return openai.AsyncOpenAI(
        base_url=endpoint.base_url,
        api_key=key or "none",  # the client insists on one; servers that need none do not look at it
        max_retries=0,
        timeout=timeout_s,
        # Compressed answers could be a thousand times larger than they look.
        default_headers={"Accept-Encoding": "identity"},
        # A proxy has no business between us and our own machine.
        http_client=Bounded(follow_redirects=False, trust_env=not endpoint.is_local),
    )


async def _watched(conversation: _Conversation, work: Coroutine[Any, Any, T], cancel: threading.Event | None) -> T:
    """Run it, and break it off, wherever it stands, when time is over or nobody wants the answer any more."""
    task = asyncio.ensure_future(work)
    try:
        while not task.done():
            if cancel is not None and cancel.is_set():
                raise LlmError("CANCELED", "the question was given up")
            if conversation.left_s <= 0:
                before = f"; before that: {conversation.last}" if conversation.last else ""
                limit = f"no answer within {conversation.endpoint.timeout_s:g} s"
                raise LlmError("TIMEOUT", f"{conversation.endpoint.base_url}: {limit}{before}")
            await asyncio.wait({task}, timeout=min(max(conversation.left_s, 0.001), POLL_S))
        return task.result()
    finally:
        await _end({task})


def _run(work: Coroutine[Any, Any, T]) -> T:
    """asyncio.run, which at its end would also wait for a name server that does not answer."""
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(work)
    finally:
        loop.run_until_complete(_end(asyncio.all_tasks(loop)))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


async def _end(tasks: set[asyncio.Task[Any]]) -> None:
    """Cancel what still runs, and wait for it a moment only: a polite goodbye to a dead server may take for ever."""
    running = {task for task in tasks if not task.done()}
    for task in running:
        task.cancel()
    if running:
        await asyncio.wait(running, timeout=GOODBYE_S)
