from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from world2act_core import EXTENDED_VOCABULARY, Contract, ContractError, ContractMismatch, check_compatible
from world2act_core.contract import ActionDim, CameraSpec
from world2act_core.tabletop import tabletop_contract


def changed(contract: Contract, path: str, value: object) -> Contract:
    """The contract with one field replaced; path like "action.0.unit"."""
    data = contract.model_dump(mode="json")
    *parents, last = path.split(".")
    node = data
    for key in parents:
        node = node[int(key)] if isinstance(node, list) else node[key]
    node[last] = value
    return Contract.model_validate(data)


def test_sizes_slices_and_limits(contract: Contract) -> None:
    assert (contract.state_size, contract.action_size) == (10, 7)
    assert contract.state_slice("eef_rotation") == slice(3, 9)
    assert contract.action_slice("gripper") == slice(6, 7)
    expected = np.array([0.05, 0.05, 0.05, 0.5, 0.5, 0.5, 1.0], dtype=np.float32)
    np.testing.assert_array_equal(contract.action_high, expected)
    np.testing.assert_array_equal(contract.action_low, -expected)
    assert contract.action_low.dtype == np.float32
    assert contract.step_s == pytest.approx(0.1)
    with pytest.raises(ContractError, match="no action dimension 'wrist'.*gripper"):
        contract.action_slice("wrist")


def test_yaml_round_trip(contract: Contract, tmp_path: Path) -> None:
    contract.to_yaml(tmp_path / "deep" / "contract.yaml")
    assert Contract.from_yaml(tmp_path / "deep" / "contract.yaml") == contract


def test_one_number_stands_for_all_limits() -> None:
    dim = ActionDim.model_validate(
        {"name": "d", "size": 3, "unit": "m", "mode": "delta", "representation": "position", "low": -0.1, "high": [0.1]}
    )
    assert dim.low == (-0.1,) * 3 and dim.high == (0.1,) * 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not valid YAML"),
        ("[1, 2]", "expected a mapping"),
        ("robot: Panda", "cameras: Field required"),
    ],
)
def test_unreadable_text_names_the_source(text: str, message: str) -> None:
    with pytest.raises(ContractError, match=message) as caught:
        Contract.from_text(text, source="robot.yaml")
    assert str(caught.value).startswith("robot.yaml")


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("execute_steps", 9, "execute_steps 9 exceeds chunk_length 8"),
        ("cameras.1.name", "scene", "names appear twice"),
        ("action.0.low", [1.0, -0.05, -0.05], "every low must be finite and below its high"),
        ("action.0.high", [0.05, 0.05], "need 3 numbers"),
        ("state.1.size", 5, "rotation_6d has size 6, got 5"),
        ("cameras.0.crop", [0.5, 0.0, 0.6, 1.0], "must lie within"),
        ("hold", "zeros", "hold"),
        ("surprise", 1, "Extra inputs"),
    ],
)
def test_contradictions_are_refused(contract: Contract, path: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        changed(contract, path, value)


def test_equal_contracts_and_other_image_sizes_fit() -> None:
    check_compatible(tabletop_contract(image_size=128), tabletop_contract(image_size=96))
    check_compatible(tabletop_contract(vocabulary=EXTENDED_VOCABULARY), tabletop_contract())


def test_chunks_are_the_policys_own_affair(contract: Contract) -> None:
    longer = changed(changed(contract, "chunk_length", 16), "execute_steps", 8)
    check_compatible(contract, longer)


@pytest.mark.parametrize(
    ("path", "value", "where", "theirs"),
    [
        ("robot", "UR5e", "robot", "UR5e"),
        ("control_hz", 20.0, "control_hz", "20.0"),
        ("observation_hz", 5.0, "observation_hz", "5.0"),
        ("cameras.0.name", "front", "cameras.front", "it"),
        ("cameras.0.channel_order", "bgr", "cameras.scene.channel_order", "bgr"),
        ("cameras.1.crop", [0.0, 0.0, 0.5, 0.5], "cameras.wrist.crop", "[0.0, 0.0, 0.5, 0.5]"),
        ("state.0.frame", "eef", "state.eef_position.frame", "eef"),
        ("action.2.mode", "delta", "action.gripper.mode", "delta"),
        ("action.0.high", [0.05, 0.05, 0.06], "action.delta_position.high", "[0.05, 0.05, 0.06]"),
        ("text_encoder.name", "other", "text_encoder.name", "other"),
        ("vocabulary.objects.9.preposition", "on", "vocabulary.bin.preposition", "on"),
    ],
)
def test_every_mismatch_names_both_sides(contract: Contract, path: str, value: object, where: str, theirs: str) -> None:
    with pytest.raises(ContractMismatch) as caught:
        check_compatible(contract, changed(contract, path, value), "robot profile", "bundle nano")
    lines = [line for line in caught.value.differences if line.startswith(f"{where}:")]
    assert len(lines) == 1
    assert "robot profile has" in lines[0] and f"bundle nano has {theirs}" in lines[0]
    assert lines[0] in str(caught.value)


def test_all_differences_are_listed_at_once(contract: Contract) -> None:
    other = changed(changed(contract, "robot", "UR5e"), "action.1.unit", "m")
    with pytest.raises(ContractMismatch) as caught:
        check_compatible(contract, other)
    assert len(caught.value.differences) == 2


def test_order_of_state_matters_order_of_cameras_does_not(contract: Contract) -> None:
    data = contract.model_dump(mode="json")
    swapped_cameras = Contract.model_validate({**data, "cameras": data["cameras"][::-1]})
    check_compatible(contract, swapped_cameras)
    swapped_state = Contract.model_validate({**data, "state": data["state"][::-1]})
    with pytest.raises(ContractMismatch, match="state order"):
        check_compatible(contract, swapped_state)


def test_crop_inside_one_ulp_is_accepted() -> None:
    assert CameraSpec(name="a", view="scene", width=4, height=4, crop=(0.1, 0.2, 0.9, 0.8)).crop is not None


def test_importing_core_loads_no_ros_no_torch_and_no_heavy_library() -> None:
    code = (
        "import sys, world2act_core, world2act_core.contract, world2act_core.bundle, world2act_core.policy\n"
        "heavy = {'rclpy', 'torch', 'onnxruntime', 'cv2', 'scipy', 'tokenizers'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "for name in world2act_core.__all__: getattr(world2act_core, name)\n"
        "assert not {'rclpy', 'torch'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
