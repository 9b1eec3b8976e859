"""What goes to Foxglove: paths of chunks, the layout, and what the command refuses."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import numpy as np
import pytest

from world2act.cli.foxglove import Foxglove, _is_local
from world2act.conversions import ConversionError
from world2act.errors import GraphError
from world2act.live.foxglove_layout import make_layout
from world2act.live.foxglove_messages import chunk_path, path_scene
from world2act_core.types import EefPose
from world2act_interfaces.msg import ActionChunk

NAMES = [f"delta_position.{i}" for i in range(3)] + [f"delta_rotation.{i}" for i in range(3)] + ["gripper.0"]
START = EefPose(np.array([0.5, 0.0, 0.2]), np.array([1.0, 0.0, 0.0, 0.0]))


def chunk(actions: list[list[float]], names: list[str] = NAMES) -> ActionChunk:
    data = np.asarray(actions, dtype=np.float32)
    return ActionChunk(
        horizon=len(actions),
        action_size=data.shape[1],
        action_names=names,
        data=data.ravel().tolist(),
        step_seconds=0.1,
    )


def find(value: object, key: str) -> list:
    """Everything below `key` anywhere in a JSON value."""
    if isinstance(value, dict):
        here = [value[key]] if key in value else []
        return here + [hit for item in value.values() for hit in find(item, key)]
    return [hit for item in value for hit in find(item, key)] if isinstance(value, list) else []


def test_a_path_adds_the_deltas_up() -> None:
    message = chunk([[0.01, 0, 0, 0, 0, 0, 1], [0, 0, -0.02, 0, 0, 1.5, 1], [0.01, 0, 0, 0, 0, 0, 1]])
    path = chunk_path(message, START)
    # Deltas are in the base frame: the rotation on the way does not turn those that follow.
    assert path == pytest.approx(np.array([[0.5, 0, 0.2], [0.51, 0, 0.2], [0.51, 0, 0.18], [0.52, 0, 0.18]]), abs=1e-6)
    assert "action_chunk" in repr(path_scene(message, path))


def test_other_actions_have_no_path() -> None:
    with pytest.raises(ConversionError, match="joint.0"):
        chunk_path(chunk([[0.0] * 7], [f"joint.{i}" for i in range(7)]), START)


def test_the_layout_shows_what_is_streamed(tmp_path: Path) -> None:
    layout = json.loads(make_layout(("scene", "wrist")))
    text = json.dumps(layout)
    for topic in ("/camera/scene", "/camera/wrist", "/chunk_path", "/policy.alignment", "/status.safety", "/log"):
        assert topic in text
    assert Foxglove(layout=tmp_path / "layout.json", cameras=("left",)).run() == 0
    written = (tmp_path / "layout.json").read_text()
    assert "/camera/left" in written and "/camera/scene" not in written and "Urdf" not in written
    robot = tmp_path / "robot.urdf"
    with pytest.raises(GraphError, match=r"--urdf .*robot\.urdf: there is no such file"):
        Foxglove(layout=tmp_path / "layout.json", urdf=robot).run()
    robot.write_text("<robot name='r'/>")
    assert Foxglove(layout=tmp_path / "layout.json", urdf=robot).run() == 0
    (layer,) = [
        layer for layer in find(json.loads((tmp_path / "layout.json").read_text()), "layers") if "robot" in layer
    ]
    assert layer["robot"]["filePath"] == str(robot) and layer["robot"]["jointStatesTopic"] == "/joint_states"


def test_what_cannot_work_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GraphError, match="--port 99999 is no port"):
        Foxglove(port=99999).run()
    (tmp_path / "old.mcap").touch()
    with pytest.raises(GraphError, match=r"old\.mcap exists already"):
        Foxglove(record=tmp_path / "old.mcap").run()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(GraphError, match="Address already in use.*choose another --port"):
            Foxglove(port=taken.getsockname()[1]).run()


def test_which_addresses_stay_on_this_machine() -> None:
    assert [_is_local(host) for host in ("127.0.0.1", "localhost", "::1", "0.0.0.0", "192.168.1.5", "robot")] == [
        True, True, True, False, False, False
    ]  # fmt: skip
