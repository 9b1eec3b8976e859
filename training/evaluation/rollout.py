"""One episode in-process, with the same planner, chunk sampling, limits and sequencing as the ROS graph in lockstep."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from training.evaluation.policy import ChunkPolicy
from training.evaluation.scores import ScoreLog
from training.evaluation.watch import AlignmentWatch
from world2act_core.chunks import ChunkSampler
from world2act_core.grammar import GrammarPlanner
from world2act_core.imagined import CodeBook, start_name
from world2act_core.limits import ActionLimits, WorkspaceBox
from world2act_core.manifest import ResidualChoice
from world2act_core.monitor import SkillMonitor, chunk_score, monitor_mode
from world2act_core.monitor_config import MonitorConfig
from world2act_core.plan import PlanError
from world2act_core.pose import apply_action
from world2act_core.sequencer import SkillSequencer
from world2act_core.types import ArmTarget
from world2act_core.vocabulary import EXTENDED_VOCABULARY, Vocabulary
from world2act_sim.judge import EpisodeJudge
from world2act_sim.perturbation import SPLITS
from world2act_sim.tasks import TaskKind, sample_task

if TYPE_CHECKING:
    from world2act_core.skill import Skill
    from world2act_sim.tasks import Task
    from world2act_sim.world import TabletopWorld


@dataclass(frozen=True)
class RolloutConfig:
    """What is the same in every episode of an evaluation; it is part of the protocol's hash."""

    done_threshold: float = 0.5
    consecutive: int = 2
    skill_seconds: float = 20.0
    execute_steps: int = 0
    """Actions of a chunk that are executed before the next inference; 0: as many as the contract says."""
    blend_seconds: float = 0.0
    wording: Literal["heldout", "train"] = "heldout"
    """Which instruction templates are drawn from."""
    residual: ResidualChoice = "auto"
    """Whether a bundle's residual head corrects the policy, auto: as the bundle says; bundles without one are not
    affected."""
    prompts: Literal["paraphrase", "planner"] = "paraphrase"
    """What the policy reads. "paraphrase": each skill in the drawn wording, word for word, the skills' order given.
    "planner": the grammar planner splits the instruction and writes canonical prompts, as the ROS graph does."""
    monitor: Literal["auto", "off", "warn", "retry"] = "auto"
    """What an alarm of the bundle's monitor does: nothing, only count (warn), or start the skill again and in the end
    stop (retry). auto: retry if the bundle has an enabled monitor, else off, as in the ROS graph."""
    workspace_low: tuple[float, float, float] = (-0.2, -0.8, -0.25)
    workspace_high: tuple[float, float, float] = (1.0, 0.8, 1.0)


@dataclass(frozen=True)
class Episode:
    """Which episode to run: everything random in it follows from these three."""

    kind: TaskKind
    split: str
    seed: int

    @property
    def task(self) -> str:
        """What it is about whatever the words, as "place red cube": the kind and the first target; or "composite"."""
        if self.kind == "composite":
            return self.kind
        skills = sample_task(self.kind, self.seed, "train", SPLITS[self.split].unseen_category).skills
        return f"{self.kind} {skills[0].target}"


@dataclass(frozen=True)
class EpisodeOutcome:
    """What happened. ending: finished, timeout, stopped (by the monitor) or a planning error's code; achieved: per
    skill, in order; retries: how often the monitor had a skill started again; alarms: chunks at which it saw cause to;
    scores: what its inferences said of themselves.
    """

    episode: Episode
    instruction: str
    skills: tuple[str, ...]
    success: bool
    achieved: tuple[bool, ...]
    ending: str
    seconds: float
    inferences: int
    limited: int
    frames: list[NDArray[np.uint8]] = field(default_factory=list, repr=False)
    retries: int = 0
    alarms: int = 0
    scores: ScoreLog = field(default_factory=ScoreLog, repr=False)

    def to_json(self) -> dict[str, Any]:
        """Everything but the pictures."""
        episode = self.episode
        return {
            "kind": episode.kind,
            "split": episode.split,
            "seed": episode.seed,
            "instruction": self.instruction,
            "skills": list(self.skills),
            "success": self.success,
            "achieved": list(self.achieved),
            "ending": self.ending,
            "seconds": round(self.seconds, 1),
            "inferences": self.inferences,
            "limited": self.limited,
            "retries": self.retries,
            "alarms": self.alarms,
            **self.scores.to_json(),
        }


