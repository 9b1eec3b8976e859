"""One episode in the simulated world: task, world and judge together, still without ROS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from world2act_core.grammar import GrammarPlanner, PlanError
from world2act_core.types import ArmTarget
from world2act_core.vocabulary import TABLETOP_VOCABULARY, Vocabulary
from world2act_sim.catalogue import UNSEEN_CATEGORY_OBJECTS, VOCABULARY_OBJECTS
from world2act_sim.judge import EpisodeJudge
from world2act_sim.perturbation import SPLITS
from world2act_sim.tasks import FIXTURE_TASK_KINDS, TASK_KINDS, Task, TaskKind, sample_task, task_for
from world2act_sim.world import TabletopWorld, WorldObservation

OBJECTS = tuple(spec.name for spec in (*VOCABULARY_OBJECTS, *UNSEEN_CATEGORY_OBJECTS))
MAX_OBJECTS = 5
"""More do not always find a place on the table."""


class EpisodeError(ValueError):
    """The episode that was asked for cannot be set up; the text says what is possible."""


@dataclass(frozen=True)
class EpisodeRequest:
    """What to set up. instruction wins over kind; both empty: drawn from the seed. objects: must be on the table."""

    seed: int
    instruction: str = ""
    kind: str = ""
    split: str = "seen"
    objects: tuple[str, ...] = ()


class Episode:
    """The world from one reset to the next."""

    def __init__(self, world: TabletopWorld, request: EpisodeRequest) -> None:
        """Reset the world. Raises EpisodeError, with the world unchanged, when the request makes no sense."""
        if request.split not in SPLITS:
            raise EpisodeError(f"unknown split {request.split!r}; there are: {', '.join(SPLITS)}")
        if request.seed < 0:
            raise EpisodeError(f"seed is {request.seed}; it must be 0 or more")
        self.request = request
        self.task = make_task(request, world.vocabulary)
        self._world = world
        self.observation: WorldObservation = world.reset(request.seed, self.task, SPLITS[request.split])
        self._judge = EpisodeJudge(world, self.task.skills)
        self.step_count = 0

    def step(self, target: ArmTarget) -> WorldObservation:
        """One control period towards `target`."""
        self.observation = self._world.step(target)
        self.judge()
        return self.observation

    def judge(self) -> None:
        """Look at the world after a control period; for worlds that somebody else moves."""
        self._judge.update()
        self.step_count += 1

    @property
    def skill_success(self) -> list[bool]:
        """Whether each skill of the task was achieved in its turn."""
        return [bool(achieved) for achieved in self._judge.achieved]

    @property
    def success(self) -> bool:
        """Whether the whole task is achieved as the world stands now."""
        return bool(self._judge.success())


def make_task(request: EpisodeRequest, vocabulary: Vocabulary = TABLETOP_VOCABULARY) -> Task:
    """The task of a request. Raises EpisodeError when its words or objects are not known to the table's vocabulary."""
    kinds = TASK_KINDS + tuple(kind for kind in FIXTURE_TASK_KINDS if kind in vocabulary.skills)
    if request.kind and request.kind not in kinds:
        raise EpisodeError(f"unknown task kind {request.kind!r}; there are: {', '.join(kinds)}")
    if request.instruction:
        try:
            plan = GrammarPlanner(vocabulary).plan(request.instruction)
        except PlanError as error:
            raise EpisodeError(str(error)) from error
        task = task_for(plan.skills, request.instruction, request.seed)
    else:
        kind: TaskKind | Literal["any"] = next((known for known in kinds if known == request.kind), "any")
        task = sample_task(kind, request.seed, unseen_category=SPLITS[request.split].unseen_category)
    # Checked before the world is touched: a reset that is refused must change nothing.
    fixed = {entry.name for entry in vocabulary.objects if not entry.graspable}
    unknown = [name for name in request.objects if name not in OBJECTS and name not in fixed]
    if unknown:
        raise EpisodeError(f"no object called {', '.join(map(repr, unknown))}; there are: {', '.join(OBJECTS)}")
    asked = tuple(name for name in request.objects if name in OBJECTS)
    wanted = tuple(dict.fromkeys((*_needed(task), *asked))) if request.objects else task.objects
    if len(wanted) > MAX_OBJECTS:
        raise EpisodeError(f"{len(wanted)} objects ({', '.join(wanted)}) have no room; at most {MAX_OBJECTS} do")
    return Task(task.kind, task.instruction, task.skills, task.prompts, wanted)


def _needed(task: Task) -> tuple[str, ...]:
    named = {name for skill in task.skills for name in (skill.target, skill.support)}
    return tuple(name for name in task.objects if name in named)
