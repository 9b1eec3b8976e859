"""Training and robot feed the network the same numbers: dataset -> cache -> batch against camera message -> policy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.system.tiny_bundle import make_bundle
from training.data.cache import FrameCache
from training.data.lerobot_reader import LeRobotReader
from training.tests.synthetic import synthetic_episode
from training.tests.synthetic_run import TEXT_ENCODER, tiny_cache
from training.vla.augment import shifted
from training.vla.batches import Batch, BatchSource
from training.vla.config import AugmentConfig, SamplingConfig
from training.vla.index import FrameIndex, build_index
from training.vla.text import embed_skills
from world2act.conversions import (
    chunk_from_message,
    chunk_to_message,
    image_to_message,
    observation_from_message,
    observation_to_message,
    value_names,
)
from world2act_core.bundle import load_bundle
from world2act_core.policy import BundlePolicy
from world2act_core.text_encoder import TextEncoder
from world2act_core.types import ActionChunk
from world2act_interfaces.msg import Observation

NOTHING_CHANGED = AugmentConfig(shift=0, brightness=0.0, contrast=0.0, colour=0.0, state_noise=0.0)
CANONICAL = SamplingConfig(paraphrase_probability=0.0)
STAMP_NS = 1_234_000_000


@dataclass
class Offline:
    """What training sees of the synthetic dataset."""

    reader: LeRobotReader
    index: FrameIndex
    batch: Batch
    frames: NDArray[np.int64]


@pytest.fixture(scope="module")
def offline(tmp_path_factory: pytest.TempPathFactory) -> Offline:
    cache = FrameCache(tiny_cache(tmp_path_factory.mktemp("dataset"), image_size=96))
    reader = LeRobotReader(cache.dataset)
    index = build_index(reader, len(cache), cache.contract, CANONICAL)
    texts = embed_skills(index.skills, TEXT_ENCODER, 4, 0)
    source = BatchSource(cache, index, texts, CANONICAL, NOTHING_CHANGED, 16, seed=5)
    # The same draw that the batch begins with.
    frames = index.draw(16, np.random.default_rng([5, 0]))
    return Offline(reader, index, source.batch(0), frames)


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> BundlePolicy:
    """Only what stands before the network is looked at, so the tiny bundle's network does."""
    return BundlePolicy(load_bundle(make_bundle(tmp_path_factory.mktemp("bundle"))))


def message(images: dict[str, NDArray[np.uint8]], state: NDArray[np.float32], policy: BundlePolicy) -> Observation:
    """What camera_ingest publishes for these pictures and this state."""
    pictures = {name: image_to_message(image, STAMP_NS, name) for name, image in images.items()}
    return observation_to_message(pictures, state, value_names(policy.contract.state), STAMP_NS)


def online(images: dict[str, NDArray[np.uint8]], state: NDArray[np.float32], policy: BundlePolicy) -> dict:
    """The network's inputs for them, on the robot."""
    seen = observation_from_message(message(images, state, policy))
    return policy._inputs(seen, "pick up the red cube", None)


def test_a_recorded_frame_becomes_the_same_input(offline: Offline, policy: BundlePolicy) -> None:
    """Bit for bit, from the frame in the video onwards."""
    for row, frame in enumerate(offline.frames):
        images = {name: offline.reader.frame(int(frame), name) for name in offline.reader.cameras}
        assert images["scene"].shape == (128, 128, 3)
        inputs = online(images, offline.index.state[frame], policy)
        for name in images:
            assert inputs[f"image_{name}"].shape == (1, 96, 96, 3)
            np.testing.assert_array_equal(inputs[f"image_{name}"][0], offline.batch.images[name][row].numpy())
        np.testing.assert_array_equal(inputs["state"][0], offline.batch.state[row].numpy())


def test_a_live_picture_differs_by_the_videos_compression_only(offline: Offline, policy: BundlePolicy) -> None:
    row_of = {int(row["seed"]): row for row in offline.reader.episodes}
    for seed in (0, 5):
        recorded, _ = synthetic_episode(seed, 24 + seed)
        first = int(row_of[seed]["dataset_from_index"])
        states = recorded.stacked()["observation.state"]
        for step in (0, 10, 23):
            live = {name: frames[step] for name, frames in recorded.images.items()}
            inputs = online(live, states[step], policy)
            np.testing.assert_array_equal(inputs["state"][0], offline.index.state[first + step])
            stored = {name: offline.reader.frame(first + step, name) for name in live}
            trained = online(stored, states[step], policy)
            for name in live:
                error = np.abs(inputs[f"image_{name}"].astype(int) - trained[f"image_{name}"])
                assert error.mean() < 2.0, (seed, step, name)
                # Another frame, another camera or swapped channels would be much farther off than that.
                swapped = np.abs(inputs[f"image_{name}"][..., ::-1].astype(int) - trained[f"image_{name}"])
                assert swapped.mean() > 3 * error.mean()


def test_the_same_sentence_becomes_the_same_vector(offline: Offline) -> None:
    live = TextEncoder(TEXT_ENCODER, threads=1)
    for row, frame in enumerate(offline.frames):
        prompt = offline.index.skills[offline.index.skill[frame]].prompt
        np.testing.assert_allclose(live.encode([prompt])[0], offline.batch.text[row].numpy(), atol=1e-6)


def test_a_trained_chunk_survives_the_way_to_the_arm(offline: Offline, policy: BundlePolicy) -> None:
    names = value_names(policy.contract.action)
    for actions in offline.batch.chunk.numpy():
        chunk = ActionChunk(3, STAMP_NS / 1e9, policy.contract.step_s, actions, 0.5, 0.01, 1)
        back = chunk_from_message(chunk_to_message(chunk, STAMP_NS, 1, names, "0" * 64))
        np.testing.assert_array_equal(back.actions, actions)
        assert back.step_s == chunk.step_s and back.start_time_s == pytest.approx(chunk.start_time_s)


def test_without_augmentation_a_batch_is_the_data(offline: Offline) -> None:
    for gain, offset in offline.batch.colour.values():
        assert torch.equal(gain, torch.ones_like(gain)) and not offset.any()
    frame = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    np.testing.assert_array_equal(shifted([frame], np.zeros((1, 2), np.int64))[0], frame)
