"""An emulated episode: late chunks, smooth commands, the same every time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from world2act.cli.motion import Motion
from world2act.episode import EpisodeRequest
from world2act.errors import GraphError
from world2act.smooth.commanders import commanders
from world2act.smooth.episode import EmulatedEpisode, Trace
from world2act.smooth.figure import draw_figure
from world2act.smooth.late_inference import Timing
from world2act.smooth.report import Run, measures, report, write_report
from world2act_core.bundle import load_bundle
from world2act_core.motion import Blend
from world2act_core.policy import BundlePolicy
from world2act_core.types import ArmTarget, EefPose
from world2act_sim.servo import SERVO_HZ, CartesianServo
from world2act_sim.world import TabletopWorld, WorldConfig

BUNDLE = Path(__file__).resolve().parents[4] / "models/tabletop-nano"
REQUEST = EpisodeRequest(1000, "pick up the red cube")


@pytest.fixture(scope="module")
def world() -> Iterator[TabletopWorld]:
    made = TabletopWorld(WorldConfig(image_size=96))
    yield made
    made.close()


@pytest.fixture(scope="module")
def policy() -> BundlePolicy:
    return BundlePolicy(load_bundle(BUNDLE))


def run(world: TabletopWorld, policy: BundlePolicy, name: str) -> Trace:
    commander = commanders(1.0 / SERVO_HZ, Blend())[name](policy.contract)
    return EmulatedEpisode(world, policy, REQUEST, commander, Timing()).run()


@pytest.fixture(scope="module")
def blended(world: TabletopWorld, policy: BundlePolicy) -> Trace:
    return run(world, policy, "blended")


def test_the_servo_follows_a_moving_target_late_by_its_response(world: TabletopWorld) -> None:
    """A critically damped spring of 14.1 rad/s lags 2 / 14.1 = 0.14 s behind a steady motion."""
    world.reset(1, render=False)
    servo, speed = CartesianServo(world), 0.08
    start = world.eef_pose()
    for tick in range(150):
        servo.step(ArmTarget(EefPose(start.position + [0.0, speed * tick / SERVO_HZ, 0.0], start.quaternion), -1.0))
    behind = speed * servo.time_s - (world.eef_pose().position - start.position)[1]
    assert servo.time_s == 1.5 and servo.observe(render=False).time_s == 1.5
    assert behind / speed == pytest.approx(0.14, abs=0.04)


def test_blending_leaves_no_jump_and_switching_does(
    world: TabletopWorld, policy: BundlePolicy, blended: Trace, tmp_path: Path
) -> None:
    traces = {"switched": run(world, policy, "switched"), "blended": blended}
    before, after = (measures(trace) for trace in traces.values())
    assert before["commanded_linear"].jumps >= 3
    assert after["commanded_linear"].jumps == after["commanded_angular"].jumps == 0
    assert after["commanded_linear"].peak_jerk < 0.01 * before["commanded_linear"].peak_jerk
    assert blended.success and blended.ending == "finished"

    runs = [Run(REQUEST, name, trace) for name, trace in traces.items()]
    content = report(runs, Timing(), Blend(), {})
    assert content["commanders"]["blended"]["success"]["successes"] == 1
    assert content["success_of_blended_against"]["switched"]["n"] == 1
    write_report(tmp_path / "motion.json", content)
    assert json.loads((tmp_path / "motion.json").read_text()) == json.loads(json.dumps(content))
    draw_figure(tmp_path / "motion.png", runs)
    assert (tmp_path / "motion.png").stat().st_size > 10_000


def test_the_same_episode_is_the_same_again(world: TabletopWorld, policy: BundlePolicy, blended: Trace) -> None:
    again = run(world, policy, "blended")
    assert len(blended.arrivals) >= 4 and again.arrivals == blended.arrivals
    np.testing.assert_array_equal(again.commanded, blended.commanded)
    np.testing.assert_array_equal(again.measured, blended.measured)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"episodes": 0}, "--episodes"),
        ({"delay": -1.0}, "--delay"),
        ({"seam_acceleration": 0.0}, "--seam-acceleration"),
        ({"bundle": Path("nowhere")}, "no bundle"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, object], named: str) -> None:
    with pytest.raises(GraphError, match=named):
        Motion(**options).run()  # type: ignore[arg-type]
