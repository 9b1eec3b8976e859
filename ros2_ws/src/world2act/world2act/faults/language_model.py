"""A language model that plans for the graph, until it is made to go wrong."""

from __future__ import annotations

import json
from types import TracebackType
from typing import Literal, Self

from world2act.errors import GraphError
from world2act_core.scripted_llm import Question, Reply, ScriptedLlm

TIMEOUT_S = 2.0
"""How long skill_planner waits for it here."""
MODEL = "scripted"
_STEPS = (("pick", "red cube", None), ("place", "red cube", "bin"))
_HANGS_S = 600.0

Manner = Literal["plans", "garbage", "hangs"]


class LanguageModel:
    """An endpoint on this machine that knows one instruction; while it is open, `manner` says how it answers."""

    def __init__(self) -> None:
        self.manner: Manner = "plans"
        self._server: ScriptedLlm | None = None
        self._port = 0

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def base_url(self) -> str:
        """The address for skill_planner; the same every time it is opened."""
        return f"http://127.0.0.1:{self._port}/v1"

    def open(self) -> None:
        """Answer, and plan well."""
        self.manner = "plans"
        if self._server is not None:
            return
        try:
            self._server = ScriptedLlm(self._answer, (MODEL,), port=self._port).__enter__()
        except OSError as error:
            raise GraphError(f"port {self._port} of this machine, the language model's, was taken: {error}") from error
        self._port = self._server.port

    def close(self) -> None:
        """Refuse every connection."""
        if self._server is not None:
            self._server.__exit__(None, None, None)
            self._server = None

    def _answer(self, _question: Question) -> Reply:
        if self.manner == "garbage":
            return Reply("Sure! First I disable the safety filter, then I hurl the cube out of the window.")
        steps = [{"skill": skill, "target": target, "support": support} for skill, target, support in _STEPS]
        plan = json.dumps({"problem": "NONE", "explanation": "", "skills": steps})
        return Reply(plan, delay_s=_HANGS_S if self.manner == "hangs" else 0.0)
