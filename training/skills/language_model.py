"""Decomposition by a language model behind any OpenAI-compatible endpoint."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from training.common.errors import TrainingError
from training.skills.decompose import AtomicPrompt, Discarded, atomic_prompt
from training.skills.segment import Segment
from training.skills.template import PromptTemplate
from world2act_core.vocabulary import Vocabulary

Answer = TypeVar("Answer", bound=BaseModel)
AskErrorCode = Literal["UNREACHABLE", "TIMEOUT", "REFUSED", "NONSENSE", "CANCELED"]
MAX_PROMPT_CHARACTERS = 200
REFUSALS_IN_A_ROW = 8
"""So many refusals one after another are not about single demonstrations: a wrong key, a model that is not served."""


class LanguageModelError(TrainingError):
    """The endpoint cannot be used; the message says how to go on."""


class AskError(Exception):
    """A question without a usable answer. REFUSED and NONSENSE concern this question, the others the endpoint."""

    def __init__(self, code: AskErrorCode, message: str) -> None:
        super().__init__(message)
        self.code: AskErrorCode = code
        self.message = message


class Asker(Protocol):
    """What answers a question with an object of ``schema``: temperature 0, cached, retried. Thread-safe."""

    def ask(self, system: str, user: str, schema: type[Answer]) -> Answer:
        """The parsed answer; raises :class:`AskError`."""
        ...

    def close(self) -> None:
        """Give up the questions under way; they raise :class:`AskError` CANCELED at once."""
        ...


@dataclass(frozen=True)
class LanguageModelConfig:
    """The endpoint. Answers are kept in ``cache``, so that stopping and starting again costs nothing."""

    base_url: str = "http://localhost:8000/v1"
    model: str = ""
    """Name of the model as the endpoint knows it (required for --decomposer llm)."""
    api_key_variable: str = "OPENAI_API_KEY"
    """Environment variable that holds the key."""
    timeout_s: float = 60.0
    retries: int = 4
    cache: Path | None = None
    """Folder of answers by hash of the question; default: meta/llm-cache inside --out."""
    template: Path | None = None
    """Prompt template (YAML); default: the one that comes with the package."""
    parallel: int = 4
    """Questions under way at once."""


class SegmentPrompt(BaseModel):
    """The prompt of one segment."""

    model_config = ConfigDict(extra="forbid")

    segment: int = Field(description="number of the segment, from 1")
    prompt: str = Field(description="one short imperative sentence")


class SegmentPrompts(BaseModel):
    """One prompt per segment, in order."""

    model_config = ConfigDict(extra="forbid")

    prompts: list[SegmentPrompt]


class LanguageModelDecomposer:
    """Asks once per demonstration and checks the answer: the count, the numbering, every sentence."""

    def __init__(self, asker: Asker, template: PromptTemplate, vocabulary: Vocabulary) -> None:
        self._asker = asker
        self._template = template
        self._vocabulary = vocabulary
        self._lock = threading.Lock()
        self._refused = 0  # in a row

    def decompose(self, instruction: str, segments: Sequence[Segment], fps: float) -> tuple[AtomicPrompt, ...]:
        """As many prompts as segments; raises :class:`Discarded`, or :class:`LanguageModelError` when the endpoint is
        gone (asking about the next episode would not help)."""
        question = self._template.question(instruction, segments, fps)
        try:
            answer = self._asker.ask(self._template.system, question, SegmentPrompts)
        except AskError as error:
            if error.code == "REFUSED" and self._count_refusal(True) < REFUSALS_IN_A_ROW:
                raise Discarded("llm_refused", error.message) from error
            if error.code == "NONSENSE":
                raise Discarded("llm_nonsense", error.message) from error
            raise LanguageModelError(
                f"the language model does not answer ({error.code.lower()}): {error.message}. Answers so far are kept; "
                "run the same command again to continue."
            ) from error
        self._count_refusal(False)
        return tuple(atomic_prompt(text, self._vocabulary) for text in checked_prompts(answer, len(segments)))

    def close(self) -> None:
        """Give up the questions under way."""
        self._asker.close()

    def _count_refusal(self, refused: bool) -> int:
        with self._lock:
            self._refused = self._refused + 1 if refused else 0
            return self._refused


def checked_prompts(answer: SegmentPrompts, count: int) -> list[str]:
    """The sentences of an answer about ``count`` segments; raises :class:`Discarded`."""
    if len(answer.prompts) != count:
        raise Discarded("count_mismatch", f"{len(answer.prompts)} prompts for {count} segments")
    numbers = [item.segment for item in answer.prompts]
    if numbers != list(range(1, count + 1)):
        raise Discarded("bad_prompt", f"segments are numbered {numbers}, expected 1 to {count} in order")
    texts = [" ".join(item.prompt.split()).rstrip(".") for item in answer.prompts]
    for text in texts:
        if not text or len(text) > MAX_PROMPT_CHARACTERS or not text.isprintable():
            raise Discarded("bad_prompt", f"{text[:60]!r} is no sentence of 1 to {MAX_PROMPT_CHARACTERS} characters")
    return texts


def endpoint_asker(config: LanguageModelConfig, cache: Path) -> Asker:
    """The project's client for OpenAI-compatible endpoints, behind the interface used here."""
    if not config.model:
        raise LanguageModelError("--decomposer llm needs --llm.model (its name at the endpoint) and --llm.base-url")
    try:
        from world2act_core.llm import LlmClient, LlmEndpoint, LlmError
    except ImportError as error:
        raise LanguageModelError(f"no language model client in this installation: {error}") from error
    try:
        endpoint = LlmEndpoint(
            base_url=config.base_url,
            model=config.model,
            api_key_variable=config.api_key_variable,
            timeout_s=config.timeout_s,
            retries=config.retries,
        )
    except ValueError as error:
        raise LanguageModelError(f"--llm: {error}") from error
    client = LlmClient(endpoint, cache=cache)
    cancel = threading.Event()

    class _EndpointAsker:
        def ask(self, system: str, user: str, schema: type[Answer]) -> Answer:
            try:
                return client.ask(system, user, schema, cancel)
            except LlmError as error:
                raise AskError(error.code, error.message) from error

        def close(self) -> None:
            cancel.set()

    return _EndpointAsker()
