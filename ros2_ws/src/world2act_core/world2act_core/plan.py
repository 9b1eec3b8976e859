"""What a planner answers: a list of skills, or an error with a name and a way out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from world2act_core.skill import Skill
from world2act_core.vocabulary import ObjectAction, Vocabulary

PlanErrorCode = Literal[
    "EMPTY_INSTRUCTION",
    "INSTRUCTION_TOO_LONG",
    "UNKNOWN_OBJECT",
    "UNKNOWN_SKILL",
    "AMBIGUOUS",
    "TOO_MANY_SKILLS",
]


@dataclass(frozen=True)
class Plan:
    """The skills that carry out an instruction, in order.

    planner: who made it, "grammar" or the name of a language model. note: why it was not the planner asked for.
    """

    instruction: str
    skills: tuple[Skill, ...]
    planner: str = "grammar"
    note: str = ""


class PlanError(ValueError):
    """An instruction that cannot be planned: `code` for programs, the message for the person who typed it.

    note: why the planner that was asked for was of no use.
    """

    def __init__(self, code: PlanErrorCode, message: str, note: str = "") -> None:
        super().__init__(message)
        self.code: PlanErrorCode = code
        self.message = message
        self.note = note


def refusal(code: PlanErrorCode, message: str, vocabulary: Vocabulary) -> PlanError:
    """A PlanError whose message ends with what can be asked for instead."""
    return PlanError(code, f"{message} {abilities(vocabulary)}")


def abilities(vocabulary: Vocabulary) -> str:
    """One sentence or two on what can be asked for with this vocabulary."""
    ways = []
    if "pick" in vocabulary.skills:
        ways.append("pick up X")
    if "place" in vocabulary.skills:
        places = [entry for entry in vocabulary.objects if "place" in entry.supports]
        ways += [f"put X {entry.preposition} the {entry.name}" for entry in places]
    if "stack" in vocabulary.skills:
        ways.append(f"stack X on {_any_of(vocabulary.support_names('stack'))}")
    actions: tuple[ObjectAction, ...] = ("open", "close", "press")
    for action in actions:
        if action in vocabulary.skills:
            ways.append(f"{action} {_any_of(vocabulary.action_names(action))}")
    if "push" in vocabulary.skills:
        pushed, sides = vocabulary.action_names("push"), vocabulary.support_names("push")
        ways.append(f"push {_any_of(pushed)} to {_any_of(sides)}")
    return f"I can: {'; '.join(ways)}. X is one of: {', '.join(vocabulary.graspable_names)}."


def _any_of(names: tuple[str, ...]) -> str:
    if len(names) < 2:
        return f"the {''.join(names)}"
    return f"the {', '.join(names[:-1])} or {names[-1]}"
