"""How a question to a language model can fail."""

from __future__ import annotations

from typing import Literal

LlmErrorCode = Literal["UNREACHABLE", "TIMEOUT", "REFUSED", "NONSENSE", "CANCELED"]


class LlmError(RuntimeError):
    """No usable answer: `code` for programs, `message` for people (never with a key in it, bounded in length).

    UNREACHABLE: nobody answers there, or only errors that may pass came (connection, 408, 409, 429, 5xx), or `openai`
    is not installed. TIMEOUT: the endpoint's time is over. REFUSED: the server or the model says no (key, model name,
    content filter, refusal). NONSENSE: an answer came that is not what was asked for. CANCELED: the asker gave up.
    """

    def __init__(self, code: LlmErrorCode, message: str) -> None:
        super().__init__(message)
        self.code: LlmErrorCode = code
        self.message = message
