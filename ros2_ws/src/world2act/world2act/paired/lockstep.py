"""The demonstration's way: lockstep, Cartesian targets, the newest chunk at once, contract limits and no filter."""

from __future__ import annotations

from world2act.episode import EpisodeRequest, make_task
from world2act.nodes.arm_commander import PARAMETERS
from world2act.paired.outcome import Outcome
from world2act_core.chunks import ChunkSampler
from world2act_core.limits import ActionLimits, WorkspaceBox
from world2act_core.policy import BundlePolicy
from world2act_core.pose import apply_action
from world2act_core.sequencer import SequencerStatus, SkillSequencer
from world2act_core.types import ArmTarget
from world2act_sim.judge import EpisodeJudge
from world2act_sim.perturbation import SPLITS
from world2act_sim.world import TabletopWorld


class LockstepArm:
    """What arm_commander does in lockstep, and the world's own controller. One world for all episodes."""

    def __init__(self, world: TabletopWorld, policy: BundlePolicy) -> None:
        self._world, self._policy = world, policy
        corners = {parameter.name: parameter.default for parameter in PARAMETERS}
        box = WorkspaceBox(corners["workspace_low"], corners["workspace_high"])  # type: ignore[arg-type]
        self._limits = ActionLimits.from_contract(policy.contract, box)

    def run(self, name: str, request: EpisodeRequest) -> Outcome:
        """One episode, under the condition `name`."""
        world, policy, every = self._world, self._policy, self._policy.contract.execute_steps
        task = make_task(request, world.vocabulary)
        world.reset(request.seed, task, SPLITS[request.split], render=False)
        judge, sequencer = EpisodeJudge(world, task.skills), SkillSequencer(task.skills)
        chunks, target = ChunkSampler(policy.contract), ArmTarget(world.eef_pose(), -1.0)
        status: SequencerStatus = "running"
        arrived, lowest_m = 0, target.pose.position[2]
        while True:
            prompt = sequencer.current.prompt_in(policy.contract.vocabulary)
            chunk = policy.act(world.observe().as_observation(), prompt, skill_id=sequencer.number)
            chunks.push(chunk)
            arrived += 1
            status = sequencer.update(chunk.done, chunk.start_time_s)
            if status not in ("running", "advanced"):
                break
            for _ in range(every):
                target = self._target(chunks, target)
                world.step(target, render=False)
                judge.update()
                lowest_m = min(lowest_m, world.eef_pose().position[2])
        return Outcome(
            name, request.kind, request.seed, task.instruction, bool(judge.success()), status,
            round(world.time_s, 2), arrived, lowest_m=round(float(lowest_m), 4),
        )  # fmt: skip

    def _target(self, chunks: ChunkSampler, last: ArmTarget) -> ArmTarget:
        pose, sample = self._world.eef_pose(), chunks.sample(self._world.time_s)
        action = None if sample is None else self._limits.apply(pose, sample.action)[0]
        return last if action is None else apply_action(pose, action)
