"""Initial states of the Tabletop world: which task from which seed, in which world, and what is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from training.common.errors import TrainingError
from training.evaluation.rollout import Episode
from world2act_core.vocabulary import EXTENDED_VOCABULARY
from world2act_sim.perturbation import SPLITS
from world2act_sim.tasks import TASK_KINDS, TaskKind, sample_task

if TYPE_CHECKING:
    from world2act_sim.world import TabletopWorld

PromptKind = Literal["skill", "instruction"]


@dataclass(frozen=True)
class InitialState:
    """A start of an episode and what the world model is asked to imagine from it.

    prompts: one per part, in order. With skill prompts a part is a skill of the episode; with the instruction (a world
    model of whole episodes) there is one part, the episode.
    """

    kind: TaskKind
    split: str
    seed: int
    prompts: tuple[str, ...]

    @property
    def episode(self) -> Episode:
        """The episode that starts here."""
        return Episode(self.kind, self.split, self.seed)

    def to_json(self) -> dict[str, Any]:
        """As it stands in the imagined latents' description."""
        return {"kind": self.kind, "split": self.split, "seed": self.seed, "prompts": list(self.prompts)}

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> InitialState:
        """The inverse of :meth:`to_json`."""
        return cls(row["kind"], row["split"], int(row["seed"]), tuple(row["prompts"]))


@dataclass(frozen=True)
class StartsConfig:
    """Which initial states there are."""

    kinds: tuple[str, ...] = ("pick", "place", "stack", "composite")
    """Kinds of task; they take turns from seed to seed."""
    splits: tuple[str, ...] = ("seen",)
    """Names of world2act_sim's splits; they take turns too."""
    first_seed: int = 2_000_000
    """Far from the seeds of evaluation (from 0) and of demonstrations (from 100000)."""


def candidate_states(config: StartsConfig, prompts: PromptKind, start: int = 0) -> Iterator[tuple[int, InitialState]]:
    """Endless (number, state) from number ``start`` on; number n always is the same state."""
    unknown = [k for k in config.kinds if k not in TASK_KINDS] + [s for s in config.splits if s not in SPLITS]
    if unknown or not config.kinds or not config.splits:
        known = f"kinds are {', '.join(TASK_KINDS)}, splits {', '.join(SPLITS)}"
        raise TrainingError(f"no initial states for {unknown or 'nothing'}: {known}")
    number = start
    while True:
        kind = cast(TaskKind, config.kinds[number % len(config.kinds)])
        split = config.splits[number // len(config.kinds) % len(config.splits)]
        yield number, _state(kind, split, config.first_seed + number, prompts)
        number += 1


def first_pictures(world: TabletopWorld, state: InitialState) -> dict[str, NDArray[np.uint8]]:
    """Reset the world to ``state`` and look: camera name -> uint8 [H, W, 3]. Raises the simulator's PlacementError."""
    perturbation = SPLITS[state.split]
    task = sample_task(state.kind, state.seed, "train", perturbation.unseen_category)
    return dict(world.reset(state.seed, task, perturbation).images)


def _state(kind: TaskKind, split: str, seed: int, prompts: PromptKind) -> InitialState:
    task = sample_task(kind, seed, "train", SPLITS[split].unseen_category)
    if prompts == "instruction":
        return InitialState(kind, split, seed, (task.instruction,))
    # The canonical words of the skills, as in the skill data set the world model was trained on.
    texts: Sequence[str] = [skill.prompt_in(EXTENDED_VOCABULARY) for skill in task.skills]
    return InitialState(kind, split, seed, tuple(texts))
