"""LIBERO's and RoboCasa's HDF5 layouts, written here exactly as their own scripts write them, and damaged ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from training.common.errors import DatasetError, TrainingError
from training.data.importers import run
from training.data.importers.libero import ImportLiberoConfig, import_libero, read_libero
from training.data.importers.robocasa import ImportRobocasaConfig, import_robocasa
from training.data.lerobot_reader import LeRobotReader
from training.skills.motion import trajectory_source
from world2act_core.contract import Contract

FRAMES, SIZE = 12, 32
BASE = np.array([-0.6, 0.1, 0.9])
MODEL = (
    '<mujoco><worldbody><body name="robot0_base" pos="-0.6 0.1 0.9" quat="0.7071067811865476 0 0 0.7071067811865476"/>'
    "</worldbody></mujoco>"
)
HALF = 0.02  # what each finger has travelled


def scene(top: int) -> np.ndarray:
    """Pictures [T, H, W, 3]: the upper half ``top`` bright, the lower half dark."""
    images = np.full((FRAMES, SIZE, SIZE, 3), 20, np.uint8)
    images[:, : SIZE // 2] = top
    return images


def qpos() -> np.ndarray:
    """Finger joints [T, 2]: opposite signs, opening from 0.04 to 0.08 m."""
    travel = np.linspace(HALF, 0.04, FRAMES)
    return np.stack([travel, -travel], axis=1)


def write_libero(path: Path, convention: str | None = "opengl", demos: tuple[str, ...] = ("demo_0", "demo_1")) -> Path:
    """A file as LIBERO's create_dataset.py leaves it."""
    rng = np.random.default_rng(0)
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        data = file.create_group("data")
        data.attrs["env_name"] = "Libero_Kitchen_Tabletop_Manipulation"
        problem = {"problem_name": "x", "domain_name": "robosuite", "language_instruction": '"open the top drawer"'}
        data.attrs["problem_info"] = json.dumps(problem)
        data.attrs["bddl_file_name"] = "open_the_top_drawer.bddl"
        data.attrs["env_args"] = json.dumps({"type": 1, "env_kwargs": {"control_freq": 20, "robots": ["Panda"]}})
        data.attrs["num_demos"] = len(demos)
        if convention:
            data.attrs["macros_image_convention"] = convention
        for name in demos:
            group = data.create_group(name)
            obs = group.create_group("obs")
            position = np.tile([[-0.6, 0.6, 1.2]], (FRAMES, 1)) + rng.uniform(0, 0.01, (FRAMES, 3))
            states = np.concatenate([position, np.tile([[np.pi, 0, 0]], (FRAMES, 1))], axis=1)
            obs["gripper_states"], obs["joint_states"] = qpos(), np.zeros((FRAMES, 7))
            obs["ee_states"], obs["ee_pos"], obs["ee_ori"] = states, states[:, :3], states[:, 3:]
            # OpenGL keeps row 0 at the bottom: what is above comes last in the file.
            upright = scene(200)
            stored = upright if convention in ("opencv", b"opencv") else upright[:, ::-1]
            obs["agentview_rgb"], obs["eye_in_hand_rgb"] = stored, stored
            actions = np.zeros((FRAMES, 7))
            actions[:, 0] = np.arange(FRAMES) / FRAMES
            actions[:, 6] = np.where(np.arange(FRAMES) < 6, -1.0, 1.0)
            group["actions"], group["states"] = actions, np.zeros((FRAMES, 30))
            group["robot_states"] = np.zeros((FRAMES, 9))
            last = (np.arange(FRAMES) == FRAMES - 1).astype(np.uint8)
            group["rewards"], group["dones"] = last, last
            group.attrs["num_samples"] = FRAMES
            group.attrs["model_file"] = MODEL
            group.attrs["init_state"] = np.zeros(30)
    return path


