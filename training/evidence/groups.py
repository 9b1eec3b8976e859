"""The fixed episodes that every policy of a comparison is measured on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from training.common.errors import EvaluationError
from training.evaluation.rollout import Episode
from world2act_sim.tasks import TaskKind

GroupName = Literal["seen", "perturbed", "unseen", "unseen-tasks"]

SEEN_TASKS = (
    "place red cube", "stack green cube", "pick orange ball", "place milk carton", "stack red cube",
    "place green cube", "pick red cube", "place orange ball", "pick milk carton", "pick green cube",
)  # fmt: skip
"""Tasks that post-training may see when it sees only some: the first 2, 5 or 10."""
UNSEEN_TASKS = (
    "place blue cube", "place purple brick", "place yellow cylinder", "place can", "place bread",
    "stack blue cube", "stack purple brick", "stack yellow cylinder",
)  # fmt: skip
"""Tasks about the other objects. Picking them is left out: every base policy can."""


@dataclass(frozen=True)
class Group:
    """Kinds of task crossed with splits of the simulator. Chosen so that a base policy neither always succeeds nor
    never does: single skills in the training world are too easy, and objects of an unknown kind too hard."""

    what: str
    kinds: tuple[TaskKind, ...]
    splits: tuple[str, ...]
    tasks: tuple[str, ...] = ()
    """Only these tasks (none given: all)."""


GROUPS: dict[GroupName, Group] = {
    "seen": Group("composites, training world", ("composite",), ("seen",)),
    "perturbed": Group(
        "light, camera, texture, distractors",
        ("place", "stack", "composite"),
        ("light", "camera", "texture", "distractors"),
    ),
    "unseen": Group("other sizes and shades", ("place", "stack", "composite"), ("unseen_instance",)),
    "unseen-tasks": Group("objects not post-trained on", ("place", "stack"), ("seen",), UNSEEN_TASKS),
}


@lru_cache(maxsize=64)
def episodes_of(name: GroupName, count: int, first_seed: int) -> tuple[Episode, ...]:
    """``count`` episodes of a group, spread evenly over kinds and splits; fewer are the first ones of more.

    Cell by cell the seeds count from ``first_seed`` on, so that an episode is the same for every policy.
    """
    if count < 1:
        raise EvaluationError(f"a group needs at least one episode, got {count}")
    group = GROUPS[name]
    cells = [_cell(group, kind, split, first_seed) for kind in group.kinds for split in group.splits]
    return tuple(next(cells[number % len(cells)]) for number in range(count))


def _cell(group: Group, kind: TaskKind, split: str, seed: int) -> Iterator[Episode]:
    while True:
        episode = Episode(kind, split, seed)
        if not group.tasks or episode.task in group.tasks:
            yield episode
        seed += 1
