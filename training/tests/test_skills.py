"""The whole of ``training skills`` on small datasets: what is written, counted, resumed and refused."""

from __future__ import annotations

import io
import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from training.common.errors import DatasetError, TrainingError
from training.data.contract_file import claim_contract
from training.data.episode import EpisodeBuffer, EpisodeInfo, SkillSegment
from training.data.lerobot_reader import LeRobotReader
from training.data.lerobot_writer import stage_episode
from training.data.pack import pack_dataset
from training.data.video import GOP, cut_video, decode_frames
from training.skills import build, plan
from training.skills.build import FIGURE_PATH, SUMMARY_PATH, make_skills
from training.skills.config import SkillsConfig
from training.skills.interactions import GripperConfig, TouchConfig
from training.skills.language_model import LanguageModelConfig
from training.skills.segment import SegmentationConfig
from training.tests.trajectories import Hand
from world2act_core.contract import StateDim
from world2act_core.scripted_llm import Reply, ScriptedLlm
from world2act_core.tabletop import tabletop_contract

FPS = 10
SIZE = 32


def picture(frame: int) -> np.ndarray:
    """A picture that says its frame number: sixteen bright or dark squares, too coarse for compression to blur."""
    bits = np.array([(frame >> i) & 1 for i in range(16)], np.uint8).reshape(4, 4)
    return np.repeat(np.repeat(40 + 170 * bits, SIZE // 4, 0), SIZE // 4, 1)[..., None].repeat(3, 2)


def number_in(image: np.ndarray) -> int:
    """The frame number in a decoded :func:`picture`."""
    cells = image.reshape(4, SIZE // 4, 4, SIZE // 4, 3).mean(axis=(1, 3, 4)).reshape(-1)
    return int(sum(1 << i for i, value in enumerate(cells) if value > 125))


def add_episode(root: Path, seed: int, instruction: str, skills: list[str], hand: Hand, cuts: list[int]) -> int:
    """Stage one demonstration whose wrist shows the global frame number; returns its length."""
    trajectory = hand.trajectory()
    buffer = EpisodeBuffer()
    rotation = np.array([1, 0, 0, 0, 1, 0], np.float32)
    for i in range(len(trajectory)):
        action = np.zeros(7, np.float32)
        action[:3] = trajectory.command[i] if trajectory.command is not None else 0
        action[6] = 1.0 if trajectory.width[i] < 0.07 else -1.0
        state = np.concatenate([trajectory.position[i], rotation, [trajectory.width[i]]])
        values: dict[str, object] = {
            "observation.state": state,
            "observation.gripper": 0.0,
            "action": action,
            "executed_action": action,
            "done": False,
            "skill_index": int(np.searchsorted(cuts, i, side="right")),
            "target_position": [i, 0, 0],
            "support_position": [np.nan] * 3,
        }
        buffer.add({"scene": picture(i), "wrist": picture(1000 * seed + i)}, values)
    edges = [0, *cuts, len(trajectory)]
    segments = tuple(
        SkillSegment("place", "can", "bin", text, a, b, True) for text, a, b in zip(skills, edges, edges[1:])
    )
    info = EpisodeInfo(seed, "composite", "seen", instruction, True, segments, ("can", "bread"))
    stage_episode(root, buffer, info, FPS)
    return len(trajectory)


def source_dataset(root: Path) -> Path:
    """Four demonstrations: one put, two puts, one that the grammar cannot read, one whose count does not fit."""
    claim_contract(tabletop_contract(image_size=SIZE), root, "test")
    one = Hand()
    one.carry((0.45, 0.1), (0.5, 0.3))
    add_episode(root, 1, "put the can in the bin", ["put the can in the bin"], one, [])
    two = Hand()
    cut = two.carry((0.45, 0.1), (0.5, 0.3))
    two.carry((0.6, -0.1), (0.5, -0.3))
    both = ["put the can in the bin", "put the bread on the plate"]
    add_episode(root, 2, "put the soda can in the basket and then place the bread on the plate", both, two, [cut])
    add_episode(root, 3, "polish the can", ["put the can in the bin"], one, [])
    add_episode(root, 4, "put the can in the bin", both, two, [cut])
    pack_dataset(root, FPS)
    return root


def config(tmp_path: Path, **changes: Any) -> SkillsConfig:
    settings: dict[str, Any] = {"dataset": tmp_path / "whole", "out": tmp_path / "skill", "clips_per_file": 2}
    return SkillsConfig(**{**settings, **changes})


def test_clips_go_next_to_their_demonstrations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert SkillsConfig(dataset=tmp_path / "kitchen").folder == tmp_path / "kitchen-skill"
    assert SkillsConfig(dataset=tmp_path, out=tmp_path / "mine").folder == tmp_path / "mine"
    (tmp_path / "kitchen").mkdir()
    monkeypatch.chdir(tmp_path / "kitchen")
    assert SkillsConfig(dataset=Path(".")).folder.resolve() != Path(".").resolve()


def test_clips_show_exactly_the_frames_they_were_cut_from(tmp_path: Path) -> None:
    source_dataset(tmp_path / "whole")
    (tmp_path / "whole/meta/cameras.json").write_text("{}")
    summary = make_skills(config(tmp_path))
    assert (tmp_path / "skill/meta/cameras.json").read_text() == "{}", "the cameras are the same ones"
    whole, clips = LeRobotReader(tmp_path / "whole"), LeRobotReader(tmp_path / "skill")
    assert [row["instruction"] for row in clips.episodes] == [
        "put the can in the bin",
        "put the can in the bin",
        "put the bread on the plate",
    ]
    assert [(row["source_episode"], row["source_position"]) for row in clips.episodes] == [(0, 0), (1, 0), (1, 1)]
    second, third = clips.episodes[1], clips.episodes[2]
    assert (second["source_from"], third["source_to"]) == (0, whole.episodes[1]["length"])
    assert second["source_to"] == third["source_from"]
    for index, row in enumerate(clips.episodes):
        seed = whole.episodes[row["source_episode"]]["seed"]
        first, length = row["source_from"], row["length"]
        assert [number_in(f) for f in clips.episode_frames(index, "wrist")] == [
            1000 * seed + first + i for i in range(length)
        ]
        mine, theirs = clips.episode_columns(index), whole.episode_columns(row["source_episode"])
        for name in ("observation.state", "action", "executed_action", "target_position"):
            np.testing.assert_array_equal(mine[name], theirs[name][first : first + length])
        assert not mine["skill_index"].any() and mine["frame_index"].tolist() == list(range(length))
        assert {clips.tasks[i] for i in mine["prompt_index"]} == {row["instruction"]} == set(row["skills"])
    assert summary["discarded"] == {"count_mismatch": 1, "not_understood": 1}
    assert json.loads((tmp_path / "skill" / SUMMARY_PATH).read_text())["clips"] == 3
    assert (tmp_path / "skill" / FIGURE_PATH).read_bytes()[:4] == b"\x89PNG"
    # Boundaries are compared wherever they are known: two demonstrations of two skills, each with one inner boundary.
    assert summary["agreement"]["matched"] == summary["agreement"]["true_boundaries"] == 2
    assert summary["whole_length_frames"]["max"] == whole.episodes[1]["length"]


def test_running_again_adds_nothing_and_an_interrupted_run_continues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source_dataset(tmp_path / "whole")
    written: list[int] = []
    stage = build.stage_clip

    def interrupted(*arguments: Any) -> Path:
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(1)
        return stage(*arguments)

    monkeypatch.setattr(build, "stage_clip", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make_skills(config(tmp_path))
    readable = LeRobotReader(tmp_path / "skill")
    assert [row["instruction"] for row in readable.episodes] == ["put the can in the bin"] * 2
    assert len(list(readable.episode_frames(1, "scene"))) == readable.episodes[1]["length"]
    monkeypatch.setattr(build, "stage_clip", stage)
    assert make_skills(config(tmp_path))["clips"] == 3
    assert len(LeRobotReader(tmp_path / "skill").episodes) == 3
    monkeypatch.setattr(build, "stage_clip", lambda *_: pytest.fail("everything is there already"))
    assert make_skills(config(tmp_path))["clips"] == 3


@pytest.mark.parametrize("first", [True, False], ids=["while others are prepared", "while all are asked"])
def test_an_interrupt_does_not_wait_for_a_model_that_thinks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: bool
) -> None:
    source_dataset(tmp_path / "whole")
    cut = plan.segment
    prepared: list[int] = []

    def slowly(*arguments: Any) -> Any:
        prepared.append(1)
        if first and len(prepared) == 3:
            time.sleep(60.0)  # the interrupt comes here
        return cut(*arguments)

    monkeypatch.setattr(plan, "segment", slowly)
    with ScriptedLlm([Reply(delay_s=300.0)]) as server:

        def interrupt() -> None:
            while not server.questions or len(prepared) < (3 if first else 4):
                time.sleep(0.05)
            time.sleep(0.2)
            interrupted.append(time.monotonic())
            os.kill(os.getpid(), signal.SIGTERM)  # a shell may have SIGINT ignored in what it starts

        interrupted: list[float] = []
        threading.Thread(target=interrupt, daemon=True).start()
        model = LanguageModelConfig(server.base_url, "scripted", timeout_s=120.0)
        with pytest.raises(TrainingError, match="finished clips are packed"):
            build.build_skills(config(tmp_path, decomposer="llm", llm=model))
        assert time.monotonic() - interrupted[0] < 20.0


def test_clips_of_another_dataset_are_not_mixed_in(tmp_path: Path) -> None:
    """Two datasets may number their demonstrations alike: neither are such clips taken for finished, nor mixed."""
    source_dataset(tmp_path / "whole")
    make_skills(config(tmp_path))
    two = Hand()
    cut = two.carry((0.45, 0.1), (0.5, 0.3))
    two.carry((0.6, -0.1), (0.5, -0.3))
    later = Hand()
    later.carry((0.45, 0.1), (0.5, 0.45))
    later.carry((0.6, -0.1), (0.5, -0.3))
    both = "put the soda can in the basket and then place the bread on the plate"
    others = {
        "the same number, other words": (1, "place the can into the bin", later, []),
        "a number that is not there": (9, "put the can in the bin", two, []),
        "the same words, cut elsewhere": (2, both, later, [cut]),
    }
    before = (tmp_path / "skill/meta/skills.json").read_text()
    for name, (seed, instruction, hand, cuts) in others.items():
        root = tmp_path / name
        claim_contract(tabletop_contract(image_size=SIZE), root, "test")
        prompts = ["put the can in the bin", "put the bread on the plate"]
        one = Hand()
        one.carry((0.45, 0.1), (0.5, 0.3))
        if seed == 2:
            add_episode(root, 1, "put the can in the bin", prompts[:1], one, [])
        add_episode(root, seed, instruction, prompts[: 1 + len(cuts)], hand, cuts)
        pack_dataset(root, FPS)
        with pytest.raises(DatasetError, match=r"holds clips of other demonstrations than .*Choose another --out"):
            make_skills(config(tmp_path, dataset=root))
    assert [row["seed"] for row in LeRobotReader(tmp_path / "skill").episodes] == [100, 200, 201]
    assert (tmp_path / "skill/meta/skills.json").read_text() == before


def test_a_first_try_without_a_clip_does_not_bind_the_next(tmp_path: Path) -> None:
    source_dataset(tmp_path / "whole")
    with pytest.raises(DatasetError, match="no skill clip"):
        make_skills(config(tmp_path, minimum_frames=500))
    assert make_skills(config(tmp_path))["clips"] == 3


def test_other_settings_are_not_mixed_into_a_dataset(tmp_path: Path) -> None:
    source_dataset(tmp_path / "whole")
    make_skills(config(tmp_path))
    with pytest.raises(DatasetError, match=r"other settings \(minimum_frames differ\)"):
        make_skills(config(tmp_path, minimum_frames=6))
    with pytest.raises(DatasetError, match="source dataset itself"):
        make_skills(config(tmp_path, out=tmp_path / "whole"))


def test_a_model_that_writes_the_wrong_number_of_prompts_yields_nothing_and_says_so(tmp_path: Path) -> None:
    source_dataset(tmp_path / "whole")

    class One:
        def ask(self, system: str, user: str, schema: type[Any]) -> Any:
            return schema(prompts=[{"segment": 1, "prompt": "put the can in the bin"}])

        def close(self) -> None:
            pass

    model = LanguageModelConfig(model="fake", parallel=2)
    summary = make_skills(config(tmp_path, decomposer="llm", llm=model), One())
    assert (summary["clips"], summary["discarded"]) == (2, {"count_mismatch": 2})

    class Three(One):
        def ask(self, system: str, user: str, schema: type[Any]) -> Any:
            return schema(prompts=[{"segment": i, "prompt": "x"} for i in (1, 2, 3)])

    with pytest.raises(DatasetError, match=r"no skill clip: all 4 .*count_mismatch 4.*3 prompts for 1 segments"):
        make_skills(config(tmp_path, out=tmp_path / "none", decomposer="llm", llm=model), Three())


def test_clips_shorter_than_a_chunk_are_an_error_when_nothing_else_is_left(tmp_path: Path) -> None:
    source_dataset(tmp_path / "whole")
    with pytest.raises(DatasetError, match=r"too_short 4.*a clip of \d+ frames; a chunk has 500"):
        make_skills(config(tmp_path, minimum_frames=500))


def test_a_dataset_without_gripper_contract_or_vocabulary_is_refused(tmp_path: Path) -> None:
    root = source_dataset(tmp_path / "whole")
    path = root / "meta/contract.yaml"
    contract = tabletop_contract(image_size=SIZE)
    joints = StateDim(name="joints", size=7, unit="rad", frame="joint", representation="joint_angle")
    contract.model_copy(update={"state": (contract.state[0], joints)}).to_yaml(path)
    with pytest.raises(DatasetError, match="use one that has a gripper"):
        make_skills(config(tmp_path))
    empty = contract.vocabulary.model_copy(update={"objects": (), "skills": ()})
    contract.model_copy(update={"vocabulary": empty}).to_yaml(path)
    with pytest.raises(DatasetError, match="--decomposer llm"):
        make_skills(config(tmp_path))
    path.unlink()
    with pytest.raises(DatasetError, match="says where the gripper is"):
        make_skills(config(tmp_path))
    with pytest.raises(DatasetError, match="holds no packed dataset"):
        make_skills(config(tmp_path, dataset=tmp_path / "nowhere"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"max_episodes": 0}, "--max-episodes is 0, it must be 1 or more"),
        ({"max_episodes": -1}, "--max-episodes is -1"),
        ({"clips_per_file": 0}, "--clips-per-file is 0"),
        ({"minimum_frames": 0}, "--minimum-frames is 0"),
        ({"tolerance_frames": -1}, "--tolerance-frames is -1, it must be 0 or more"),
        ({"llm": LanguageModelConfig(parallel=0)}, "--llm.parallel is 0"),
        ({"segmentation": SegmentationConfig(GripperConfig(closing_m=-0.05))}, "gripper.closing-m is -0.05"),
        ({"segmentation": SegmentationConfig(GripperConfig(closing_m=0.0))}, "above 0 m"),
        ({"segmentation": SegmentationConfig(GripperConfig(hysteresis=3.0))}, "hysteresis is 3.0, a share"),
        ({"segmentation": SegmentationConfig(touch=TouchConfig(stop_s=float("nan")))}, "touch.stop-s is nan"),
        ({"segmentation": SegmentationConfig(pause_s=-1.0)}, "--segmentation.pause-s is -1.0"),
    ],
)
def test_settings_that_make_no_sense_are_refused_before_anything_is_written(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    source_dataset(tmp_path / "whole")
    with pytest.raises(TrainingError, match=said):
        make_skills(config(tmp_path, **changes))
    assert not (tmp_path / "skill").exists()


def test_cutting_copies_whole_groups_of_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source_dataset(tmp_path / "whole")
    path = LeRobotReader(tmp_path / "whole").video_path(0, "wrist")
    frames = list(decode_frames(path))
    for start, stop in ((0, 9), (GOP, 2 * GOP), (3, 30), (5, 6), (len(frames) - 3, len(frames))):
        with av.open(io.BytesIO(cut_video(path, start, stop, FPS))) as container:
            got = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        assert [number_in(f) for f in got] == [number_in(f) for f in frames[start:stop]]
        copied = -start % GOP if start < 40 else len(got)  # the first episode's key frames are every GOP frames
        for ours, theirs in zip(got[copied:], frames[start + copied : stop]):
            np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(ValueError, match="holds no frames"):
        cut_video(path, len(frames) - 2, len(frames) + 1, FPS)
    with pytest.raises(ValueError, match="holds no frames"):
        cut_video(path, 4, 4, FPS)
