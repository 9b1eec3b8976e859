"""The planners skill_planner can use. A planner turns an instruction into a Plan or raises PlanError."""

from __future__ import annotations

from typing import Protocol

from world2act_core.grammar import GrammarPlanner
from world2act_core.plan import Plan
from world2act_core.vocabulary import Vocabulary

PLANNERS = ("grammar",)
"""Names parameter `planner` may take. A language model joins here as "llm", with the grammar as its fallback."""


class Planner(Protocol):
    """Instruction -> Plan."""

    def plan(self, instruction: str) -> Plan:
        """The skills for an instruction; PlanError when it cannot be carried out."""
        ...


def make_planner(name: str, vocabulary: Vocabulary) -> Planner:
    """The planner called `name`. Raises ValueError for a name that is not in PLANNERS."""
    if name == "grammar":
        return GrammarPlanner(vocabulary)
    raise ValueError(f"no planner {name!r}; there are: {', '.join(PLANNERS)}")