def write_robocasa(path: Path, with_images: bool = True) -> Path:
    """A file as RoboCasa's dataset_states_to_obs.py leaves it."""
    with h5py.File(path, "w") as file:
        data = file.create_group("data")
        data.attrs["env_args"] = json.dumps({"env_name": "PnPCounterToSink", "env_kwargs": {"robots": "PandaOmron"}})
        data.attrs["total"] = FRAMES
        file["mask/10_demos"] = np.array([b"demo_10"])
        for name in ("demo_10", "demo_9"):
            group = data.create_group(name)
            actions = np.full((FRAMES, 12), 0.5)
            actions[:, 6], actions[:, 11] = 1.0, -1.0
            group["actions"], group["states"] = actions, np.zeros((FRAMES, 40))
            group["rewards"], group["dones"] = np.zeros(FRAMES), np.zeros(FRAMES, np.int64)
            group["action_dict/gripper"] = actions[:, 6:7]
            obs: dict[str, np.ndarray] = {
                "robot0_base_to_eef_pos": np.tile([[0.4, 0.1, 0.7]], (FRAMES, 1)),
                "robot0_base_to_eef_quat": np.tile(Rotation.from_rotvec([0, 0, np.pi / 2]).as_quat(), (FRAMES, 1)),
                "robot0_base_pos": np.zeros((FRAMES, 3)),
                "robot0_base_quat": np.tile([[0, 0, 0, 1]], (FRAMES, 1)),
                "robot0_gripper_qpos": qpos(),
                "robot0_gripper_qvel": np.zeros((FRAMES, 2)),
            }
            if with_images:
                views = ("agentview_left", "agentview_right", "eye_in_hand")
                obs |= {f"robot0_{view}_image": scene(200) for view in views}
            for key, value in obs.items():
                group.create_dataset(f"obs/{key}", data=value, compression="gzip")
            group.attrs["ep_meta"] = json.dumps({"lang": f"pick the cup, take {name}", "layout_id": 3})
            group.attrs["model_file"] = MODEL
            group.attrs["num_samples"] = FRAMES
    return path


