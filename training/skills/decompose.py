"""One sentence per segment: from the instruction, by the grammar (offline) or by a language model.

A decomposer either answers with exactly as many atomic prompts as there are segments or raises :class:`Discarded` with
a reason; the episode is then left out and counted (paper: "a count mismatch discards the episode").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from training.skills.segment import Segment
from world2act_core.grammar import GrammarPlanner, PlanError
from world2act_core.skill import Skill
from world2act_core.vocabulary import Vocabulary

Reason = Literal[
    "failed_demonstration",
    "too_short",
    "count_mismatch",
    "not_understood",
    "bad_prompt",
    "llm_refused",
    "llm_nonsense",
]
FREE_KIND = "skill"  # kind of a clip whose sentence names no skill of the vocabulary


class Discarded(Exception):
    """An episode that yields no clips, and why."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason: Reason = reason
        self.detail = detail


@dataclass(frozen=True)
class AtomicPrompt:
    """The sentence of one clip, and the skill it names when the vocabulary has it."""

    text: str
    kind: str
    target: str = ""
    support: str | None = None


class Decomposer(Protocol):
    """Gives every segment of a demonstration its own prompt. Called from several threads at once."""

    def decompose(self, instruction: str, segments: Sequence[Segment], fps: float) -> tuple[AtomicPrompt, ...]:
        """As many prompts as segments, in order; raises :class:`Discarded`."""
        ...

    def close(self) -> None:
        """Give up, from another thread, whatever is under way."""
        ...


class GrammarDecomposer:
    """Reads the instruction with the deterministic planner and deals its steps out to the segments.

    Whether the gripper holds something at a segment's ends decides what it can be: a segment that ends holding is a
    pick, one from open to open is a whole put. "Take X and put it in Y" is two steps; they share one segment unless the
    demonstration pauses between them.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._planner = GrammarPlanner(vocabulary)
        self._vocabulary = vocabulary

    def decompose(self, instruction: str, segments: Sequence[Segment], fps: float) -> tuple[AtomicPrompt, ...]:
        """See :class:`Decomposer`."""
        try:
            steps = self._planner.plan(instruction).skills
        except PlanError as error:
            raise Discarded("not_understood", f"{instruction!r}: {error.code}: {error.message}") from error
        chosen = deal_out(steps, segments)
        return tuple(self.prompt(skill) for skill in chosen)

    def close(self) -> None:
        """Nothing: the grammar answers at once."""

    def prompt(self, skill: Skill) -> AtomicPrompt:
        """The canonical prompt of a skill."""
        return AtomicPrompt(skill.prompt_in(self._vocabulary), skill.kind, skill.target, skill.support)


def deal_out(steps: Sequence[Skill], segments: Sequence[Segment]) -> list[Skill]:
    """The step that each segment shows; :class:`Discarded` (count_mismatch) when they cannot be paired."""
    chosen: list[Skill] = []
    following = 0
    for segment in segments:
        step = _take(steps, following, segment)
        if step is None:
            break
        chosen.append(steps[step])
        following = step + 1
    if len(chosen) != len(segments) or following != len(steps):
        shown = ", ".join(step.prompt for step in steps)
        raise Discarded("count_mismatch", f"{len(steps)} steps ({shown}) do not fit {len(segments)} segments")
    return chosen


def _take(steps: Sequence[Skill], first: int, segment: Segment) -> int | None:
    """Index of the last step that ``segment`` shows when its first one is ``first``; None when it cannot show it."""
    if first >= len(steps):
        return None
    is_pick = steps[first].kind == "pick"
    if segment.ends_holding:
        return first if is_pick and not segment.starts_holding else None
    if not is_pick:
        return first
    # From open to open, or from holding to open: picking alone does not explain that the object was let go. What is
    # picked (or held already, "pick up X, then take X and put it in Y") must be put somewhere.
    put = first + 1
    while put < len(steps) and steps[put] == steps[first]:
        put += 1
    both = put < len(steps) and steps[put].kind in ("place", "stack") and steps[put].target == steps[first].target
    return put if both else None


def atomic_prompt(text: str, vocabulary: Vocabulary) -> AtomicPrompt:
    """A free sentence with the skill it names, when the vocabulary understands it as exactly one."""
    try:
        skills = GrammarPlanner(vocabulary).plan(text).skills
    except PlanError:
        return AtomicPrompt(text, FREE_KIND)
    if len(skills) == 2 and skills[0].kind == "pick" and skills[0].target == skills[1].target:
        skills = skills[1:]  # "pick up X and put it in Y" is one clip
    if len(skills) != 1:
        return AtomicPrompt(text, FREE_KIND)
    return AtomicPrompt(text, skills[0].kind, skills[0].target, skills[0].support)
