"""Episodes through a running graph, drawn like those of the in-process evaluation and compared with it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from world2act import topics
from world2act.client import GraphClient
from world2act.conversions import stamp_to_ns
from world2act.demo.observer import Observer
from world2act.demo.results import environment_facts
from world2act.supervision.supervisor import Supervisor
from world2act_core.files import atomic_write_text
from world2act_core.imagined import start_name
from world2act_core.statistics import paired_comparison, wilson_interval
from world2act_core.types import ImageArray
from world2act_interfaces.msg import ArmCommand
from world2act_sim.perturbation import SPLITS
from world2act_sim.tasks import TaskKind, sample_task

if TYPE_CHECKING:
    from world2act.cli.evaluate import Evaluate


@dataclass(frozen=True)
class MeasuredEpisode:
    """One episode. trajectory_sha256: over all pictures and arm commands in order, stamps counted from the reset.

    alignment, residual_size: means over the chunks that have one, None when none has; see ActionChunk.
    """

    kind: TaskKind
    seed: int
    instruction: str
    success: bool
    error: str
    seconds: float
    trajectory_sha256: str
    alignment: float | None = None
    residual_size: float | None = None


class GraphMeasurement:
    """Runs episodes of a split one after another. Instructions are held-out wordings; the planner splits them."""

    def __init__(self, supervisor: Supervisor, split: str) -> None:
        self._supervisor = supervisor
        self._split = split
        self._client = GraphClient(supervisor.session)
        self._trajectory: dict[tuple[int, str], bytes] = {}
        self._reset_ns = 0
        self.observer = Observer(supervisor.session, lockstep=True, on_pictures=self._on_pictures)
        node = supervisor.session.node
        node.create_subscription(ArmCommand, topics.ARM_COMMAND, self._on_command, topics.reliable(20))

    def run(self, kind: TaskKind, seed: int) -> MeasuredEpisode:
        """One episode; raises GraphError when the graph dies."""
        task = sample_task(kind, seed, "heldout", SPLITS[self._split].unseen_category)
        self._trajectory = {}
        self._client.set_parameter("vla_policy", "imagined_start", start_name(kind, self._split, seed))
        answer = self._client.reset(seed, kind=kind, split=self._split)
        self._reset_ns = stamp_to_ns(answer.sim_time)
        outcome = self._client.execute(task.instruction, tick=self._supervisor.check, not_before=answer.sim_time)
        success = self.observer.final_success(self._supervisor.session, self._reset_ns)
        scores = [score for score in self.observer.scores if score[0] >= self._reset_ns]
        self.observer.scores.clear()
        return MeasuredEpisode(
            kind, seed, task.instruction, success, outcome.error, round(outcome.seconds, 3), self._digest(),
            _mean([alignment for _, alignment, _ in scores]), _mean([size for _, _, size in scores]),
        )  # fmt: skip

    def _on_pictures(self, scene: ImageArray, wrist: ImageArray) -> None:
        stamp = self.observer.shown_ns - self._reset_ns
        if stamp >= 0:
            self._trajectory[(stamp, "pictures")] = hashlib.sha256(scene.tobytes() + wrist.tobytes()).digest()

    def _on_command(self, message: ArmCommand) -> None:
        stamp = stamp_to_ns(message.header.stamp) - self._reset_ns
        if stamp >= 0:
            pose = message.pose
            values = [pose.position.x, pose.position.y, pose.position.z, message.gripper]
            values += [pose.orientation.x, pose.orientation.y, pose.orientation.z, pose.orientation.w]
            self._trajectory[(stamp, "command")] = repr(values).encode()

    def _digest(self) -> str:
        """Over the part of the episode that the arm was commanded in; pictures come once more when all is over."""
        commanded = [stamp for stamp, what in self._trajectory if what == "command"]
        last = max(commanded, default=-1)
        digest = hashlib.sha256()
        for (stamp, what), value in sorted(self._trajectory.items()):
            if stamp <= last:
                digest.update(f"{stamp} {what} ".encode() + value)
        return digest.hexdigest()


def _mean(values: Sequence[float]) -> float | None:
    """Over the values that are numbers; None when none is."""
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else None


def write_evaluation(
    path: Path,
    episodes: Sequence[MeasuredEpisode],
    repeated: Sequence[MeasuredEpisode],
    differing: Sequence[MeasuredEpisode],
    command: Evaluate,
    measurement: GraphMeasurement,
) -> list[str]:
    """Write the JSON; returns the lines to show."""
    in_process = _in_process(command.compare, command.split) if command.compare else {}
    kinds: dict[str, Any] = {}
    lines = []
    for kind in dict.fromkeys(episode.kind for episode in episodes):
        chosen = [episode for episode in episodes if episode.kind == kind]
        good = sum(episode.success for episode in chosen)
        low, high = wilson_interval(good, len(chosen))
        kinds[kind] = {"success_rate": good / len(chosen), "n": len(chosen), "interval": [low, high]}
        line = f"{kind:<10} {good}/{len(chosen)}  [{low:.2f}, {high:.2f}]"
        pairs = [(e.success, in_process[(kind, e.seed)]) for e in chosen if (kind, e.seed) in in_process]
        if pairs:
            paired = paired_comparison([ours for ours, _ in pairs], [theirs for _, theirs in pairs])
            kinds[kind]["against_in_process"] = asdict(paired)
            line += f"   in-process {sum(t for _, t in pairs)}/{len(pairs)}, difference {paired.difference:+.2f}"
            line += f" [{paired.interval[0]:+.2f}, {paired.interval[1]:+.2f}], p = {paired.p_value:.2f}"
        lines.append(line)
    if repeated:
        lines.append(f"repeated {len(repeated)} episodes: {len(repeated) - len(differing)} identical bit for bit")
        lines += [f"  differs: {episode.kind} seed {episode.seed}" for episode in differing]
    report = {
        "kinds": kinds, "split": command.split, "episodes": [asdict(episode) for episode in episodes],
        "repeated": len(repeated), "differing": [asdict(episode) for episode in differing],
        "bundle": {"path": str(command.bundle), "manifest_sha256": measurement.observer.bundle_hash},
        "environment": environment_facts(),
    }  # fmt: skip
    atomic_write_text(path, json.dumps(report, indent=2) + "\n")
    return [*lines, f"all of it: {path}"]


def _in_process(path: Path, split: str) -> dict[tuple[str, int], bool]:
    """(kind, seed) -> success, of the newest line of each episode."""
    rows = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
    return {(row["kind"], int(row["seed"])): bool(row["success"]) for row in rows if row["split"] == split}
