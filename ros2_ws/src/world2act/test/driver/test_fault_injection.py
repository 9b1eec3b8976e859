"""Faults on request: what is asked for happens, nothing else does, and what cannot be read is refused."""

from __future__ import annotations

import time

import numpy as np
import pytest
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image

from world2act import topics
from world2act.conversions import image_from_message, image_to_message, joint_state_to_message, stamp_to_ns
from world2act.simulation.fault_injection import Fault, FaultRequestError, FaultyStream, parse_faults

from .conftest import INTERFACES, Bench, profile_with

CAMERAS = ("scene", "wrist")


def picture(number: int) -> Image:
    return image_to_message(np.full((4, 6, 3), number, np.uint8), number * 1_000_000_000, "scene")


def test_requests_are_read() -> None:
    assert parse_faults("", CAMERAS) == {}
    found = parse_faults(" scene=frozen, joint_states=delayed:0.5 ,wrist=clock_back:2", CAMERAS)
    expected = {"scene": Fault("frozen"), "joint_states": Fault("delayed", 0.5), "wrist": Fault("clock_back", 2.0)}
    assert found == expected


@pytest.mark.parametrize(
    ("request_text", "text"),
    [
        ("ceiling=black", "cameras: scene, wrist"),
        ("scene=nan", "faults of a camera: silent, frozen"),
        ("joint_states=black", "of joint_states: silent, delayed, nan"),
        ("scene", "give CAMERA=FAULT"),
        ("scene=delayed", "needs seconds"),
        ("scene=delayed:-1", "needs seconds"),
        ("scene=black:2", "takes no seconds"),
    ],
)
def test_other_requests_are_refused(request_text: str, text: str) -> None:
    with pytest.raises(FaultRequestError, match=text):
        parse_faults(request_text, CAMERAS)


def test_without_a_fault_a_message_is_passed_on_as_it_is() -> None:
    message = picture(1)
    assert FaultyStream().pass_on(message, None, 0.0)[0] is message


def test_each_fault_of_a_camera() -> None:
    stream = FaultyStream()
    assert stream.pass_on(picture(1), Fault("silent"), 0.0) == []
    (black,) = stream.pass_on(picture(7), Fault("black"), 0.0)
    assert not image_from_message(black).any() and stamp_to_ns(black.header.stamp) == 7_000_000_000
    (small,) = stream.pass_on(picture(7), Fault("wrong_size"), 0.0)
    assert image_from_message(small).shape == (2, 6, 3)
    (back,) = stream.pass_on(picture(7), Fault("clock_back", 2.0), 0.0)
    assert stamp_to_ns(back.header.stamp) == 5_000_000_000
    frozen = [stream.pass_on(picture(number), Fault("frozen"), 0.0)[0] for number in (3, 4)]
    assert [image_from_message(message).max() for message in frozen] == [3, 3]
    assert [stamp_to_ns(message.header.stamp) for message in frozen] == [3_000_000_000, 4_000_000_000]
    (again,) = stream.pass_on(picture(5), None, 0.0)
    assert image_from_message(again).max() == 5


def test_a_fault_does_not_touch_the_message_it_is_made_from() -> None:
    for kind in ("black", "wrong_size", "clock_back", "frozen"):
        message = picture(7)
        FaultyStream().pass_on(message, Fault(kind, 1.0), 0.0)
        assert message == picture(7)


def test_what_is_delayed_comes_later_with_its_own_stamp() -> None:
    stream, fault = FaultyStream(), Fault("delayed", 0.5)
    came = {
        now_s: [stamp_to_ns(message.header.stamp) // 10**9 for message in stream.pass_on(picture(number), fault, now_s)]
        for number, now_s in enumerate((0.0, 0.25, 0.5, 1.0), start=1)
    }
    assert came == {0.0: [], 0.25: [], 0.5: [1], 1.0: [2, 3]}
    assert len(stream.pass_on(picture(9), None, 1.1)) == 1


def test_joint_states_without_numbers() -> None:
    state = joint_state_to_message(("a", "b"), [1.0, 2.0], [0.0, 0.0], 5)
    (broken,) = FaultyStream().pass_on(state, Fault("nan"), 0.0)
    assert np.isnan(broken.position).all() and list(state.position) == [1.0, 2.0]


def test_a_running_arm_takes_requests_and_refuses_wrong_ones(bench) -> None:
    made: Bench = bench(profile_with(INTERFACES["joint_trajectory"]), render="fast", image_size=32, camera_hz=20.0)
    arm, sender = made.arm, made.commander
    pictures: list[Image] = []
    sender.listen(Image, topics.image_topic("scene"), pictures.append, topics.newest(False))
    assert made.ros.until(lambda: len(pictures) > 2, 30.0)
    assert image_from_message(pictures[-1]).shape == (32, 32, 3) and image_from_message(pictures[-1]).std() > 5
    stamps = [stamp_to_ns(message.header.stamp) for message in pictures]
    assert stamps == sorted(set(stamps))

    def ask(text: str):
        return arm.set_parameters([Parameter("inject", value=text)])[0]

    wrong = ask("scene=purple")
    assert not wrong.successful and "faults of a camera" in wrong.reason
    made.commander.report = {}
    assert made.ros.until(lambda: bool(made.commander.report)) and made.commander.report["injected_s"] == 0.0
    asked_s = time.time()
    assert ask("scene=black, joint_states=nan").successful
    # The sender's own listener refuses NaN; that is not what is looked at here.
    sender.joints.take = lambda message: None
    assert made.ros.until(lambda: not image_from_message(pictures[-1]).any())
    assert made.ros.until(lambda: bool(np.isnan(sender.states[-1].position).all()))
    assert made.ros.until(lambda: asked_s <= made.commander.report["injected_s"] <= made.commander.report["stamp_s"])
    injected_s = made.commander.report["injected_s"]
    assert ask("").successful
    assert made.ros.until(lambda: made.commander.report["injected_s"] > injected_s)
    assert made.ros.until(lambda: bool(image_from_message(pictures[-1]).any()))
    assert made.ros.until(lambda: bool(np.isfinite(sender.states[-1].position).all()))
