"""The planners skill_planner can use. A planner turns an instruction into a Plan or raises PlanError."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Protocol

from world2act.errors import ConfigurationError
from world2act.graph import DEFAULT_LLM_BASE_URL
from world2act.parameters import Parameter, ParameterValues
from world2act_core.grammar import GrammarPlanner
from world2act_core.llm import DEFAULT_KEY_VARIABLE, LlmClient, LlmEndpoint, LlmError, require_openai
from world2act_core.llm_planner import LlmPlanner
from world2act_core.plan import Plan
from world2act_core.vocabulary import Vocabulary

PLANNERS = ("grammar", "llm")
"""Names parameter `planner` may take."""

PLANNER_PARAMETERS = (
    Parameter("planner", "grammar", "What turns an instruction into skills", choices=PLANNERS),
    Parameter("llm_base_url", DEFAULT_LLM_BASE_URL, "Address of an OpenAI-compatible server, up to /v1 (planner llm)"),
    Parameter("llm_model", "", "Name of the language model as that server knows it; needed when planner is llm"),
    Parameter(
        "llm_api_key_variable",
        DEFAULT_KEY_VARIABLE,
        "Environment variable that holds the server's key, which is never logged; empty: send none",
    ),
    Parameter("llm_timeout", 20.0, "After this long, retries included, the grammar plans instead", "s", 0.1, 600.0),
    Parameter("llm_retries", 3, "Further attempts when the server fails in a way that may pass", "", 0, 20),
    Parameter("llm_cache", "", "Folder that keeps the model's answers, so that they repeat; empty: none"),
)


class Planner(Protocol):
    """Instruction -> Plan, at once."""

    def plan(self, instruction: str) -> Plan:
        """The skills for an instruction; PlanError when it cannot be carried out."""
        ...


class SlowPlanner(Planner, Protocol):
    """A planner that may take seconds, and can be told from another thread to stop thinking."""

    def plan(self, instruction: str, cancel: threading.Event | None = None) -> Plan:
        """As Planner.plan; soon after `cancel` is set it returns or raises, whatever."""
        ...


def make_planner(name: str, vocabulary: Vocabulary) -> Planner:
    """The planner called `name` that answers at once. Raises ValueError for any other name."""
    if name == "grammar":
        return GrammarPlanner(vocabulary)
    raise ValueError(f"no planner {name!r}; there are: {', '.join(PLANNERS)}")


def make_slow_planner(values: ParameterValues, vocabulary: Vocabulary) -> SlowPlanner:
    """The language-model planner of a node's parameters. Nothing is asked yet: the server may come up later.

    Raises ConfigurationError when the parameters cannot work or the openai package is missing.
    """
    try:
        endpoint = LlmEndpoint(
            base_url=values.text("llm_base_url"),
            model=values.text("llm_model"),
            api_key_variable=values.text("llm_api_key_variable"),
            timeout_s=values.number("llm_timeout"),
            retries=values.integer("llm_retries"),
        )
    except ValueError as error:
        raise ConfigurationError(f"planner llm: {error}", "set parameters llm_base_url and llm_model") from error
    try:
        require_openai()
    except LlmError as error:
        raise ConfigurationError(
            f"planner llm: {error.message}", "install it, or use planner grammar, which needs nothing"
        ) from error
    folder = values.text("llm_cache")
    return LlmPlanner(vocabulary, LlmClient(endpoint, Path(folder) if folder else None))
