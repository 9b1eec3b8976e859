"""What a language model sent -> a checked value. Nothing in it is trusted: every step may fail with NONSENSE."""

from __future__ import annotations

import re
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from world2act_core.llm_error import LlmError

T = TypeVar("T", bound=BaseModel)

MAX_QUOTED = 160
"""Characters of foreign text that a message shows."""

_THOUGHTS = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)
_UNKEYED = ("default", "title", "minLength", "maxLength")
"""Schema words that strict structured output refuses; pydantic checks what they say when the answer is here."""


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Completion(BaseModel):
    choices: list[_Choice] = []
    error: Any = None


def read_completion(body: bytes) -> str:
    """The text inside the body of a chat completion.

    Raises LlmError: REFUSED when the model or a content filter says no, NONSENSE when this is no whole answer.
    """
    try:
        completion = _Completion.model_validate_json(body)
    except ValidationError as error:
        said = quote(body[:1000].decode(errors="replace"))
        raise LlmError("NONSENSE", f"that is no chat completion: {said}") from error
    if completion.error:
        raise LlmError("REFUSED", f"the server answers with an error: {quote(str(completion.error))}")
    if not completion.choices:
        raise LlmError("NONSENSE", "the completion holds no choice")
    choice = completion.choices[0]
    if choice.message.refusal:
        raise LlmError("REFUSED", f"the model refuses: {quote(choice.message.refusal)}")
    if choice.finish_reason == "content_filter":
        raise LlmError("REFUSED", "a content filter stopped the answer")
    if choice.finish_reason == "length":
        raise LlmError("NONSENSE", "the answer was cut off at the model's output limit")
    if not choice.message.content:
        raise LlmError("NONSENSE", "the model's answer is empty")
    return choice.message.content


def parse_answer(text: str, schema: type[T]) -> T:
    """`text` as `schema`. Around the one JSON object may be a <think> block, and prose or a fence without braces.

    Raises LlmError NONSENSE, saying what does not fit.
    """
    text = _THOUGHTS.sub("", text)
    begin, end = text.find("{"), text.rfind("}")
    if begin < 0 or end < begin:
        raise LlmError("NONSENSE", f"the answer holds no JSON object: {quote(text)}")
    try:
        # From the first brace to the last: two objects in one text are no JSON, so nothing is picked out of examples.
        return schema.model_validate_json(text[begin : end + 1])
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the answer"
        raise LlmError("NONSENSE", f"{quote(where)}: {quote(first['msg'])} in {quote(text)}") from error
    except (ValueError, RecursionError) as error:  # half of a surrogate pair, a schema's own validator
        raise LlmError("NONSENSE", f"{quote(str(error))} in {quote(text)}") from error


def strict_schema(schema: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema as strict structured output wants it: every property required, no others, no defaults."""
    shape = _strict(schema.model_json_schema())
    assert isinstance(shape, dict)
    return shape


def _strict(part: Any, names: bool = False) -> Any:
    """names: the keys of `part` are names of properties or definitions, not words of the schema language."""
    if isinstance(part, list):
        return [_strict(item) for item in part]
    if not isinstance(part, dict):
        return part
    if names:
        return {name: _strict(item) for name, item in part.items()}
    words = {word: item for word, item in part.items() if word not in _UNKEYED}
    kept = {word: _strict(item, names=word in ("properties", "$defs")) for word, item in words.items()}
    if kept.get("type") == "object" and "properties" in kept:
        kept["required"] = list(kept["properties"])
        kept["additionalProperties"] = False
    return kept


def quote(text: str) -> str:
    """Foreign text for a message: on one line, printable, short, in quotes."""
    plain = " ".join("".join(letter if letter.isprintable() else " " for letter in text[: 8 * MAX_QUOTED]).split())
    return f"'{plain}'" if len(plain) <= MAX_QUOTED else f"'{plain[: MAX_QUOTED - 3]}...'"
