"""The planners skill_planner can use: which there are, their parameters, and how one is made from these."""

from __future__ import annotations

from pathlib import Path

from world2act.errors import ConfigurationError
from world2act.graph import DEFAULT_LLM_BASE_URL
from world2act.parameters import Parameter, ParameterValues
from world2act_core.grammar import GrammarPlanner
from world2act_core.llm import DEFAULT_KEY_VARIABLE, LlmClient, LlmEndpoint, LlmError, require_openai
from world2act_core.llm_planner import LlmPlanner
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


def make_planner(values: ParameterValues, vocabulary: Vocabulary) -> GrammarPlanner | LlmPlanner:
    """The planner of a node's parameters: the grammar answers at once, a language model blocks while it thinks.

    Raises ConfigurationError when the parameters cannot work or the openai package is missing.
    """
    if values.text("planner") == "grammar":
        return GrammarPlanner(vocabulary)
    folder = values.text("llm_cache")
    # Nothing is asked yet: the server may come up later.
    return LlmPlanner(vocabulary, LlmClient(_endpoint(values), Path(folder) if folder else None))


def _endpoint(values: ParameterValues) -> LlmEndpoint:
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
    return endpoint
