"""What an episode asks for: skills in order, the words for them, and the objects on the table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from world2act_core.skill import Skill
from world2act_core.vocabulary import PUSHABLE_NAMES, fixture_vocabulary
from world2act_sim.catalogue import CATALOGUE, CONTAINERS, UNSEEN_CATEGORY_OBJECTS, VOCABULARY_OBJECTS
from world2act_sim.fixtures import FixtureName
from world2act_sim.instructions import WordingSplit, render_composite, render_instruction
from world2act_sim.sides import SIDES

TaskKind = Literal["pick", "place", "stack", "composite", "open", "close", "press", "push"]
TASK_KINDS: tuple[TaskKind, ...] = ("pick", "place", "stack", "composite")
"""What every table offers, and what "any" draws from."""
FIXTURE_TASK_KINDS: tuple[TaskKind, ...] = ("open", "close", "press", "push")
"""What a table with fixtures offers besides."""


@dataclass(frozen=True)
class Task:
    """instruction: the whole sentence; prompts: one sentence per skill; objects: names of what lies on the table."""

    kind: TaskKind
    instruction: str
    skills: tuple[Skill, ...]
    prompts: tuple[str, ...]
    objects: tuple[str, ...]


def task_kinds(fixtures: Sequence[FixtureName]) -> tuple[TaskKind, ...]:
    """The kinds of task that a table with these fixtures offers."""
    skills = fixture_vocabulary(fixtures).skills
    return TASK_KINDS + tuple(kind for kind in FIXTURE_TASK_KINDS if kind in skills)


def sample_task(
    kind: TaskKind | Literal["any"],
    seed: int,
    wording: WordingSplit = "train",
    unseen_category: bool = False,
) -> Task:
    """Draw a task that the seed decides.

    Args:
        kind: which kind ("any": drawn too). seed: any non-negative integer.
        wording: which instruction templates. unseen_category: the first target is an object outside the vocabulary
            (kinds whose target may be one: pick and place; a stack or composite begins with placing it). Kinds that
            need a fixture are not among "any"; a world without it refuses them at the reset.
    """
    rng = np.random.default_rng([seed, 3])
    chosen: TaskKind = TASK_KINDS[int(rng.integers(len(TASK_KINDS)))] if kind == "any" else kind
    skills = _sample_skills(chosen, rng, unseen_category)
    objects = _objects_for(skills, rng)
    prompts = tuple(render_instruction(skill, rng, wording) for skill in skills)
    instruction = prompts[0] if len(skills) == 1 else render_composite(skills, rng, wording)
    return Task(chosen, instruction, skills, prompts, objects)


def task_for(skills: Sequence[Skill], instruction: str, seed: int, kind: TaskKind | None = None) -> Task:
    """A task for given skills (an instruction somebody typed), with random other objects on the table."""
    rng = np.random.default_rng([seed, 3])
    objects = _objects_for(skills, rng)
    chosen = kind or (skills[0].kind if len(skills) == 1 else "composite")
    prompts = tuple(skill.prompt for skill in skills)
    return Task(chosen, instruction, tuple(skills), prompts, objects)


def _objects_for(skills: Sequence[Skill], rng: np.random.Generator) -> tuple[str, ...]:
    """What the skills need, first named first, and random others up to three to five objects in all."""
    needed = list(dict.fromkeys(n for s in skills for n in (s.target, s.support or "") if n in CATALOGUE))
    # Pushing needs free lanes, and a table with fixtures has less room.
    few = any(skill.kind in FIXTURE_TASK_KINDS for skill in skills)
    count = max(int(rng.integers(2, 4) if few else rng.integers(3, 6)), len(needed))
    others = [spec.name for spec in VOCABULARY_OBJECTS if spec.name not in needed]
    extra = rng.permutation(len(others))[: max(0, count - len(needed))]
    return (*needed, *(others[i] for i in extra))


def _sample_skills(kind: TaskKind, rng: np.random.Generator, unseen: bool) -> tuple[Skill, ...]:
    drawn = _Draw(rng, unseen)
    if kind == "pick":
        return (Skill("pick", drawn.target()),)
    if kind == "place":
        return (Skill("place", drawn.target(), drawn.container()),)
    if kind == "stack":
        return (drawn.stack(),)
    if kind == "open":
        return (Skill("open", "drawer"),)
    if kind == "close":
        return (Skill("close", "drawer"),)
    if kind == "press":
        return (Skill("press", "button"),)
    if kind == "push":
        return (drawn.push(),)
    return drawn.composite()


class _Draw:
    """Draws objects without using one twice."""

    def __init__(self, rng: np.random.Generator, unseen: bool) -> None:
        self._rng = rng
        self._unseen = unseen
        self._used: set[str] = set()

    def _choose(self, names: Sequence[str]) -> str:
        free = [name for name in names if name not in self._used]
        name = free[int(self._rng.integers(len(free)))]
        self._used.add(name)
        return name

    def target(self) -> str:
        if self._unseen:
            self._unseen = False
            return self._choose([spec.name for spec in UNSEEN_CATEGORY_OBJECTS])
        return self._choose([spec.name for spec in VOCABULARY_OBJECTS])

    def container(self) -> str:
        return CONTAINERS[int(self._rng.integers(len(CONTAINERS)))]

    def stack(self) -> Skill:
        """A stack keeps to the vocabulary: no unseen object of this world has a steady flat base."""
        target = self._choose([spec.name for spec in VOCABULARY_OBJECTS if spec.stackable])
        support = self._choose([spec.name for spec in VOCABULARY_OBJECTS if spec.support])
        return Skill("stack", target, support)

    def push(self) -> Skill:
        """An object that can be pushed, to either side."""
        target = self._choose(PUSHABLE_NAMES)
        return Skill("push", target, tuple(SIDES)[int(self._rng.integers(len(SIDES)))])

    def composite(self) -> tuple[Skill, ...]:
        """Two to four skills: pick-and-then-place of one object, places, and at most one stack, in random order."""
        count = int(self._rng.choice([2, 3, 4], p=[0.6, 0.3, 0.1]))
        groups: list[tuple[Skill, ...]] = []
        stacked = self._rng.random() < 0.5
        if stacked:
            groups.append((self.stack(),))
        while sum(map(len, groups)) < count:
            room = count - sum(map(len, groups))
            place = Skill("place", self.target(), self.container())
            first_pick = room >= 2 and self._rng.random() < 0.35
            groups.append((Skill("pick", place.target), place) if first_pick else (place,))
        order = self._rng.permutation(len(groups))
        return tuple(skill for index in order for skill in groups[index])
