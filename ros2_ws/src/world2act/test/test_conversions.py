"""Messages and core values: there and back again."""

from __future__ import annotations

import array
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import Image

from world2act import conversions as c
from world2act_core.skill import Skill
from world2act_core.tabletop import tabletop_contract
from world2act_core.types import ActionChunk, ArmTarget, EefPose
from world2act_interfaces import msg as interfaces
from world2act_interfaces.action import ExecuteInstruction

POSE = EefPose(np.array([0.5, -0.1, 0.2]), np.array([1.0, 0.0, 0.0, 0.0]))


def over_the_wire(message):
    """As another process would see it."""
    return deserialize_message(serialize_message(message), type(message))


@settings(deadline=None)
@given(st.integers(min_value=0, max_value=2**31 * 10**9 - 1))
def test_stamps_are_exact(nanoseconds: int) -> None:
    assert c.stamp_to_ns(c.ns_to_stamp(nanoseconds)) == nanoseconds


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**31))
def test_image_round_trip(height: int, width: int, seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    message = c.image_to_message(image, 123, "scene")
    assert isinstance(message.data, array.array)
    assert (c.image_from_message(over_the_wire(message)) == image).all()


def test_bgr_and_padded_rows_are_understood() -> None:
    image = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    padded = np.zeros((2, 12), dtype=np.uint8)
    padded[:, :9] = image[..., ::-1].reshape(2, 9)
    message = Image(height=2, width=3, step=12, encoding="bgr8", data=padded.tobytes())
    assert (c.image_from_message(message) == image).all()


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (Image(height=1, width=1, step=1, encoding="mono8", data=b"\0"), "mono8"),
        (Image(height=2, width=2, step=6, encoding="rgb8", data=b"\0" * 11), "11 bytes"),
        (Image(height=0, width=0, step=0, encoding="rgb8"), "0 bytes"),
    ],
)
def test_bad_images_are_refused(message: Image, words: str) -> None:
    with pytest.raises(c.ConversionError, match=words):
        c.image_from_message(message)


def test_only_rgb_arrays_become_images() -> None:
    with pytest.raises(c.ConversionError, match="float32"):
        c.image_to_message(np.zeros((2, 2, 3), dtype=np.float32), 0, "scene")  # type: ignore[arg-type]


def test_pose_round_trip_is_exact() -> None:
    quaternion = np.array([0.1, 0.2, 0.3, math.sqrt(1 - 0.14)])
    message = over_the_wire(c.pose_to_message(EefPose(np.array([1 / 3, 2 / 3, -1 / 7]), quaternion)))
    pose = c.pose_from_message(message)
    assert (pose.position == [1 / 3, 2 / 3, -1 / 7]).all() and (pose.quaternion == quaternion).all()


@pytest.mark.parametrize(
    "pose",
    [
        EefPose(np.array([math.nan, 0, 0]), np.array([0.0, 0, 0, 1])),
        EefPose(np.zeros(3), np.zeros(4)),
    ],
)
def test_what_is_no_pose_is_refused(pose: EefPose) -> None:
    with pytest.raises(c.ConversionError, match="not a pose"):
        c.pose_from_message(c.pose_to_message(pose))


def test_gripper_reading_is_exact_and_names_missing_fingers() -> None:
    width = 0.0731
    message = c.joint_state_to_message(["a", "f1", "f2"], [0.0, width / 2, width / 2], [0.0] * 3, 5)
    assert c.gripper_reading(over_the_wire(message), ["f1", "f2"]) == width
    with pytest.raises(c.ConversionError, match="no joint f3; it has: a, f1, f2"):
        c.gripper_reading(message, ["f1", "f3"])


def test_observation_round_trip() -> None:
    rng = np.random.default_rng(1)
    images = {name: rng.integers(0, 256, (8, 8, 3), dtype=np.uint8) for name in ("scene", "wrist")}
    messages = {name: c.image_to_message(image, 7, name) for name, image in images.items()}
    state = rng.normal(size=10).astype(np.float32)
    names = c.value_names(tabletop_contract().state)
    observation = c.observation_from_message(over_the_wire(c.observation_to_message(messages, state, names, 2 * 10**9)))
    assert observation.time_s == 2.0 and (observation.state == state).all()
    assert all((observation.images[name] == images[name]).all() for name in images)


def test_observation_with_a_missing_image_is_refused() -> None:
    with pytest.raises(c.ConversionError, match="2 camera names but 0 images"):
        c.observation_from_message(interfaces.Observation(camera_names=["scene", "wrist"]))


def test_chunk_round_trip() -> None:
    contract = tabletop_contract()
    actions = np.random.default_rng(2).normal(size=(8, 7)).astype(np.float32)
    chunk = ActionChunk(5, 3.0, 0.1, actions, done=0.25, inference_s=0.5, skill_id=9)
    message = over_the_wire(c.chunk_to_message(chunk, 3 * 10**9, 2, c.value_names(contract.action), "ab"))
    back = c.chunk_from_message(message)
    assert (back.actions == actions).all()
    assert (back.sequence, back.start_time_s, back.step_s, back.done, back.skill_id) == (5, 3.0, 0.1, 0.25, 9)
    assert math.isnan(message.alignment_score) and math.isnan(message.residual_size) and message.plan_id == 2
    scored = replace(chunk, alignment=-0.5, residual_size=0.25)
    back = c.chunk_from_message(over_the_wire(c.chunk_to_message(scored, 0, 2, c.value_names(contract.action), "ab")))
    assert (back.alignment, back.residual_size, back.code) == (-0.5, 0.25, None)
    today_ns = 1_763_720_492_123_456_789  # as a float of seconds it is another one
    back = c.chunk_from_message(c.chunk_to_message(chunk, today_ns, 2, c.value_names(contract.action), "ab"))
    assert back.start_ns == today_ns != round(back.start_time_s * 1e9) and chunk.start_ns == 3 * 10**9


def test_chunk_with_a_wrong_shape_is_refused() -> None:
    with pytest.raises(c.ConversionError, match="3 values are not 2 x 7"):
        c.chunk_from_message(interfaces.ActionChunk(horizon=2, action_size=7, data=[0.0] * 3))


def test_arm_command_round_trip() -> None:
    message = c.arm_target_to_message(ArmTarget(POSE, 1.0), 4)
    assert message.chunk_sequence == message.chunk_index == -1
    target = c.arm_target_from_message(over_the_wire(message))
    assert (target.pose.position == POSE.position).all() and target.gripper == 1.0


@pytest.mark.parametrize(
    "skill",
    [
        Skill("pick", "can"),
        Skill("stack", "red cube", "green cube"),
        Skill("open", "drawer"),
        Skill("close", "drawer"),
        Skill("press", "button"),
        Skill("push", "red cube", "left"),
    ],
)
def test_skill_round_trip(skill: Skill) -> None:
    message = over_the_wire(c.skill_to_message(skill, 3, 1, 0, 2))
    assert c.skill_from_message(message) == skill and message.prompt == skill.prompt and not message.active


def test_every_error_code_has_a_name() -> None:
    constants = {name for name in dir(ExecuteInstruction.Result) if name.isupper()}
    assert constants - {"SLOT_TYPES"} == set(c.ERROR_NAMES)
    assert all(c.error_name(c.error_code(name)) == name for name in c.ERROR_NAMES)
    assert c.error_name(12345) == "ERROR_12345"
    with pytest.raises(c.ConversionError):
        c.error_code("NO_SUCH_ERROR")
