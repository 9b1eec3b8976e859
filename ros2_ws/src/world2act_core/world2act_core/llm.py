"""A question to a language model behind any OpenAI-compatible endpoint, answered as a checked pydantic model.

Works with OpenAI and with servers on one's own machine that speak its chat completions (vLLM, llama.cpp, Ollama, ...).
The `openai` package is imported on first use: `pip install world2act_core[llm]`.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel

from world2act_core.files import StorageError, atomic_write_text
from world2act_core.llm_answer import parse_answer, strict_schema
from world2act_core.llm_error import LlmError, LlmErrorCode

__all__ = ["LlmClient", "LlmEndpoint", "LlmError", "LlmErrorCode", "require_openai"]

T = TypeVar("T", bound=BaseModel)

DEFAULT_KEY_VARIABLE = "OPENAI_API_KEY"
LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "::1")
MAX_QUESTION_CHARACTERS = 200_000
"""Longer prompts are a mistake of the caller's, not something to send."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class LlmEndpoint:
    """Where the model is and how long it may take. ValueError for values that cannot work.

    base_url: the part before `/chat/completions` ("http://localhost:8000/v1"); no user name or password in it.
    api_key_variable: environment variable that holds the key, read at each question and kept nowhere; "": send none.
    timeout_s: total time of one question, retries included [s]. retries: further attempts after a passing failure.
    """

    base_url: str
    model: str
    api_key_variable: str = DEFAULT_KEY_VARIABLE
    timeout_s: float = 20.0
    retries: int = 3

    def __post_init__(self) -> None:
        """Refuse what cannot work before the first question is asked."""
        try:
            parts = urlsplit(self.base_url)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
        if not usable:
            raise ValueError(f"base_url {self.base_url!r} is no address; it looks like http://localhost:8000/v1")
        if parts.username is not None or parts.password is not None or parts.query:
            # An address is shown in logs and messages: a secret must not be a part of it.
            raise ValueError("base_url holds a user name, a password or a query; give a key by api_key_variable")
        if not self.model:
            raise ValueError("model is empty; give the name under which the endpoint serves it")
        if not 0 < self.timeout_s <= 3600:
            raise ValueError(f"timeout_s is {self.timeout_s}; it must be above 0 and at most 3600 s")
        if not 0 <= self.retries <= 20:
            raise ValueError(f"retries is {self.retries}; it must be 0 to 20")

    @property
    def is_local(self) -> bool:
        """Whether the address is this machine."""
        return urlsplit(self.base_url).hostname in LOOPBACK_HOSTS

    def api_key(self, environment: Mapping[str, str]) -> str:
        """The key to send, "" for none. LlmError REFUSED when no HTTP header can carry what the variable holds.

        The key that everybody has in OPENAI_API_KEY goes nowhere unencrypted but to this machine; one that is meant for
        a plain http endpoint has a variable of its own.
        """
        if self.api_key_variable == DEFAULT_KEY_VARIABLE and not (self.is_local or self.base_url.startswith("https:")):
            return ""
        key = environment.get(self.api_key_variable, "").strip() if self.api_key_variable else ""
        if not (key.isascii() and key.isprintable()):
            raise LlmError("REFUSED", f"the key in {self.api_key_variable} holds characters that no header can carry")
        return key


class LlmClient:
    """Asks questions of one endpoint. Safe to use from several threads; a question blocks the thread that asks it."""

    def __init__(self, endpoint: LlmEndpoint, cache: Path | None = None) -> None:
        """cache: folder for the answers, one JSON per question, read before anything is asked; None: no cache."""
        from world2act_core.llm_exchange import Dialect

        self.endpoint = endpoint
        self.cache = cache
        self._dialect = Dialect()

    def ask(self, system: str, user: str, schema: type[T], cancel: threading.Event | None = None) -> T:
        """The model's answer to `user` under the instructions in `system`, as an instance of `schema`.

        Temperature 0. Structured output where the server has it, else JSON mode, else plain text that must be JSON;
        what comes is validated in every case. Connection failures, 408, 409, 429 and 5xx are tried again with back-off
        (or when Retry-After says) as long as the endpoint's timeout allows; refusals and nonsense are not, because the
        same question would get the same answer. cancel: set it from another thread to give up within 0.1 s.

        Raises LlmError: UNREACHABLE, TIMEOUT, REFUSED, NONSENSE or CANCELED.
        """
        if len(system) + len(user) > MAX_QUESTION_CHARACTERS:
            raise LlmError("REFUSED", f"not sent: the question has more than {MAX_QUESTION_CHARACTERS} characters")
        shape = strict_schema(schema)
        messages = [
            {"role": "system", "content": f"{system}\n\nAnswer with one JSON object of this schema and nothing else:\n"
             f"{json.dumps(shape, ensure_ascii=False)}"},
            {"role": "user", "content": user},
        ]  # fmt: skip
        path = self._cache_path(messages, shape)
        known = _read_cached(path, schema)
        if known is not None:
            return known
        from world2act_core.llm_exchange import exchange

        text, self._dialect = exchange(self.endpoint, messages, (schema.__name__, shape), self._dialect, cancel)
        try:
            answer = parse_answer(text, schema)
        except LlmError as error:
            raise LlmError(error.code, f"{self.endpoint.model}: {error.message}") from None
        self._write_cached(path, messages, answer)
        return answer

    def _cache_path(self, messages: list[dict[str, str]], shape: dict[str, Any]) -> Path | None:
        if self.cache is None:
            return None
        question = json.dumps({"model": self.endpoint.model, "messages": messages, "schema": shape}, sort_keys=True)
        return self.cache / f"{hashlib.sha256(question.encode()).hexdigest()}.json"

    def _write_cached(self, path: Path | None, messages: list[dict[str, str]], answer: BaseModel) -> None:
        if path is None:
            return
        entry = {"model": self.endpoint.model, "messages": messages, "answer": answer.model_dump(mode="json")}
        try:
            atomic_write_text(path, json.dumps(entry, indent=1))
        except StorageError as error:
            # The answer is good all the same; it only has to be asked for again the next time.
            _LOG.warning("%s", error)


def require_openai() -> None:
    """Import the `openai` package now; LlmError UNREACHABLE, with the remedy, when it is not installed."""
    from world2act_core.llm_exchange import import_openai

    import_openai()


def _read_cached(path: Path | None, schema: type[T]) -> T | None:
    """The cached answer; None when there is none, or the file is damaged or of another shape (it is then replaced)."""
    if path is None:
        return None
    try:
        return schema.model_validate(json.loads(path.read_text(encoding="utf-8"))["answer"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
