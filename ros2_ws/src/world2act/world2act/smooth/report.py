"""The same episodes with every commander: counts, successes, and what is written about them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from world2act.episode import EpisodeRequest
from world2act.smooth.commanders import commanders
from world2act.smooth.episode import EmulatedEpisode, Trace
from world2act.smooth.late_inference import Timing
from world2act_core.files import atomic_write_text
from world2act_core.motion import Blend
from world2act_core.motion.smoothness import (
    ANGULAR_JUMP,
    LINEAR_JUMP,
    Smoothness,
    angular_velocity,
    linear_velocity,
    smoothness,
)
from world2act_core.policy import BundlePolicy
from world2act_core.statistics import paired_comparison, wilson_interval
from world2act_sim.servo import SERVO_HZ
from world2act_sim.world import TabletopWorld

BEFORE, AFTER = "switched", "blended"


@dataclass(frozen=True, eq=False)
class Run:
    """One episode with one commander."""

    request: EpisodeRequest
    commander: str
    trace: Trace


def run_all(
    world: TabletopWorld, policy: BundlePolicy, requests: Sequence[EpisodeRequest], timing: Timing, blend: Blend
) -> Iterator[Run]:
    """Every episode with every commander, the same seeds and delays for all."""
    for request in requests:
        for name, make in commanders(1.0 / SERVO_HZ, blend).items():
            episode = EmulatedEpisode(world, policy, request, make(policy.contract), timing)
            yield Run(request, name, episode.run())


def measures(trace: Trace) -> dict[str, Smoothness]:
    """Of the commanded way, linear and angular, and of the arm's own."""
    period_s = trace.period_s
    return {
        "commanded_linear": smoothness(linear_velocity(trace.commanded, period_s), period_s, LINEAR_JUMP),
        "commanded_angular": smoothness(angular_velocity(trace.commanded_quaternion, period_s), period_s, ANGULAR_JUMP),
        "measured_linear": smoothness(linear_velocity(trace.measured, period_s), period_s, LINEAR_JUMP),
        "measured_angular": smoothness(angular_velocity(trace.measured_quaternion, period_s), period_s, ANGULAR_JUMP),
    }


def report(runs: Sequence[Run], timing: Timing, blend: Blend, facts: dict[str, Any]) -> dict[str, Any]:
    """Everything as plain values: what was run, the sums per commander, the paired comparisons, every episode."""
    names = list(dict.fromkeys(run.commander for run in runs))
    by_name = {name: [run for run in runs if run.commander == name] for name in names}
    return {
        "protocol": {
            "command_hz": SERVO_HZ,
            "delay_s": timing.delay_s,
            "jitter_s": timing.jitter_s,
            "blend": vars(blend),
            "jump_m_per_s": LINEAR_JUMP,
            "jump_rad_per_s": ANGULAR_JUMP,
            "seeds": [run.request.seed for run in by_name[names[0]]],
        },
        "commanders": {name: _summed(mine) for name, mine in by_name.items()},
        "success_of_blended_against": {name: _paired(by_name[AFTER], by_name[name]) for name in names if name != AFTER},
        "facts": facts,
        "episodes": [_episode(run) for run in runs],
    }


def _summed(runs: list[Run]) -> dict[str, Any]:
    successes, n = sum(run.trace.success for run in runs), len(runs)
    result: dict[str, Any] = {
        "success": {"successes": successes, "n": n, "interval": list(wilson_interval(successes, n))},
        "seconds": round(sum(len(run.trace.commanded) * run.trace.period_s for run in runs), 2),
        "chunks": sum(len(run.trace.arrivals) for run in runs),
        "refused_chunks": sum(run.trace.refused for run in runs),
        "hold_periods": sum(run.trace.holds for run in runs),
        "lookahead_s": round(float(np.median([run.trace.lookahead_s for run in runs])), 4),
    }
    per_run = [measures(run.trace) for run in runs]
    for what in per_run[0]:
        found = [item[what] for item in per_run]
        weights = [item.seconds for item in found]
        result[what] = {
            "jumps": sum(item.jumps for item in found),
            "largest_jump": round(max(item.largest_jump for item in found), 4),
            "peak_jerk": round(max(item.peak_jerk for item in found), 2),
            "rms_jerk": round(float(np.sqrt(np.average([item.rms_jerk**2 for item in found], weights=weights))), 3),
        }
    return result


def _paired(after: list[Run], before: list[Run]) -> dict[str, Any]:
    return vars(paired_comparison([run.trace.success for run in after], [run.trace.success for run in before]))


def _episode(run: Run) -> dict[str, Any]:
    trace = run.trace
    return {
        "seed": run.request.seed,
        "instruction": run.request.instruction,
        "commander": run.commander,
        "success": trace.success,
        "ending": trace.ending,
        "seconds": round(len(trace.commanded) * trace.period_s, 2),
        "chunks": len(trace.arrivals),
        "holds": trace.holds,
        "refused": trace.refused,
    } | {what: found.to_json() for what, found in measures(trace).items()}


def write_report(path: Path, content: dict[str, Any]) -> None:
    """As JSON, whole or not at all."""
    atomic_write_text(path, json.dumps(content, indent=1) + "\n")
