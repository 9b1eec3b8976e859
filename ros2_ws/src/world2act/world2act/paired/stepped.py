"""The way without filter and blending when inference takes time: the newest chunk at once, one target per step."""

from __future__ import annotations

from world2act.episode import EpisodeRequest, make_task
from world2act.paired.outcome import Outcome
from world2act.smooth.commanders import SteppedCommander
from world2act.smooth.episode import EmulatedEpisode
from world2act.smooth.late_inference import Timing
from world2act_core.policy import BundlePolicy
from world2act_sim.world import TabletopWorld


class SteppedArm:
    """Cartesian targets to the world's own controller, which is compliant, at the same delays as a filtered arm's."""

    def __init__(self, world: TabletopWorld, policy: BundlePolicy, timing: Timing) -> None:
        self._world, self._policy, self._timing = world, policy, timing

    def run(self, name: str, request: EpisodeRequest) -> Outcome:
        """One episode, under the condition `name`."""
        commander = SteppedCommander(self._policy.contract)
        trace = EmulatedEpisode(self._world, self._policy, request, commander, self._timing).run()
        return Outcome(
            name, request.kind, request.seed, make_task(request, self._world.vocabulary).instruction, trace.success,
            trace.ending, round(len(trace.measured) * trace.period_s, 2), len(trace.arrivals), trace.refused,
            round(trace.holds * trace.period_s, 2), lowest_m=round(float(trace.measured[:, 2].min()), 4),
        )  # fmt: skip