def run_episode(
    world: TabletopWorld,
    policy: ChunkPolicy,
    episode: Episode,
    config: RolloutConfig,
    record: bool = False,
    codes: CodeBook | None = None,
    monitor: MonitorConfig | None = None,
) -> EpisodeOutcome:
    """Run one episode.

    record: also film every control period (both cameras side by side). codes: what a world model imagined, to compare
    with what is executed. monitor: the bundle's, if it has one.

    Raises MonitorError when ``config.monitor`` asks for one that is not there.
    """
    perturbation = SPLITS[episode.split]
    unseen = perturbation.unseen_category
    task = sample_task(episode.kind, episode.seed, config.wording, unseen)
    world.reset(episode.seed, task, perturbation, render=False)
    names = tuple(skill.prompt_in(EXTENDED_VOCABULARY) for skill in task.skills)
    try:
        skills, prompts = _skills_and_prompts(task, config, EXTENDED_VOCABULARY if unseen else None, policy)
    except PlanError as error:
        achieved = (False,) * len(names)
        return EpisodeOutcome(episode, task.instruction, names, False, achieved, str(error.code), 0.0, 0, 0)
    watch = None
    if codes is not None:
        canonical = tuple(skill.prompt_in(EXTENDED_VOCABULARY) for skill in skills)
        watch = AlignmentWatch(codes, start_name(episode.kind, episode.split, episode.seed), canonical)
    run = _Run(world, policy, skills, prompts, EpisodeJudge(world, task.skills), config, monitor, watch)
    ending = run.to_the_end(record)
    return EpisodeOutcome(
        episode,
        task.instruction,
        names,
        run.judge.success(),
        tuple(run.judge.achieved),
        ending,
        world.time_s,
        run.inferences,
        run.limited,
        run.frames,
        retries=run.sequencer.total_retries,
        alarms=run.alarms,
        scores=run.scores,
    )


def _skills_and_prompts(
    task: Task, config: RolloutConfig, vocabulary: Vocabulary | None, policy: ChunkPolicy
) -> tuple[tuple[Skill, ...], tuple[str, ...]]:
    """The skills to walk through and the sentence that the policy reads for each; raises PlanError."""
    if config.prompts == "paraphrase":
        return task.skills, task.prompts
    known = vocabulary or policy.contract.vocabulary
    skills = GrammarPlanner(known).plan(task.instruction).skills
    return skills, tuple(skill.prompt_in(known) for skill in skills)


class _Run:
    """The loop: infer every ``execute_steps`` periods, sample and limit every period, step, judge."""

    def __init__(
        self,
        world: TabletopWorld,
        policy: ChunkPolicy,
        skills: tuple[Skill, ...],
        prompts: tuple[str, ...],
        judge: EpisodeJudge,
        config: RolloutConfig,
        monitor: MonitorConfig | None,
        watch: AlignmentWatch | None,
    ) -> None:
        contract = policy.contract
        self.judge = judge
        self.frames: list[NDArray[np.uint8]] = []
        self.inferences = 0
        self.limited = 0
        self.alarms = 0
        self.scores = ScoreLog()
        self._world = world
        self._policy = policy
        self._prompts = prompts
        mode = monitor_mode(config.monitor, monitor)
        self._score = monitor.score if monitor is not None else "alignment_score"
        self.sequencer = SkillSequencer(
            skills,
            config.done_threshold,
            config.consecutive,
            config.skill_seconds,
            SkillMonitor(monitor) if monitor is not None and mode != "off" else None,
            acts=mode == "retry",
        )
        self._chunks = ChunkSampler(contract, config.blend_seconds)
        box = WorkspaceBox(config.workspace_low, config.workspace_high)
        self._limits = ActionLimits.from_contract(contract, box)
        self._every = config.execute_steps or contract.execute_steps
        self._last: ArmTarget | None = None
        self._watch = watch

    def to_the_end(self, record: bool) -> str:
        """Run until the sequencer is finished, times out or is stopped; returns which."""
        tick = 0
        while True:
            if tick % self._every == 0:
                status = self._infer()
                if status in ("finished", "timeout", "stopped"):
                    return status
            if record:
                images = self._world.render()
                self.frames.append(np.concatenate([images[c.name] for c in self._policy.contract.cameras], axis=1))
            self._world.step(self._target(), render=False)
            self.judge.update()
            tick += 1

    def _infer(self) -> str:
        observation = self._world.observe(render=True).as_observation()
        attempt = self.sequencer.number
        skill = self.sequencer.index
        chunk = self._policy.act(observation, self._prompts[skill], skill_id=attempt)
        if self._watch is not None:
            chunk = self._watch.scored(chunk, skill)
        self.inferences += 1
        self.scores.see(chunk, attempt)
        self._chunks.push(chunk)
        status = self.sequencer.update(chunk.done, observation.time_s, chunk_score(chunk, self._score))
        self.alarms += self.sequencer.alarm
        return status

    def _target(self) -> ArmTarget:
        pose = self._world.eef_pose()
        sample = self._chunks.sample(self._world.time_s)
        action, events = self._limits.apply(pose, sample.action) if sample is not None else (None, ())
        self.limited += bool(events)
        if action is not None:
            self._last = apply_action(pose, action)
        elif self._last is None:
            self._last = ArmTarget(pose, -1.0)
        return self._last