def is_upright(image: np.ndarray) -> bool:
    """The bright half is on top."""
    return bool(image[: SIZE // 2].mean() > 150 > 60 > image[SIZE // 2 :].mean())


@pytest.mark.parametrize("convention", ["opengl", "opencv", np.bytes_("opencv"), None])
def test_libero_pictures_come_out_upright(tmp_path: Path, convention: str | None) -> None:
    path = write_libero(tmp_path / "a.hdf5", convention)  # type: ignore[arg-type]
    with h5py.File(path) as file:
        demonstration = read_libero(file["data/demo_0"])
    assert all(is_upright(frames[0]) for frames in demonstration.images.values())


def test_libero_becomes_a_dataset_with_its_contract(tmp_path: Path) -> None:
    write_libero(tmp_path / "suite/task_demo.hdf5")
    import_libero(ImportLiberoConfig(tmp_path / "suite", tmp_path / "out"))
    reader = LeRobotReader(tmp_path / "out")
    contract = Contract.from_yaml(tmp_path / "out/meta/contract.yaml")
    assert reader.fps == contract.control_hz == 20 and contract.robot == "Panda"
    assert [(c.name, c.view, c.width) for c in contract.cameras] == [
        ("agentview", "scene", SIZE), ("eye_in_hand", "wrist", SIZE),
    ]  # fmt: skip
    assert (contract.state_size, contract.action_size) == (10, 7)
    assert [row["instruction"] for row in reader.episodes] == ["open the top drawer"] * 2
    assert [row["length"] for row in reader.episodes] == [FRAMES - 1] * 2
    columns = reader.episode_columns(0)
    with h5py.File(tmp_path / "suite/task_demo.hdf5") as file:
        world = file["data/demo_0/obs/ee_pos"][()]
        actions = file["data/demo_0/actions"][()]
    # The arm's base is turned by 90 degrees about z: world y is its x, world -x its y.
    offset = world - BASE
    expected = np.stack([offset[:, 1], -offset[:, 0], offset[:, 2]], axis=1)[:-1]
    np.testing.assert_allclose(columns["observation.state"][:, :3], expected, atol=1e-5)
    turned = (Rotation.from_euler("z", -90, degrees=True) * Rotation.from_rotvec([np.pi, 0, 0])).as_matrix()
    np.testing.assert_allclose(columns["observation.state"][0, 3:9], turned[:, :2].T.reshape(-1), atol=1e-6)
    np.testing.assert_allclose(columns["observation.state"][:, 9], 2 * qpos()[:-1, 0], atol=1e-6)
    # The picture of frame i was taken after action i, so frame i goes with action i + 1; 1 stands for 0.05 m.
    np.testing.assert_allclose(columns["executed_action"][:, 0], 0.05 * actions[1:, 0], atol=1e-6)
    assert columns["action"][:, 6].tolist() == actions[1:, 6].tolist()
    assert columns["done"].tolist() == [False] * (FRAMES - 2) + [True]
    assert is_upright(reader.frame(0, "agentview")) and is_upright(reader.frame(13, "eye_in_hand"))
    trajectory = trajectory_source(contract, "here").read(columns, reader.fps)
    np.testing.assert_allclose(trajectory.width, 2 * qpos()[:-1, 0], atol=1e-6)


def test_files_with_the_picture_before_the_action_keep_every_frame(tmp_path: Path) -> None:
    with h5py.File(write_libero(tmp_path / "a.hdf5")) as file:
        demonstration = read_libero(file["data/demo_0"], observations_follow_actions=False)
        np.testing.assert_allclose(demonstration.action[:, 0], 0.05 * file["data/demo_0/actions"][:, 0], atol=1e-6)
    assert len(demonstration.state) == FRAMES


def test_robocasa_becomes_a_dataset_with_twelve_actions_and_three_cameras(tmp_path: Path) -> None:
    path = write_robocasa(tmp_path / "demo_im128.hdf5")
    import_robocasa(ImportRobocasaConfig(path, tmp_path / "out"))
    reader = LeRobotReader(tmp_path / "out")
    contract = Contract.from_yaml(tmp_path / "out/meta/contract.yaml")
    assert (contract.robot, contract.state_size, contract.action_size) == ("PandaOmron", 10, 12)
    assert reader.cameras == ("robot0_agentview_left", "robot0_agentview_right", "robot0_eye_in_hand")
    assert [c.view for c in contract.cameras] == ["scene", "scene", "wrist"]
    # Demonstration 9 comes before 10: by number, not by name.
    assert [row["instruction"] for row in reader.episodes] == [
        "pick the cup, take demo_9",
        "pick the cup, take demo_10",
    ]
    columns = reader.episode_columns(0)
    state = [0.4, 0.1, 0.7, 0, 1, 0, -1, 0, 0, 0.04]
    np.testing.assert_allclose(columns["observation.state"][0], state, atol=1e-6)
    np.testing.assert_allclose(columns["action"][0], [0.025] * 3 + [0.25] * 3 + [1] + [0.5] * 4 + [-1], atol=1e-6)
    assert reader.info["features"]["action"]["shape"] == [12]
    assert len(columns["index"]) == FRAMES and is_upright(reader.frame(3, "robot0_agentview_right"))
    assert columns["observation.gripper"].tolist() == [0.0] + [1.0] * (FRAMES - 1)


def test_importing_again_adds_only_what_is_new(tmp_path: Path) -> None:
    write_libero(tmp_path / "in/b.hdf5", demos=("demo_0",))
    settings = ImportLiberoConfig(tmp_path / "in", tmp_path / "out")
    import_libero(settings)
    write_libero(tmp_path / "in/a.hdf5", demos=("demo_0",))  # sorts before the first one
    import_libero(settings)
    import_libero(settings)
    rows = LeRobotReader(tmp_path / "out").episodes
    assert [(row["source_file"], row["source_demo"]) for row in rows] == [("b.hdf5", 0), ("a.hdf5", 0)]


def test_a_truncated_file_is_named_and_what_came_before_is_kept(tmp_path: Path) -> None:
    write_libero(tmp_path / "in/a.hdf5")
    broken = write_libero(tmp_path / "in/b.hdf5")
    data = broken.read_bytes()
    broken.write_bytes(data[: len(data) // 2])
    settings = ImportLiberoConfig(tmp_path / "in", tmp_path / "out")
    with pytest.raises(DatasetError, match=r"cannot read .*b\.hdf5: .*fetch it again"):
        import_libero(settings)
    assert len(LeRobotReader(tmp_path / "out").episodes) == 2
    broken.write_bytes(data)
    import_libero(settings)
    assert len(LeRobotReader(tmp_path / "out").episodes) == 4


def replace(group: h5py.Group, name: str, values: np.ndarray) -> None:
    """Other values under the same name."""
    del group[name]
    group[name] = values


def damage(path: Path, change: Any) -> None:
    with h5py.File(path, "r+") as file:
        change(file["data/demo_0"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda g: g["obs"].__delitem__("gripper_states"), r"demo_0/obs has no 'gripper_states'"),
        (lambda g: g.__delitem__("obs"), "has no 'obs'"),
        (lambda g: g.attrs.__delitem__("model_file"), "has no attribute 'model_file'"),
        (lambda g: g.attrs.__setitem__("model_file", "<mujoco/>"), "no body 'robot0_base'"),
        (
            lambda g: g.attrs.__setitem__("model_file", MODEL.replace("-0.6", "left")),
            r"demo_0: body 'robot0_base' .* pos='left 0.1 0.9'.* is no pose",
        ),
        (lambda g: g.attrs.__setitem__("model_file", MODEL.replace("0.7071067811865476", "0")), "is no pose"),
        (lambda g: replace(g["obs"], "agentview_rgb", g["obs/agentview_rgb"][()] / 255), "holds float64, not uint8"),
        (lambda g: g.parent.attrs.__setitem__("problem_info", "{}"), "language_instruction"),
        (
            lambda g: g.parent.attrs.__setitem__("env_args", '{"env_kwargs": {"control_freq": 10}}'),
            r"a.hdf5 was recorded at 10 Hz \(control_freq in its env_args\), --fps is 20: .* give --fps 10",
        ),
        (lambda g: (g.__delitem__("actions"), g.create_dataset("actions", data=np.zeros((5, 7)))), "expected 5 x"),
        (lambda g: (g.__delitem__("actions"), g.create_dataset("actions", data=np.zeros((12, 8)))), "expected any x 7"),
        (lambda g: g["actions"].__setitem__((0, 0), np.nan) or g["actions"].__setitem__((3, 0), np.nan), "not finite"),
    ],
)
def test_what_is_missing_or_wrong_is_named(tmp_path: Path, change: Any, message: str) -> None:
    path = write_libero(tmp_path / "a.hdf5")
    damage(path, change)
    with pytest.raises(DatasetError, match=message):
        import_libero(ImportLiberoConfig(path, tmp_path / "out"))


@pytest.mark.parametrize(
    "told", ["", "{}", "[]", '{"env_kwargs": {"control_freq": null}}', '{"env_kwargs": {"control_freq": 0}}']
)
def test_a_file_that_does_not_say_its_rate_has_the_one_given(tmp_path: Path, told: str) -> None:
    path = write_libero(tmp_path / "a.hdf5", demos=("demo_0",))
    damage(path, lambda g: g.parent.attrs.__setitem__("env_args", told))
    import_libero(ImportLiberoConfig(path, tmp_path / "out", fps=15))
    assert LeRobotReader(tmp_path / "out").fps == 15


def test_a_rotation_that_is_none_is_named(tmp_path: Path) -> None:
    path = write_robocasa(tmp_path / "a.hdf5")
    with h5py.File(path, "r+") as file:
        file["data/demo_9/obs/robot0_base_to_eef_quat"][3] = 0
    with pytest.raises(DatasetError, match=r"demo_9/obs/robot0_base_to_eef_quat: frame 3 is no rotation"):
        import_robocasa(ImportRobocasaConfig(path, tmp_path / "out"))


def test_files_without_pictures_beside_those_with_are_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """RoboCasa's folders hold what people recorded (demo.hdf5) beside the same with pictures."""
    folder = tmp_path / "PnPCounterToSink" / "2024-04-24"
    folder.mkdir(parents=True)
    write_robocasa(folder / "demo.hdf5", with_images=False)
    write_robocasa(folder / "demo_gentex_im128_randcams.hdf5")
    import_robocasa(ImportRobocasaConfig(tmp_path, tmp_path / "out"))
    rows = LeRobotReader(tmp_path / "out").episodes
    assert [row["source_file"] for row in rows] == ["demo_gentex_im128_randcams.hdf5"] * 2
    said = capsys.readouterr().out
    assert "2 new demonstrations of 1 files" in said
    assert "1 files without pictures" in said and "dataset_states_to_obs.py" in said


def test_an_interrupt_keeps_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_libero(tmp_path / "in/a.hdf5")
    stage = run.stage_episode
    staged: list[Path] = []

    def interrupted(*arguments: Any) -> Path:
        if staged:
            raise KeyboardInterrupt
        staged.append(stage(*arguments))
        return staged[0]

    monkeypatch.setattr(run, "stage_episode", interrupted)
    settings = ImportLiberoConfig(tmp_path / "in", tmp_path / "out")
    with pytest.raises(TrainingError, match="Run the same command to continue"):
        import_libero(settings)
    assert len(LeRobotReader(tmp_path / "out").episodes) == 1
    monkeypatch.setattr(run, "stage_episode", stage)
    import_libero(settings)
    assert len(LeRobotReader(tmp_path / "out").episodes) == 2


def test_other_refusals(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no .hdf5 file"):
        import_libero(ImportLiberoConfig(tmp_path, tmp_path / "out"))
    with pytest.raises(DatasetError, match="--fps is 0"):
        import_libero(ImportLiberoConfig(tmp_path, tmp_path / "out", fps=0))
    with pytest.raises(DatasetError, match=r"dataset_states_to_obs.py first"):
        path = write_robocasa(tmp_path / "low_dim.hdf5", with_images=False)
        import_robocasa(ImportRobocasaConfig(path, tmp_path / "out"))
    libero = write_libero(tmp_path / "libero.hdf5", demos=("demo_0",))
    import_libero(ImportLiberoConfig(libero, tmp_path / "one"))
    robocasa = write_robocasa(tmp_path / "robocasa.hdf5")
    with pytest.raises(DatasetError, match=r"do not fit together(.|\n)*PandaOmron"):
        import_robocasa(ImportRobocasaConfig(robocasa, tmp_path / "one"))
