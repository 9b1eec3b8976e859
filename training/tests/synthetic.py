"""Tiny made-up episodes: a coloured square moves, the state says where; enough to exercise the whole data path."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from training.data import layout
from training.data.episode import EpisodeBuffer, EpisodeInfo, SkillSegment
from training.data.lerobot_writer import stage_episode
from training.data.pack import pack_dataset
from world2act_core.calibration import CameraCalibration, write_calibrations

FPS = 10
# Both look at the plane z = 0.02 from a distance of 1 m: the scene camera from below, the wrist camera from above.
CAMERAS = {
    "scene": CameraCalibration(
        frame="base", position=(0.5, 0.5, -0.98), rotation=((1, 0, 0), (0, 1, 0), (0, 0, 1)), fx=1.0, fy=1.0
    ),
    "wrist": CameraCalibration(
        frame="base", position=(0.5, 0.5, 1.02), rotation=((1, 0, 0), (0, -1, 0), (0, 0, -1)), fx=1.0, fy=1.0
    ),
}
COLOURS = {"red cube": (220, 30, 30), "green cube": (30, 200, 40), "blue cube": (30, 50, 220)}


def synthetic_episode(
    seed: int, length: int = 24, size: int = 128, success: bool = True
) -> tuple[EpisodeBuffer, EpisodeInfo]:
    """A "pick" episode whose action points from the hand to the named square; the last 4 frames are done."""
    rng = np.random.default_rng(seed)
    names = list(COLOURS)
    places = {name: rng.uniform(0.15, 0.85, 2) for name in names}
    target = names[seed % len(names)]
    hand = rng.uniform(0.2, 0.8, 2)
    buffer = EpisodeBuffer()
    for i in range(length):
        image = np.full((size, size, 3), 90, np.uint8)
        for name, place in places.items():
            x, y = (place * size).astype(int)
            image[max(0, y - 8) : y + 8, max(0, x - 8) : x + 8] = COLOURS[name]
        step = np.clip((places[target] - hand) * 0.5, -0.05, 0.05)
        done = i >= length - 4
        action = np.array([*step, 0, 0, 0, 0, 1.0 if done else -1.0], np.float32)
        state = np.array([*hand, 0.2, 1, 0, 0, 0, 1, 0, 0.0 if done else 0.08], np.float32)
        buffer.add(
            {"scene": image, "wrist": image[::-1]},
            {
                "observation.state": state,
                "observation.gripper": float(done),
                "action": action,
                "executed_action": action,
                "done": done,
                "skill_index": 0,
                "target_position": [*places[target], 0.02],
                "support_position": [np.nan] * 3,
            },
        )
        hand = hand + step
    segment = SkillSegment("pick", target, None, f"pick up the {target}", 0, length, True)
    return buffer, EpisodeInfo(seed, "pick", "seen", f"grab the {target}", True, (segment,), tuple(names))


def synthetic_dataset(root: Path, episodes: int = 6, length: int = 24) -> Path:
    """A packed dataset of ``episodes`` episodes, four per file."""
    for seed in range(episodes):
        buffer, info = synthetic_episode(seed, length + seed)
        stage_episode(root, buffer, info, FPS)
    pack_dataset(root, FPS, episodes_per_file=4)
    write_calibrations(root / layout.CALIBRATION_PATH, CAMERAS)
    return root
